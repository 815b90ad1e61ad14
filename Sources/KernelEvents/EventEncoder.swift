import JSONText
import NetworkTypes

/// Writes events.jsonl: each call appends one line to a buffer that the caller writes out and clears.
///
/// The order and the format of the keys follow `rst-events/1`, docs/events.md. A field that is nil is not written.
public struct EventEncoder: Sendable {
    var json = JSONWriter()

    public init() {}

    public var isEmpty: Bool { json.isEmpty }

    /// Bytes of the lines so far.
    public var count: Int { json.count }

    /// Copies all the lines so far, each ended by a newline: once for many lines, never once for each.
    public func copy() -> [UInt8] { json.copy() }

    /// Forgets the lines and keeps the memory for the next ones.
    public mutating func removeAll() { json.removeAll() }

    /// The first line of a recording.
    public mutating func append(header: RecordingHeader) {
        begin("recording")
        json.member(.schema, header.schema)
        json.member(.tool, header.tool)
        json.member(.host, header.host)
        json.member(.kernel, header.kernel)
        json.member(.bootId, header.bootID)
        json.member(.arch, header.arch)
        json.member(.started, header.started)
        json.object(.clock) { json in
            json.member(.realtimeNs, header.clock.realtime)
            json.member(.monotonicNs, header.clock.monotonic)
            json.member(.uncertaintyNs, header.clock.uncertainty)
            json.mark(.stepsMarked, header.marksClockSteps)
        }
        append(.since, times: header.since)
        json.list(.hooks, header.hooks) { json, hook in
            json.object { json in
                json.member(.name, hook.name)
                json.member(.status, hook.status)
                json.member(.detail, hook.detail)
                json.member(.reason, hook.reason)
            }
        }
        json.list(.interfaces, header.interfaces) { json, interface in
            json.object { json in
                json.member(.name, interface.name)
                json.member(.ifindex, interface.ifindex)
                json.member(.netns, interface.netns)
                json.list(.addresses, interface.addresses) { json, address in json.address(address) }
                json.member(.captured, interface.captured)
            }
        }
        json.member(.netns, header.netns)
        json.member(.endings, header.endings)
        if let scope = header.scope {
            json.key(.scope)
            json.append(scope: scope)
        }
        json.member(.noCgroups, header.cgroupObstacle)
        if let series = header.series {
            json.object(.series) { json in
                json.member(.id, series.id)
                json.member(.number, series.number)
                json.mark(.follows, series.follows)
            }
        }
        endLine()
    }

    private mutating func append(_ key: RecordKey, times: RecordingTimes?) {
        guard let times else { return }
        json.object(key) { json in
            json.member(.hooksMonoNs, times.hooks)
            json.member(.captureMonoNs, times.capture)
        }
    }

    /// A stack, once, before the first event that has its id.
    public mutating func append(stack id: Int, frames: [String]) {
        begin("stack")
        json.member(.id, id)
        json.list(.frames, frames) { json, frame in json.string(frame) }
        endLine()
    }

    /// A process, before the first event that names it.
    public mutating func append(process: ProcessRecord) {
        begin("process")
        json.member(.pid, process.pid)
        json.member(.comm, process.comm)
        json.member(.uid, process.uid)
        json.member(.user, process.user)
        json.member(.exe, process.exe)
        if let arguments = process.arguments {
            json.list(.args, arguments) { json, argument in json.string(argument) }
            json.mark(.argsCut, process.argumentsAreCut)
        }
        json.member(.parent, process.parent)
        endLine()
    }

    /// An `emit`, a `decide`, a `receive` or a `fail` line.
    public mutating func append(event: ResetEvent) {
        switch event.kind {
        case .emit:
            begin("emit")
            if event.hook != ResetEvent.emitHook { json.member(.hook, event.hook) }
        case .decide:
            begin("decide")
            json.member(.hook, event.hook)
        case .receive:
            begin("receive")
            json.member(.hook, event.hook)
        case .fail:
            begin("fail")
            json.member(.hook, event.hook)
        }
        json.member(.monoNs, event.monotonic)
        json.member(.cpu, event.cpu)
        json.member(.netns, event.netns)
        json.member(.ifindex, event.ifindex)
        json.member(.ifname, event.ifname)
        if let skb = event.skb {
            json.key(.skb)
            json.hexadecimal(skb)
        }
        json.members(event.tuple)
        json.member(.seq, event.seq)
        json.member(.ack, event.ack)
        json.member(.flags, event.flags)
        json.member(.window, event.window)
        json.member(.ipId, event.ipID)
        json.member(.ttl, event.ttl)
        json.member(.reason, event.reason)
        json.member(.state, event.state)
        json.member(.previousState, event.previousState)
        append(reception: event.reception, of: event.kind)
        append(trigger: event.trigger)
        append(listener: event.listener)
        append(ending: event.ending)
        append(conntrack: event.conntrack)
        json.member(.stack, event.stack)
        append(task: event.task)
        append(socket: event.socket)
        endLine()
    }

    private mutating func append(reception: ResetEvent.Reception?, of kind: ResetEvent.Kind) {
        guard let reception else { return }
        if kind == .receive { json.member(.fate, reception.fate.rawValue) }
        json.member(.at, reception.location)
        json.member(.errno, reception.errno)
        json.member(.waiting, reception.wait?.rawValue)
        json.member(.idleNs, reception.idle)
        json.member(.ageNs, reception.age)
        json.member(.unacknowledged, reception.unacknowledged)
        json.member(.unread, reception.unread)
    }

    private mutating func append(trigger: ResetEvent.Trigger?) {
        guard let trigger else { return }
        json.object(.trigger) { json in
            json.member(.flags, trigger.flags)
            json.member(.seq, trigger.seq)
            json.member(.ack, trigger.ack)
            json.member(.length, trigger.length)
        }
    }

    private mutating func append(listener: ResetEvent.Listener?) {
        guard let listener else { return }
        json.object(.listener) { json in
            json.member(.pid, listener.pid)
            json.member(.comm, listener.comm)
            json.member(.sinceMonoNs, listener.since)
            json.member(.closedMonoNs, listener.closed)
            json.member(.fits, listener.fits)
        }
    }

    private mutating func append(ending: ResetEvent.Ending?) {
        guard let ending else { return }
        json.object(.closed) { json in
            json.member(.how, ending.how.rawValue)
            json.member(.monoNs, ending.monotonic)
            json.member(.pid, ending.process?.pid)
            json.member(.comm, ending.process?.comm)
            json.member(.thread, ending.thread)
            json.member(.cgroup, ending.cgroup)
            json.member(.cgroupPath, ending.cgroupPath)
            json.member(.owner, ending.owner)
            json.member(.state, ending.state)
            json.member(.idleNs, ending.idle)
            json.member(.signal, ending.signal)
            json.member(.errno, ending.errno)
            json.member(.unacknowledged, ending.unacknowledged)
            json.member(.userTimeoutMs, ending.userTimeout)
            json.member(.seq, ending.seq)
        }
    }

    private mutating func append(task: ResetEvent.Task?) {
        guard let task else { return }
        json.object(.task) { json in
            json.member(.pid, task.pid)
            json.member(.tid, task.tid)
            json.member(.uid, task.uid)
            json.member(.comm, task.comm)
            json.member(.process, task.process)
            switch task.context {
            case .process: json.member(.context, "process")
            case .softirq: json.member(.context, "softirq")
            case .hardirq: json.member(.context, "hardirq")
            case nil: break
            }
            json.member(.cgroup, task.cgroup)
            json.member(.cgroupPath, task.cgroupPath)
        }
    }

    private mutating func append(socket: ResetEvent.Socket?) {
        guard let socket else { return }
        json.object(.socket) { json in
            json.member(.cookie, socket.cookie)
            json.member(.state, socket.state)
            json.member(.inode, socket.inode)
            json.member(.uid, socket.uid)
            json.member(.cgroup, socket.cgroup)
            json.member(.cgroupPath, socket.cgroupPath)
            json.member(.owner, socket.owner)
            json.member(.dead, socket.dead)
            json.member(.userTimeoutMs, socket.userTimeout)
            json.member(.linger2, socket.linger2)
            json.member(.linger, socket.linger)
            json.member(.queued, socket.acceptQueue?.queued)
            json.member(.backlog, socket.acceptQueue?.backlog)
        }
    }

    /// A pair of clock readings taken while recording.
    public mutating func append(clock: ClockSample) {
        begin("clock")
        json.member(.monoNs, clock.monotonic)
        json.member(.realtimeNs, clock.realtime)
        json.member(.uncertaintyNs, clock.uncertainty)
        json.member(.stepNs, clock.step)
        json.member(.suspendedNs, clock.suspended)
        endLine()
    }

    /// Events that were not recorded.
    public mutating func append(loss: Loss) {
        begin("lost")
        json.member(.monoNs, loss.monotonic)
        json.member(.where, loss.place)
        json.member(.count, loss.count)
        endLine()
    }

    /// The last line of a recording.
    public mutating func append(footer: RecordingFooter) {
        begin("end")
        json.member(.monoNs, footer.monotonic)
        json.member(.events, footer.events)
        json.member(.lost, footer.lost)
        json.member(.captured, footer.captured)
        json.member(.kernelDropped, footer.kernelDropped)
        json.member(.endingsLost, footer.endingsLost)
        append(.until, times: footer.until)
        json.member(.detail, footer.failure)
        endLine()
    }

    /// Begins a line of that type.
    mutating func begin(_ type: StaticString) {
        json.raw(#"{"type":""#)
        json.raw(type)
        json.raw("\"")
    }

    mutating func endLine() { json.raw("}\n") }
}

extension ResetEvent {
    /// The hook that every `emit` comes from unless its line says otherwise.
    public static let emitHook = "net_dev_queue"
    /// The hook that every `decide` comes from unless its line says otherwise.
    public static let decideHook = "tcp_send_reset"
    /// The hook that every `receive` comes from unless its line says otherwise.
    public static let receiveHook = "tcp_receive_reset"
    /// The hook that reports a RST without effect.
    public static let ignoreHook = "kfree_skb"
    /// The hook that every `fail` comes from unless its line says otherwise.
    public static let failHook = "inet_sock_set_state"
    /// The functions whose entries report answers without a full socket, which `tcp_send_reset` omits up to 6.9.
    public static let entryHooks = ["tcp_v4_send_reset", "tcp_v6_send_reset"]
}

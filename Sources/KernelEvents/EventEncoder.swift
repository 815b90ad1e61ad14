import JSONText
import NetworkTypes

/// Writes events.jsonl: each call appends one line to a buffer that the caller writes out and clears.
///
/// The order and the format of the keys follow `rst-events/1`, docs/events.md. A field that is nil is not written.
public struct EventEncoder: Sendable {
    var json = JSONWriter()

    public init() {}

    public var isEmpty: Bool { json.isEmpty }

    /// A copy of the lines so far, each ended by a newline.
    public var bytes: [UInt8] { json.bytes }

    /// Forgets the lines and keeps the memory for the next ones.
    public mutating func removeAll() { json.removeAll() }

    /// The first line of a recording.
    public mutating func append(header: RecordingHeader) {
        json.raw(#"{"type":"recording","schema":"#)
        json.string(header.schema)
        json.raw(#","tool":"#)
        json.string(header.tool)
        json.raw(#","host":"#)
        json.string(header.host)
        json.raw(#","kernel":"#)
        json.string(header.kernel)
        json.raw(#","boot_id":"#)
        json.string(header.bootID)
        json.raw(#","arch":"#)
        json.string(header.arch)
        json.raw(#","started":"#)
        json.string(header.started)
        json.raw(#","clock":{"realtime_ns":"#)
        json.number(header.clock.realtime)
        json.raw(#","monotonic_ns":"#)
        json.number(header.clock.monotonic)
        json.member(#","uncertainty_ns":"#, header.clock.uncertainty)
        if header.marksClockSteps { json.raw(#","steps_marked":true"#) }
        json.raw("}")
        append(times: header.since, #","since":"#)
        json.raw(#","hooks":["#)
        for (index, hook) in header.hooks.enumerated() {
            if index > 0 { json.raw(",") }
            append(hook: hook)
        }
        json.raw(#"],"interfaces":["#)
        for (index, interface) in header.interfaces.enumerated() {
            if index > 0 { json.raw(",") }
            append(interface: interface)
        }
        json.raw("]")
        json.member(#","netns":"#, header.netns)
        json.member(#","endings":"#, header.endings)
        if let scope = header.scope {
            json.raw(#","scope":"#)
            json.append(scope: scope)
        }
        json.member(#","no_cgroups":"#, header.cgroupObstacle)
        endLine()
    }

    private mutating func append(times: RecordingTimes?, _ key: StaticString) {
        guard let times else { return }
        json.raw(key)
        json.raw("{")
        json.member(#""hooks_mono_ns":"#, times.hooks)
        if let capture = times.capture {
            json.raw(times.hooks == nil ? #""capture_mono_ns":"# : #","capture_mono_ns":"#)
            json.number(capture)
        }
        json.raw("}")
    }

    private mutating func append(hook: RecordingHeader.Hook) {
        json.raw(#"{"name":"#)
        json.string(hook.name)
        json.raw(#","status":"#)
        json.string(hook.status)
        json.member(#","detail":"#, hook.detail)
        if let reason = hook.reason {
            json.raw(#","reason":"#)
            json.boolean(reason)
        }
        json.raw("}")
    }

    private mutating func append(interface: RecordingHeader.Interface) {
        json.raw(#"{"name":"#)
        json.string(interface.name)
        json.raw(#","ifindex":"#)
        json.number(interface.ifindex)
        json.member(#","netns":"#, interface.netns)
        json.raw(#","addresses":["#)
        for (index, address) in interface.addresses.enumerated() {
            if index > 0 { json.raw(",") }
            json.address(address)
        }
        json.raw(#"],"captured":"#)
        json.boolean(interface.captured)
        json.raw("}")
    }

    /// A stack, once, before the first event that has its id.
    public mutating func append(stack id: Int, frames: [String]) {
        json.raw(#"{"type":"stack","id":"#)
        json.number(id)
        json.strings(#","frames":["#, frames)
        endLine()
    }

    /// A process, before the first event that names it.
    public mutating func append(process: ProcessRecord) {
        json.raw(#"{"type":"process","pid":"#)
        json.number(process.pid)
        json.raw(#","comm":"#)
        json.string(process.comm)
        json.member(#","uid":"#, process.uid)
        json.member(#","user":"#, process.user)
        json.member(#","exe":"#, process.exe)
        if let arguments = process.arguments {
            json.strings(#","args":["#, arguments)
            if process.argumentsAreCut { json.raw(#","args_cut":true"#) }
        }
        if let parent = process.parent {
            json.raw(#","parent":{"pid":"#)
            json.number(parent.pid)
            json.raw(#","comm":"#)
            json.string(parent.comm)
            json.raw("}")
        }
        endLine()
    }

    /// An `emit` or a `decide` line.
    public mutating func append(event: ResetEvent) {
        switch event.kind {
        case .emit:
            json.raw(#"{"type":"emit""#)
            if event.hook != ResetEvent.emitHook { append(hookName: event.hook) }
        case .decide:
            json.raw(#"{"type":"decide""#)
            append(hookName: event.hook)
        }
        json.raw(#","mono_ns":"#)
        json.number(event.monotonic)
        append(place: event)
        append(segment: event)
        json.member(#","reason":"#, event.reason)
        json.member(#","state":"#, event.state?.name)
        json.member(#","previous_state":"#, event.previousState?.name)
        if let trigger = event.trigger { append(trigger: trigger) }
        if let listener = event.listener { append(listener: listener) }
        if let ending = event.ending { append(ending: ending) }
        if let conntrack = event.conntrack { append(conntrack: conntrack) }
        json.member(#","stack":"#, event.stack)
        if let task = event.task { append(task: task) }
        if let socket = event.socket { append(socket: socket) }
        endLine()
    }

    private mutating func append(hookName: String) {
        json.raw(#","hook":"#)
        json.string(hookName)
    }

    private mutating func append(place event: ResetEvent) {
        json.member(#","cpu":"#, event.cpu)
        json.member(#","netns":"#, event.netns)
        json.member(#","ifindex":"#, event.ifindex)
        json.member(#","ifname":"#, event.ifname)
        if let skb = event.skb {
            json.raw(#","skb":"#)
            json.hexadecimal(skb)
        }
    }

    private mutating func append(segment event: ResetEvent) {
        json.raw(#","src":"#)
        json.address(event.tuple.source)
        json.raw(#","sport":"#)
        json.number(event.tuple.sourcePort)
        json.raw(#","dst":"#)
        json.address(event.tuple.destination)
        json.raw(#","dport":"#)
        json.number(event.tuple.destinationPort)
        json.member(#","seq":"#, event.seq)
        json.member(#","ack":"#, event.ack)
        if let flags = event.flags {
            json.raw(#","flags":"#)
            json.flags(flags)
        }
        json.member(#","window":"#, event.window)
        json.member(#","ip_id":"#, event.ipID)
        json.member(#","ttl":"#, event.ttl)
    }

    private mutating func append(trigger: ResetEvent.Trigger) {
        json.raw(#","trigger":{"flags":"#)
        json.flags(trigger.flags)
        json.raw(#","seq":"#)
        json.number(trigger.seq)
        json.raw(#","ack":"#)
        json.number(trigger.ack)
        json.raw(#","length":"#)
        json.number(trigger.length)
        json.raw("}")
    }

    private mutating func append(listener: ResetEvent.Listener) {
        json.raw(#","listener":{"pid":"#)
        json.number(listener.pid)
        json.raw(#","comm":"#)
        json.string(listener.comm)
        json.member(#","since_mono_ns":"#, listener.since)
        json.member(#","closed_mono_ns":"#, listener.closed)
        if let fits = listener.fits {
            json.raw(#","fits":"#)
            json.boolean(fits)
        }
        json.raw("}")
    }

    private mutating func append(owner: ResetEvent.Owner) {
        json.raw(#""owner":{"pid":"#)
        json.number(owner.pid)
        json.raw(#","comm":"#)
        json.string(owner.comm)
        json.member(#","holders":"#, owner.holders)
        json.raw("}")
    }

    private mutating func append(ending: ResetEvent.Ending) {
        json.raw(#","closed":{"how":"#)
        json.string(ending.how.rawValue)
        json.raw(#","mono_ns":"#)
        json.number(ending.monotonic)
        if let process = ending.process {
            json.raw(#","pid":"#)
            json.number(process.pid)
            json.raw(#","comm":"#)
            json.string(process.comm)
        }
        json.member(#","thread":"#, ending.thread)
        json.member(#","cgroup":"#, ending.cgroup)
        json.member(#","cgroup_path":"#, ending.cgroupPath)
        if let owner = ending.owner {
            json.raw(",")
            append(owner: owner)
        }
        json.member(#","state":"#, ending.state?.name)
        json.member(#","idle_ns":"#, ending.idle)
        json.member(#","signal":"#, ending.signal)
        json.member(#","errno":"#, ending.errno)
        json.member(#","unacknowledged":"#, ending.unacknowledged)
        json.member(#","user_timeout_ms":"#, ending.userTimeout)
        json.member(#","seq":"#, ending.seq)
        json.raw("}")
    }

    private mutating func append(task: ResetEvent.Task) {
        json.raw(#","task":{"pid":"#)
        json.number(task.pid)
        json.raw(#","tid":"#)
        json.number(task.tid)
        json.raw(#","uid":"#)
        json.number(task.uid)
        json.raw(#","comm":"#)
        json.string(task.comm)
        json.member(#","process":"#, task.process)
        switch task.context {
        case .process: json.raw(#","context":"process""#)
        case .softirq: json.raw(#","context":"softirq""#)
        case .hardirq: json.raw(#","context":"hardirq""#)
        case nil: break
        }
        json.member(#","cgroup":"#, task.cgroup)
        json.member(#","cgroup_path":"#, task.cgroupPath)
        json.raw("}")
    }

    private mutating func append(socket: ResetEvent.Socket) {
        json.raw(#","socket":{"#)
        // Every field is optional, so the first one written has no comma before it.
        var isFirst = true
        func separate(_ json: inout JSONWriter) {
            if !isFirst { json.raw(",") }
            isFirst = false
        }
        if let cookie = socket.cookie {
            separate(&json)
            json.raw(#""cookie":"#)
            json.number(cookie)
        }
        if let state = socket.state {
            separate(&json)
            json.raw(#""state":"#)
            json.string(state.name)
        }
        if let inode = socket.inode {
            separate(&json)
            json.raw(#""inode":"#)
            json.number(inode)
        }
        if let uid = socket.uid {
            separate(&json)
            json.raw(#""uid":"#)
            json.number(uid)
        }
        if let cgroup = socket.cgroup {
            separate(&json)
            json.raw(#""cgroup":"#)
            json.number(cgroup)
        }
        if let path = socket.cgroupPath {
            separate(&json)
            json.raw(#""cgroup_path":"#)
            json.string(path)
        }
        if let owner = socket.owner {
            separate(&json)
            append(owner: owner)
        }
        if let dead = socket.dead {
            separate(&json)
            json.raw(#""dead":"#)
            json.boolean(dead)
        }
        if let userTimeout = socket.userTimeout {
            separate(&json)
            json.raw(#""user_timeout_ms":"#)
            json.number(userTimeout)
        }
        if let linger2 = socket.linger2 {
            separate(&json)
            json.raw(#""linger2":"#)
            json.number(linger2)
        }
        if let linger = socket.linger {
            separate(&json)
            json.raw(#""linger":"#)
            json.boolean(linger)
        }
        if let queue = socket.acceptQueue {
            separate(&json)
            json.raw(#""queued":"#)
            json.number(queue.queued)
            json.raw(#","backlog":"#)
            json.number(queue.backlog)
        }
        json.raw("}")
    }

    /// A pair of clock readings taken while recording.
    public mutating func append(clock: ClockSample) {
        json.raw(#"{"type":"clock","mono_ns":"#)
        json.number(clock.monotonic)
        json.raw(#","realtime_ns":"#)
        json.number(clock.realtime)
        json.member(#","uncertainty_ns":"#, clock.uncertainty)
        json.member(#","step_ns":"#, clock.step)
        json.member(#","suspended_ns":"#, clock.suspended)
        endLine()
    }

    /// Events that were not recorded.
    public mutating func append(loss: Loss) {
        json.raw(#"{"type":"lost","mono_ns":"#)
        json.number(loss.monotonic)
        json.raw(#","where":"#)
        json.string(loss.place)
        json.raw(#","count":"#)
        json.number(loss.count)
        endLine()
    }

    /// The last line of a recording.
    public mutating func append(footer: RecordingFooter) {
        json.raw(#"{"type":"end","mono_ns":"#)
        json.number(footer.monotonic)
        json.raw(#","events":"#)
        json.number(footer.events)
        json.raw(#","lost":"#)
        json.number(footer.lost)
        json.raw(#","captured":"#)
        json.number(footer.captured)
        json.raw(#","kernel_dropped":"#)
        json.number(footer.kernelDropped)
        json.member(#","endings_lost":"#, footer.endingsLost)
        append(times: footer.until, #","until":"#)
        json.member(#","detail":"#, footer.failure)
        endLine()
    }

    private mutating func endLine() { json.raw("}\n") }
}

extension ResetEvent {
    /// The hook that every `emit` comes from unless its line says otherwise.
    public static let emitHook = "net_dev_queue"
    /// The hook that every `decide` comes from unless its line says otherwise.
    public static let decideHook = "tcp_send_reset"
    /// The functions whose entries tell of answers without a full socket, of which `tcp_send_reset` is silent up to 6.9.
    public static let entryHooks = ["tcp_v4_send_reset", "tcp_v6_send_reset"]
}

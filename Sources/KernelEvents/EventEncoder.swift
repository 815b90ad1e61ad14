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
        if let uncertainty = header.clock.uncertainty {
            json.raw(#","uncertainty_ns":"#)
            json.number(uncertainty)
        }
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
        if let netns = header.netns {
            json.raw(#","netns":"#)
            json.number(netns)
        }
        if let endings = header.endings {
            json.raw(#","endings":"#)
            json.number(endings)
        }
        if let scope = header.scope {
            json.raw(#","scope":"#)
            json.append(scope: scope)
        }
        if let obstacle = header.cgroupObstacle {
            json.raw(#","no_cgroups":"#)
            json.string(obstacle)
        }
        endLine()
    }

    private mutating func append(times: RecordingTimes?, _ key: StaticString) {
        guard let times else { return }
        json.raw(key)
        json.raw("{")
        if let hooks = times.hooks {
            json.raw(#""hooks_mono_ns":"#)
            json.number(hooks)
        }
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
        if let detail = hook.detail {
            json.raw(#","detail":"#)
            json.string(detail)
        }
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
        if let netns = interface.netns {
            json.raw(#","netns":"#)
            json.number(netns)
        }
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
        json.raw(#","frames":["#)
        for (index, frame) in frames.enumerated() {
            if index > 0 { json.raw(",") }
            json.string(frame)
        }
        json.raw("]")
        endLine()
    }

    /// A process, before the first event that names it.
    public mutating func append(process: ProcessRecord) {
        json.raw(#"{"type":"process","pid":"#)
        json.number(process.pid)
        json.raw(#","comm":"#)
        json.string(process.comm)
        if let uid = process.uid {
            json.raw(#","uid":"#)
            json.number(uid)
        }
        if let user = process.user {
            json.raw(#","user":"#)
            json.string(user)
        }
        if let exe = process.exe {
            json.raw(#","exe":"#)
            json.string(exe)
        }
        if let arguments = process.arguments {
            json.raw(#","args":["#)
            for (index, argument) in arguments.enumerated() {
                if index > 0 { json.raw(",") }
                json.string(argument)
            }
            json.raw("]")
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
        if let reason = event.reason {
            json.raw(#","reason":"#)
            json.string(reason)
        }
        if let state = event.state {
            json.raw(#","state":"#)
            json.string(state.name)
        }
        if let state = event.previousState {
            json.raw(#","previous_state":"#)
            json.string(state.name)
        }
        if let trigger = event.trigger { append(trigger: trigger) }
        if let listener = event.listener { append(listener: listener) }
        if let ending = event.ending { append(ending: ending) }
        if let conntrack = event.conntrack { append(conntrack: conntrack) }
        if let stack = event.stack {
            json.raw(#","stack":"#)
            json.number(stack)
        }
        if let task = event.task { append(task: task) }
        if let socket = event.socket { append(socket: socket) }
        endLine()
    }

    private mutating func append(hookName: String) {
        json.raw(#","hook":"#)
        json.string(hookName)
    }

    private mutating func append(place event: ResetEvent) {
        if let cpu = event.cpu {
            json.raw(#","cpu":"#)
            json.number(cpu)
        }
        if let netns = event.netns {
            json.raw(#","netns":"#)
            json.number(netns)
        }
        if let ifindex = event.ifindex {
            json.raw(#","ifindex":"#)
            json.number(ifindex)
        }
        if let ifname = event.ifname {
            json.raw(#","ifname":"#)
            json.string(ifname)
        }
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
        if let seq = event.seq {
            json.raw(#","seq":"#)
            json.number(seq)
        }
        if let ack = event.ack {
            json.raw(#","ack":"#)
            json.number(ack)
        }
        if let flags = event.flags {
            json.raw(#","flags":"#)
            json.flags(flags)
        }
        if let window = event.window {
            json.raw(#","window":"#)
            json.number(window)
        }
        if let ipID = event.ipID {
            json.raw(#","ip_id":"#)
            json.number(ipID)
        }
        if let ttl = event.ttl {
            json.raw(#","ttl":"#)
            json.number(ttl)
        }
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
        if let since = listener.since {
            json.raw(#","since_mono_ns":"#)
            json.number(since)
        }
        if let closed = listener.closed {
            json.raw(#","closed_mono_ns":"#)
            json.number(closed)
        }
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
        if let holders = owner.holders {
            json.raw(#","holders":"#)
            json.number(holders)
        }
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
        if let thread = ending.thread {
            json.raw(#","thread":"#)
            json.string(thread)
        }
        if let cgroup = ending.cgroup {
            json.raw(#","cgroup":"#)
            json.number(cgroup)
        }
        if let path = ending.cgroupPath {
            json.raw(#","cgroup_path":"#)
            json.string(path)
        }
        if let owner = ending.owner {
            json.raw(",")
            append(owner: owner)
        }
        if let state = ending.state {
            json.raw(#","state":"#)
            json.string(state.name)
        }
        if let idle = ending.idle {
            json.raw(#","idle_ns":"#)
            json.number(idle)
        }
        if let signal = ending.signal {
            json.raw(#","signal":"#)
            json.number(signal)
        }
        if let errno = ending.errno {
            json.raw(#","errno":"#)
            json.number(errno)
        }
        if let unacknowledged = ending.unacknowledged {
            json.raw(#","unacknowledged":"#)
            json.number(unacknowledged)
        }
        if let timeout = ending.userTimeout {
            json.raw(#","user_timeout_ms":"#)
            json.number(timeout)
        }
        if let seq = ending.seq {
            json.raw(#","seq":"#)
            json.number(seq)
        }
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
        if let process = task.process {
            json.raw(#","process":"#)
            json.string(process)
        }
        switch task.context {
        case .process: json.raw(#","context":"process""#)
        case .softirq: json.raw(#","context":"softirq""#)
        case .hardirq: json.raw(#","context":"hardirq""#)
        case nil: break
        }
        if let cgroup = task.cgroup {
            json.raw(#","cgroup":"#)
            json.number(cgroup)
        }
        if let path = task.cgroupPath {
            json.raw(#","cgroup_path":"#)
            json.string(path)
        }
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
        if let uncertainty = clock.uncertainty {
            json.raw(#","uncertainty_ns":"#)
            json.number(uncertainty)
        }
        if let step = clock.step {
            json.raw(#","step_ns":"#)
            json.number(step)
        }
        if let suspended = clock.suspended {
            json.raw(#","suspended_ns":"#)
            json.number(suspended)
        }
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
        if let forgotten = footer.endingsLost {
            json.raw(#","endings_lost":"#)
            json.number(forgotten)
        }
        append(times: footer.until, #","until":"#)
        if let failure = footer.failure {
            json.raw(#","detail":"#)
            json.string(failure)
        }
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

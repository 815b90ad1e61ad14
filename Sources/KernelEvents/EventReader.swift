import NetworkTypes

/// Reads the fields of `emit`, `decide`, `receive` and `fail` lines.
struct EventReader {
    /// One for each kind of object: `uid` is followed by something else in a task than in a socket.
    private var eventKeys = KeyOrder()
    private var taskKeys = KeyOrder()
    private var socketKeys = KeyOrder()
    private var ownerKeys = KeyOrder()
    private var triggerKeys = KeyOrder()
    private var listenerKeys = KeyOrder()
    private var endingKeys = KeyOrder()
    private var hooks = NameCache()
    private var interfaceNames = NameCache()
    private var commands = NameCache()
    private var reasons = NameCache()
    private var paths = NameCache()
    private var tasks = SharedValues<ResetEvent.Task>()
    private var owners = SharedValues<ResetEvent.Owner>()

    /// An event without any fields read yet.
    static func blank(_ kind: ResetEvent.Kind) -> ResetEvent {
        let hook =
            switch kind {
            case .emit: ResetEvent.emitHook
            case .decide: ResetEvent.decideHook
            case .receive: ResetEvent.receiveHook
            case .fail: ResetEvent.failHook
            }
        return ResetEvent(kind: kind, hook: hook, monotonic: 0, tuple: noTuple)
    }

    /// Reads an object into a blank event. The cursor stands before the opening brace.
    mutating func read(_ scanner: inout LineScanner, into event: inout ResetEvent) throws(LineProblem) {
        var monotonic: Int64?
        var source: IPAddress?
        var destination: IPAddress?
        var sourcePort: UInt16?
        var destinationPort: UInt16?
        var reception = ResetEvent.Reception()
        let isReceived = event.kind == .receive || event.kind == .fail
        var isKnownFate = event.kind == .fail
        try scanner.beginObject()
        var isFirst = true
        while let key = try scanner.nextKey(&isFirst, &eventKeys) {
            switch key {
            case .monoNs: monotonic = try scanner.nanoseconds()
            case .hook: if let hook = try scanner.string(from: &hooks) { event.hook = hook }
            case .cpu: event.cpu = try scanner.integer(from: 0)
            case .netns: event.netns = try scanner.integer()
            case .ifindex: event.ifindex = try scanner.integer(from: 0)
            case .ifname: event.ifname = try scanner.string(from: &interfaceNames)
            case .skb: event.skb = try scanner.hexadecimal()
            case .src: source = try scanner.address()
            case .sport: sourcePort = try scanner.integer()
            case .dst: destination = try scanner.address()
            case .dport: destinationPort = try scanner.integer()
            case .seq: event.seq = try scanner.integer()
            case .ack: event.ack = try scanner.integer()
            case .flags: event.flags = try scanner.flags()
            case .window: event.window = try scanner.integer()
            case .ipId: event.ipID = try scanner.integer()
            case .ttl: event.ttl = try scanner.integer()
            case .stack: event.stack = try scanner.stackID()
            case .task: event.sharedTask = try task(&scanner)
            case .socket: event.socket = try socket(&scanner)
            case .reason: event.reason = try scanner.string(from: &reasons)
            case .state: event.state = try scanner.state()
            case .previousState: event.previousState = try scanner.state()
            case .trigger: event.trigger = try trigger(&scanner)
            case .listener: event.listener = try listener(&scanner)
            case .closed: event.ending = try ending(&scanner)
            case .conntrack: event.conntrack = try scanner.conntrack()
            case .at where isReceived: reception.location = try scanner.string(from: &hooks)
            case .fate where event.kind == .receive:
                let fate = try scanner.string(from: &hooks).flatMap(ResetEvent.Reception.Fate.init)
                isKnownFate = fate != nil
                reception.fate = fate ?? .accepted
            case .errno where isReceived: reception.errno = try scanner.integer()
            case .waiting where isReceived:
                reception.wait = try scanner.string(from: &hooks).flatMap(ResetEvent.Reception.Wait.init)
            case .idleNs where isReceived: reception.idle = try scanner.nanoseconds()
            case .ageNs where isReceived: reception.age = try scanner.nanoseconds()
            case .unacknowledged where isReceived: reception.unacknowledged = try scanner.integer()
            case .unread where isReceived: reception.unread = try scanner.integer()
            default: try scanner.skipValue()
            }
        }
        // If it ended in a way that this version does not know, nothing can be said about it.
        if isReceived, isKnownFate { event.reception = reception }
        event.monotonic = try scanner.require(monotonic, "mono_ns is missing")
        event.tuple = FourTuple(
            source: try scanner.require(source, "src is missing"),
            sourcePort: try scanner.require(sourcePort, "sport is missing"),
            destination: try scanner.require(destination, "dst is missing"),
            destinationPort: try scanner.require(destinationPort, "dport is missing"))
    }

    private static let noTuple = FourTuple(
        source: IPAddress(high: 0, low: 0), sourcePort: 0, destination: IPAddress(high: 0, low: 0),
        destinationPort: 0)

    private mutating func task(_ scanner: inout LineScanner) throws(LineProblem) -> Shared<ResetEvent.Task>? {
        if try scanner.skipNull() { return nil }
        var pid: Int32?
        var tid: Int32?
        var uid: UInt32?
        var comm: String?
        var process: String?
        var context: ResetEvent.Task.Context?
        var cgroup: UInt64?
        var path: String?
        try scanner.beginObject()
        var isFirst = true
        while let key = try scanner.nextKey(&isFirst, &taskKeys) {
            switch key {
            case .pid: pid = try scanner.integer(from: 0)
            case .tid: tid = try scanner.integer(from: 0)
            case .uid: uid = try scanner.integer()
            case .comm: comm = try scanner.string(from: &commands)
            case .process: process = try scanner.string(from: &commands)
            case .context: context = try scanner.context()
            case .cgroup: cgroup = try scanner.integer()
            case .cgroupPath: path = try scanner.string(from: &paths)
            default: try scanner.skipValue()
            }
        }
        guard let pid = pid ?? tid else { return nil }
        var task = ResetEvent.Task(
            pid: pid, tid: tid ?? pid, uid: uid ?? ResetEvent.Task.unknownUID, comm: comm ?? "", context: context)
        task.process = process
        task.cgroup = cgroup
        task.cgroupPath = path
        return tasks.shared(task, number: task.tid)
    }

    private mutating func socket(_ scanner: inout LineScanner) throws(LineProblem) -> ResetEvent.Socket? {
        if try scanner.skipNull() { return nil }
        var socket = ResetEvent.Socket()
        var queued: UInt32?
        var backlog: UInt32?
        try scanner.beginObject()
        var isFirst = true
        while let key = try scanner.nextKey(&isFirst, &socketKeys) {
            switch key {
            case .cookie: socket.cookie = try scanner.integer()
            case .state: socket.state = try scanner.state()
            case .inode: socket.inode = try scanner.integer()
            case .uid: socket.uid = try scanner.integer()
            case .cgroup: socket.cgroup = try scanner.integer()
            case .cgroupPath: socket.cgroupPath = try scanner.string(from: &paths)
            case .owner: socket.sharedOwner = try owner(&scanner)
            case .dead: socket.dead = try scanner.boolean()
            case .userTimeoutMs: socket.userTimeout = try scanner.integer()
            case .linger2: socket.linger2 = try scanner.integer()
            case .linger: socket.linger = try scanner.boolean()
            case .queued: queued = try scanner.integer()
            case .backlog: backlog = try scanner.integer()
            default: try scanner.skipValue()
            }
        }
        if let queued, let backlog { socket.acceptQueue = ResetEvent.AcceptQueue(queued: queued, backlog: backlog) }
        return socket
    }

    private mutating func owner(_ scanner: inout LineScanner) throws(LineProblem) -> Shared<ResetEvent.Owner>? {
        if try scanner.skipNull() { return nil }
        var pid: Int32?
        var comm: String?
        var holders: Int32?
        try scanner.beginObject()
        var isFirst = true
        while let key = try scanner.nextKey(&isFirst, &ownerKeys) {
            switch key {
            case .pid: pid = try scanner.integer(from: 0)
            case .comm: comm = try scanner.string(from: &commands)
            case .holders: holders = try scanner.integer(from: 0)
            default: try scanner.skipValue()
            }
        }
        guard let pid else { return nil }
        return owners.shared(ResetEvent.Owner(pid: pid, comm: comm ?? "", holders: holders), number: pid)
    }

    private mutating func listener(_ scanner: inout LineScanner) throws(LineProblem) -> ResetEvent.Listener? {
        if try scanner.skipNull() { return nil }
        var pid: Int32?
        var comm: String?
        var since: Int64?
        var closed: Int64?
        var fits: Bool?
        try scanner.beginObject()
        var isFirst = true
        while let key = try scanner.nextKey(&isFirst, &listenerKeys) {
            switch key {
            case .pid: pid = try scanner.integer(from: 0)
            case .comm: comm = try scanner.string(from: &commands)
            case .sinceMonoNs: since = try scanner.nanoseconds()
            case .closedMonoNs: closed = try scanner.nanoseconds()
            case .fits: fits = try scanner.boolean()
            default: try scanner.skipValue()
            }
        }
        guard let pid else { return nil }
        return ResetEvent.Listener(pid: pid, comm: comm ?? "", since: since, closed: closed, fits: fits)
    }

    private mutating func ending(_ scanner: inout LineScanner) throws(LineProblem) -> ResetEvent.Ending? {
        if try scanner.skipNull() { return nil }
        var how: ResetEvent.Ending.How?
        var ending = ResetEvent.Ending(how: .close, monotonic: 0)
        var monotonic: Int64?
        var pid: Int32?
        var comm: String?
        try scanner.beginObject()
        var isFirst = true
        while let key = try scanner.nextKey(&isFirst, &endingKeys) {
            switch key {
            case .how: how = try scanner.string(from: &hooks).flatMap(ResetEvent.Ending.How.init)
            case .monoNs: monotonic = try scanner.nanoseconds()
            case .pid: pid = try scanner.integer(from: 0)
            case .comm: comm = try scanner.string(from: &commands)
            case .thread: ending.thread = try scanner.string(from: &commands)
            case .cgroup: ending.cgroup = try scanner.integer()
            case .cgroupPath: ending.cgroupPath = try scanner.string(from: &paths)
            case .owner: ending.owner = try owner(&scanner)?.value
            case .state: ending.state = try scanner.state()
            case .idleNs: ending.idle = try scanner.nanoseconds()
            case .signal: ending.signal = try scanner.integer()
            case .errno: ending.errno = try scanner.integer()
            case .unacknowledged: ending.unacknowledged = try scanner.integer()
            case .userTimeoutMs: ending.userTimeout = try scanner.integer()
            case .seq: ending.seq = try scanner.integer()
            default: try scanner.skipValue()
            }
        }
        // Nothing can be said about a way that this version does not know.
        guard let how, let monotonic else { return nil }
        ending.how = how
        ending.monotonic = monotonic
        ending.process = pid.map { ResetEvent.Owner(pid: $0, comm: comm ?? "") }
        return ending
    }

    private mutating func trigger(_ scanner: inout LineScanner) throws(LineProblem) -> ResetEvent.Trigger? {
        if try scanner.skipNull() { return nil }
        var flags: TCPFlags?
        var seq: UInt32?
        var ack: UInt32?
        var length: UInt32?
        try scanner.beginObject()
        var isFirst = true
        while let key = try scanner.nextKey(&isFirst, &triggerKeys) {
            switch key {
            case .flags: flags = try scanner.flags()
            case .seq: seq = try scanner.integer()
            case .ack: ack = try scanner.integer()
            case .length: length = try scanner.integer()
            default: try scanner.skipValue()
            }
        }
        // Half a trigger would be taken for a segment with those fields zero.
        guard let flags, let seq, let ack, let length else { return nil }
        return ResetEvent.Trigger(flags: flags, seq: seq, ack: ack, length: length)
    }
}

extension ResetEvent.Task {
    /// The uid of a task whose uid was not recorded: the kernel's INVALID_UID, which no task can have.
    public static let unknownUID = UInt32.max
}

extension LineScanner {
    @inline(__always)
    func require<Value>(_ value: Value?, _ problem: StaticString) throws(LineProblem) -> Value {
        guard let value else { throw LineProblem(problem, at: position) }
        return value
    }

    @inline(__always)
    mutating func stackID() throws(LineProblem) -> Int? {
        try integer(Int.self, from: 0, upTo: Int(Int32.max))
    }

    /// Nil also for a context that this version does not know.
    fileprivate mutating func context() throws(LineProblem) -> ResetEvent.Task.Context? {
        if try skipNull() { return nil }
        let range = try text().range
        switch word(at: range, 0) {
        case 0x0073_7365_636f_7270 where range.count == 7: return .process
        case 0x0071_7269_7466_6f73 where range.count == 7: return .softirq
        case 0x0071_7269_6472_6168 where range.count == 7: return .hardirq
        default: return nil
        }
    }
}

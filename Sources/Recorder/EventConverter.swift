import CLibBPF
import Glibc
import KernelEvents
import NetworkTypes

/// Turns the kernel's records into lines of events.jsonl.
struct EventConverter {
    private(set) var encoder = EventEncoder()
    private var stacks = RecordedStacks()
    /// Numbers of stacks that the file has.
    private var stacksWritten: Set<Int> = []
    private var rulesets = LatestRulesets()
    private var symbols: LiveSymbols
    /// The name of a reason number on this kernel.
    private let reasonName: (UInt32) -> String?
    /// The name of a number for why a packet was dropped.
    private let dropReasonName: (UInt32) -> String?
    private var holders: SocketHolders
    private var groups = ControlGroups()
    private var arrived: [Int32] = []
    private var readers = OpenFileReaders()
    /// Containers that were asked for since the file was begun.
    private var asked: Set<ContainerQuestion> = []
    private var processes: ProcessTable
    /// The reading of all sockets whose processes were looked at.
    private var readingSeen = 0
    /// Made on the thread that reads events.
    private lazy var endings = EndingConverter()
    /// The kernel does not tell of decisions without a full socket: what left has to say how the connection had ended.
    private let tellsEndingsOfSegments: Bool
    private var tracking: ConntrackConverter
    private(set) var events = 0
    /// Where the lines of the latest events end, in bytes of what has not been handed out.
    private var eventEnds: [Int] = []
    private var receptions: ReceptionQueue
    /// By the functions of the kernel itself that wake those who wait.
    private var waits: [UInt64: ResetEvent.Reception.Wait?] = [:]
    /// Network namespaces in which a firewall rejected something since they were last asked for.
    private var rejecting = Rejecting()

    init(
        symbols: LiveSymbols, reasonName: @escaping (UInt32) -> String?,
        dropReasonName: @escaping (UInt32) -> String? = { _ in nil }, tellsEndingsOfSegments: Bool = false,
        keepsArguments: Bool = true, reportsDecisions: Bool = true, holders: @escaping () -> SocketHolders.Table,
        finder: NamespaceFinder = NamespaceFinder(known: [])
    ) {
        receptions = ReceptionQueue(reportsDecisions: reportsDecisions)
        tracking = ConntrackConverter(finder: finder)
        self.holders = SocketHolders(read: holders) { clockNanoseconds(CLOCK_MONOTONIC) }
        self.tellsEndingsOfSegments = tellsEndingsOfSegments
        processes = ProcessTable(keepsArguments: keepsArguments)
        self.symbols = symbols
        self.reasonName = reasonName
        self.dropReasonName = dropReasonName
    }

    /// Lets go of what it has open.
    mutating func close() {
        groups.close()
        tracking.close()
    }

    /// Why cgroups have no names; nil if they have.
    var cgroupObstacle: String? { groups.obstacle }

    var hasSymbols: Bool { !symbols.isEmpty }

    /// Hands out the lines written so far, and forgets them.
    mutating func takeLines(_ body: ([UInt8]) throws(RecorderError) -> Void) throws(RecorderError) {
        guard !encoder.isEmpty else { return }
        try body(encoder.copy())
        dropLines()
    }

    /// Forgets lines that could not be handed out.
    mutating func dropLines() {
        encoder.removeAll()
        eventEnds.removeAll(keepingCapacity: true)
    }

    /// How many events are in the file if only so many bytes of the lines that were to be handed out came to it.
    func events(within bytes: Int) -> Int { events - eventEnds.count { $0 > bytes } }

    mutating func append(header: RecordingHeader) { encoder.append(header: header) }
    mutating func append(clock: ClockSample) { encoder.append(clock: clock) }
    mutating func append(loss: Loss) { encoder.append(loss: loss) }
    mutating func append(interface change: InterfaceChange) { encoder.append(interface: change) }

    mutating func append(ruleset: Ruleset) {
        encoder.append(ruleset: ruleset)
        rulesets.note(ruleset)
    }

    /// Begins another file, complete in itself: what earlier files said is said again when it is needed.
    mutating func beginFile(_ header: RecordingHeader) {
        encoder.append(header: header)
        stacksWritten = []
        groups.beginFile()
        asked = []
        processes.forgetRecords()
        for ruleset in rulesets.all { encoder.append(ruleset: ruleset) }
    }

    mutating func append(container: ContainerRecord) { encoder.append(container: container) }

    /// Containers that events have named since this was asked the last time, each once in a file.
    mutating func takeContainers() -> [ContainerQuestion] {
        groups.takeFresh().compactMap { path in
            guard let question = ContainerQuestion(cgroup: path) else { return nil }
            if asked.count >= Self.keptQuestions { asked = [] }
            return asked.insert(question).inserted ? question : nil
        }
    }

    private static let keptQuestions = 16_384

    mutating func takeRejecting() -> Rejecting {
        defer { rejecting = Rejecting() }
        return rejecting
    }
    mutating func append(footer: RecordingFooter) { encoder.append(footer: footer) }

    mutating func append(_ record: UnsafePointer<rst_event>) {
        for held in receptions.settle(by: record) { write(held) }
        guard let kind = ResetEvent.Kind(record) else { return }
        var event = ResetEvent(
            kind: kind, hook: record.pointee.hook, monotonic: Int64(clamping: record.pointee.mono_ns),
            tuple: record.pointee.tuple)
        event.cpu = Int32(clamping: record.pointee.cpu)
        event.netns = record.pointee.netns == 0 ? nil : record.pointee.netns
        if record.pointee.ifindex != 0 {
            event.ifindex = record.pointee.ifindex
            event.ifname = String(kernelArray: record.pointee.ifname)
        }
        event.skb = record.pointee.skb == 0 ? nil : record.pointee.skb
        if record.pointee.has(RST_HAS_SEGMENT) {
            event.seq = record.pointee.seq
            event.ack = record.pointee.ack
            event.flags = TCPFlags(rawValue: record.pointee.flags)
        }
        if event.kind == .emit || record.pointee.isIgnored {
            event.window = record.pointee.window
            event.ttl = record.pointee.ttl
            if record.pointee.ip_version == 4 { event.ipID = record.pointee.ip_id }
        }
        // Before the stack, whose names may take long to find: the process may not have the socket much longer.
        setSocket(of: &event, from: record)
        let frames = stacks.stack(of: record, &symbols)
        event.stack = frames?.id
        if let rejects = frames?.content.rejects, let netns = event.netns {
            rejecting.all.insert(netns)
            if rejects == .legacy { rejecting.legacy.insert(netns) }
        }
        if record.pointee.isOfOwner, frames?.content.context != .process, record.pointee.has(RST_HAS_TCP_SOCKET) {
            // It was only the owner's turn on the processor.
            event.socket?.owner = holder(of: record)
        }
        if event.kind == .emit || event.kind == .decide,
            frames?.content.releasesFile != true || !isOfReader(record, owner: event.socket?.owner)
        {
            event.task = task(record, context: frames?.content.context, socket: event.socket)
        }
        if record.pointee.has(RST_HAS_LISTENER) {
            event.listener = ResetEvent.Listener(
                pid: Int32(bitPattern: record.pointee.owner_pid), comm: String(kernelArray: record.pointee.owner_comm),
                since: record.pointee.owner_since_ns == 0 ? nil : Int64(clamping: record.pointee.owner_since_ns),
                closed: record.pointee.closed_ns == 0 ? nil : Int64(clamping: record.pointee.closed_ns),
                fits: record.pointee.listener_fits != 0)
        }
        if record.pointee.has(RST_HAS_ENDING), event.kind != .emit || tellsEndingsOfSegments {
            event.ending = ending(record.pointee.ending)
        }
        if record.pointee.has(RST_HAS_REASON) {
            let name =
                record.pointee.isIgnored ? dropReasonName(record.pointee.reason) : reasonName(record.pointee.reason)
            event.reason = name ?? "REASON_\(record.pointee.reason)"
        }
        if record.pointee.has(RST_HAS_TRIGGER) {
            event.trigger = ResetEvent.Trigger(
                flags: TCPFlags(rawValue: record.pointee.trigger_flags), seq: record.pointee.trigger_seq,
                ack: record.pointee.trigger_ack,
                length: record.pointee.trigger_length)
        }
        if event.kind == .decide { event.conntrack = tracking.conntrack(of: event, record, &symbols) }
        if record.pointee.isIgnored {
            var reception = ResetEvent.Reception()
            reception.fate = .ignored
            reception.location = symbols.names([record.pointee.ignored.location]).first
            event.reception = reception
        } else if event.kind == .receive || event.kind == .fail {
            receive(&event, from: record)
            if event.kind == .receive, receptions.hold(event, record) { return }
        }
        write(event, frames, from: record)
    }

    private mutating func write(_ held: ReceptionQueue.Held) {
        withUnsafePointer(to: held.record) { write(held.event, nil, from: $0) }
    }

    private mutating func write(
        _ event: ResetEvent, _ stack: RecordedStacks.Stack?, from record: UnsafePointer<rst_event>
    ) {
        if let stack, stacksWritten.insert(stack.id).inserted {
            encoder.append(stack: stack.id, frames: stack.content.frames)
        }
        noteProcesses(of: event, from: record)
        encoder.append(event: event)
        events += 1
        eventEnds.append(encoder.count)
    }

    /// Writes the RSTs that may have been something else, and were not.
    ///
    /// - Parameter time: CLOCK_MONOTONIC in nanoseconds; whatever is older has been told.
    mutating func settleReceptions(until time: Int64) {
        for held in receptions.settle(until: time) { write(held) }
    }

    private mutating func receive(_ event: inout ResetEvent, from record: UnsafePointer<rst_event>) {
        let state = event.state
        // In SYN_SENT nothing has come yet, and a RST is known by what it acknowledges.
        event.seq = state == .synSent ? nil : record.pointee.seq
        event.ack = state == .synSent ? record.pointee.ack : nil
        let waiters = record.pointee.received.waiters
        let waits = (wait(wokenBy: waiters.0.function), wait(wokenBy: waiters.1.function))
        let (reception, waiter) = endings.reception(record, waits)
        event.reception = reception
        if let waiter {
            let holders = event.socket?.owner?.holders
            event.socket?.owner = ResetEvent.Owner(pid: waiter.pid, comm: waiter.comm, holders: holders)
        }
    }

    /// How somebody waits who is woken by the function at that address; nil for one that is not known.
    private mutating func wait(wokenBy function: UInt64) -> ResetEvent.Reception.Wait? {
        guard function != 0 else { return nil }
        if let known = waits[function] { return known }
        let wait = ResetEvent.Reception.Wait(wakingFunction: symbols.names([function])[0])
        // A module's address may be another's later.
        if symbols.isFixed(function), waits.count < Self.mostWaits { waits[function] = wait }
        return wait
    }

    private static let mostWaits = 64

    /// What is known of the processes that have sockets, before one of them is gone.
    mutating func seeHolders() {
        guard readingSeen != holders.readings else { return }
        readingSeen = holders.readings
        for holder in holders.table.values.joined()
        where processes.see(holder.pid, holder.comm, start: holder.start) && arrived.count < Self.keptQuestions {
            arrived.append(holder.pid)
        }
    }

    /// Processes that were found to have sockets since this was asked the last time.
    mutating func takeArrived() -> [Int32] {
        defer { arrived = [] }
        return arrived
    }

    /// Writes lines about the processes that an event names, where there are none yet.
    private mutating func noteProcesses(of event: ResetEvent, from record: UnsafePointer<rst_event>) {
        seeHolders()
        func note(_ process: ResetEvent.Owner?, start: UInt64?, uid: UInt32?, parent: ResetEvent.Owner? = nil) {
            guard let process, process.pid > 0 else { return }
            if let line = processes.record(process, start: start, uid: uid, parent: parent) {
                encoder.append(process: line)
            }
        }
        if let task = event.task, task.context == .process {
            note(
                ResetEvent.Owner(pid: task.pid, comm: task.process ?? task.comm), start: record.pointee.start_ns,
                uid: task.uid,
                parent: Self.parent(record.pointee.parent_pid, record.pointee.parent_comm))
        }
        if let ending = event.ending, let process = ending.process {
            let by = record.pointee.ending.by
            note(process, start: by.start_ns, uid: by.uid, parent: Self.parent(by.parent_pid, by.parent_comm))
        }
        for owner in [
            event.socket?.owner, event.ending?.owner,
            event.listener.map { ResetEvent.Owner(pid: $0.pid, comm: $0.comm) },
        ] {
            guard let owner else { continue }
            if UInt32(bitPattern: owner.pid) == record.pointee.owner_pid {
                note(owner, start: record.pointee.owner_start_ns, uid: record.pointee.owner_uid)
            } else if let waiter = record.pointee.waiter(owner.pid) {
                note(owner, start: waiter.start_ns, uid: waiter.uid)
            } else if UInt32(bitPattern: owner.pid) == record.pointee.ending.owner_pid {
                note(owner, start: record.pointee.ending.owner_start_ns, uid: record.pointee.ending.owner_uid)
            } else {
                note(owner, start: nil, uid: nil)
            }
        }
    }

    private static func parent<Name>(_ pid: UInt32, _ comm: Name) -> ResetEvent.Owner? {
        pid == 0 ? nil : ResetEvent.Owner(pid: Int32(bitPattern: pid), comm: String(kernelArray: comm))
    }

    /// Who reads all open files may be the last to hold one, and is not who closed it.
    private mutating func isOfReader(_ record: UnsafePointer<rst_event>, owner: ResetEvent.Owner?) -> Bool {
        let pid = Int32(bitPattern: record.pointee.pid)
        if pid == ownProcess { return true }
        return pid != owner?.pid
            && readers.includes(
                pid, start: record.pointee.start_ns, comm: String(kernelArray: record.pointee.leader_comm))
    }

    private let ownProcess = getpid()

    private mutating func task(
        _ record: UnsafePointer<rst_event>, context: ResetEvent.Task.Context?, socket: ResetEvent.Socket?
    ) -> ResetEvent.Task {
        var task = ResetEvent.Task(
            pid: Int32(bitPattern: record.pointee.pid), tid: Int32(bitPattern: record.pointee.tid),
            uid: record.pointee.uid,
            comm: String(kernelArray: record.pointee.comm), context: context)
        let leader =
            record.pointee.has(RST_HAS_EXECUTED)
            ? String(kernelArray: record.pointee.owner_comm) : String(kernelArray: record.pointee.leader_comm)
        task.process = leader == task.comm || leader.isEmpty ? nil : leader
        // Where a bystander lives is nobody's concern.
        guard context == .process else { return task }
        task.cgroup = record.pointee.task_cgroup == 0 ? nil : record.pointee.task_cgroup
        let path = cgroupPath(id: record.pointee.task_cgroup, process: task.pid)
        task.cgroupPath = path == socket?.cgroupPath ? nil : path
        return task
    }

    private mutating func ending(_ record: rst_ending) -> ResetEvent.Ending? {
        guard var ending = endings.ending(record) else { return nil }
        if let process = ending.process {
            ending.cgroupPath = cgroupPath(id: ending.cgroup ?? 0, process: process.pid)
        }
        return ending
    }

    /// Where cgroup v2 has everything in its root, the services and containers are in cgroup v1.
    private mutating func cgroupPath(id: UInt64, process: Int32?) -> String? {
        let path = groups.path(id: id)
        guard path == nil || path == "/", let process else { return path }
        return groups.path(process: process) ?? path
    }

    private func remembered(_ record: UnsafePointer<rst_event>) -> ResetEvent.Owner? {
        guard record.pointee.has(RST_HAS_OWNER) else { return nil }
        return ResetEvent.Owner(
            pid: Int32(bitPattern: record.pointee.owner_pid), comm: String(kernelArray: record.pointee.owner_comm))
    }

    /// Who has the socket open, or else who is remembered.
    private mutating func holder(of record: UnsafePointer<rst_event>) -> ResetEvent.Owner? {
        // Nobody has a socket without a file.
        guard record.pointee.inode != 0 else { return remembered(record) }
        return holders.owner(inode: record.pointee.inode, remembered: remembered(record))
    }

    private mutating func setSocket(of event: inout ResetEvent, from record: UnsafePointer<rst_event>) {
        let state = TCPState(rawValue: record.pointee.state)
        if event.kind != .emit, record.pointee.has(RST_HAS_STATE) { event.state = state }
        if event.kind == .decide, record.pointee.has(RST_HAS_PREVIOUS_STATE) {
            event.previousState = TCPState(rawValue: record.pointee.previous_state)
        }
        var socket = ResetEvent.Socket()
        if record.pointee.has(RST_HAS_SOCKET) {
            socket.cookie = record.pointee.cookie == 0 ? nil : record.pointee.cookie
            socket.state = record.pointee.has(RST_HAS_TCP_SOCKET) ? state : nil
            socket.inode = record.pointee.inode == 0 ? nil : record.pointee.inode
            socket.uid = record.pointee.sock_uid
            socket.cgroup = record.pointee.cgroup == 0 ? nil : record.pointee.cgroup
            socket.dead = record.pointee.dead != 0
        }
        if record.pointee.has(RST_HAS_TCP_SOCKET) {
            socket.userTimeout = record.pointee.user_timeout_ms
            socket.linger2 = record.pointee.linger2
            socket.linger = record.pointee.linger != 0
            if state == .listen {
                socket.acceptQueue = ResetEvent.AcceptQueue(
                    queued: record.pointee.accept_queue, backlog: record.pointee.accept_queue_limit)
            }
        }
        guard record.pointee.has(RST_HAS_SOCKET) else { return }
        // A program that closes its own socket has it no more.
        if record.pointee.has(RST_HAS_TCP_SOCKET) {
            socket.owner = record.pointee.isOfOwner ? remembered(record) : holder(of: record)
        }
        socket.cgroupPath = cgroupPath(id: record.pointee.cgroup, process: socket.owner?.pid)
        event.socket = socket
    }
}

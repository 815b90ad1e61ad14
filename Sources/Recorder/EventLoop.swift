import CLibBPF
import Glibc
import HostFiles
import KernelEvents
import NetworkTypes

/// Writes the kernel's events into events.jsonl. The thread that runs it owns it meanwhile (`OwnedThread`).
final class EventLoop {
    private let file: OutputFile
    private var watch: FileWatch
    private var programs: OpaquePointer?
    private var converter: EventConverter
    private let stopping: StopFlag
    private(set) var failure: String?
    private(set) var lost = 0
    /// Events whose lines were handed to the file, or to one before it.
    private var written = 0
    /// How many there were when the file was begun, and how many had been lost.
    private var before = (events: 0, lost: 0)
    /// Events that were in files that are gone.
    private(set) var deletedEvents = 0
    private let bulletin: Bulletin
    private var header = RecordingHeader()
    private let series: FileSeries?
    /// Of a series, the number of the file.
    private var number: Int
    /// When the last event happened that was taken from the ring.
    private var lastEvent: Int64 = 0
    private var lastClock: Int64 = 0
    private var clocks = ClockWatch()
    /// Of both clocks before the first hook was attached.
    let firstClock: ClockSample
    /// When all hooks were attached, CLOCK_MONOTONIC in nanoseconds.
    private(set) var attached: Int64 = 0
    /// When the first of them was about to be detached; nil before.
    private(set) var detached: Int64?
    /// Records taken from the ring.
    private var received: UInt64 = 0

    /// How often the clocks are compared, nanoseconds.
    private static let clockInterval: Int64 = 1_000_000_000
    private static let pollTimeout: Int32 = 100
    /// How long records may gather in the ring, microseconds: one look for many costs a fraction of one look for each.
    private static let pause: UInt32 = 20_000
    /// After so many records in one go, an eighth of what the ring holds, it may fill up during a pause.
    private let most: UInt64

    /// Loads and attaches the BPF programs.
    ///
    /// - Parameters:
    ///   - stopping: set when the recording is to end.
    init(_ options: RecorderOptions, until stopping: StopFlag, _ bulletin: Bulletin) throws(RecorderError) {
        self.stopping = stopping
        self.bulletin = bulletin
        firstClock = clocks.last
        most = UInt64(options.ringBuffer) / UInt64(MemoryLayout<rst_event>.size) / 8
        file = try OutputFile(options.events, of: options.owner, compresses: options.compressesEvents, until: stopping)
        watch = FileWatch(file)
        series = options.series
        number = options.series?.current ?? 0
        converter = EventConverter(
            symbols: LiveSymbols(kallsyms: { [] }, modules: { [] }), reasonName: { _ in nil }, holders: { [:] })
        var error: Int32 = 0
        var message = [CChar](repeating: 0, count: Int(RSTBPF_MESSAGE_LENGTH))
        let context = Unmanaged.passUnretained(self).toOpaque()
        var scope = try rst_scope(options.scope)
        let opened = rstbpf_open(
            options.ringBuffer, options.optionalHooks, options.ignoredResets, &scope,
            { context, event in
                guard let context, let event else { return }
                let loop = Unmanaged<EventLoop>.fromOpaque(context).takeUnretainedValue()
                loop.received += 1
                loop.lastEvent = Int64(clamping: event.pointee.mono_ns)
                loop.converter.append(event)
            }, context, &error, &message)
        guard let opened else { throw RecorderError.noHooks(reason: Self.text(message)) }
        programs = opened
        converter.close()
        // What takes long comes before the hooks are there: the names of the programs' own functions are known by now.
        let symbols = LiveSymbols(
            kallsyms: { readFile("/proc/kallsyms") }, modules: { readFile("/proc/modules") })
        guard rstbpf_attach(opened, &message) == 0 else { throw RecorderError.noHooks(reason: Self.text(message)) }
        attached = clockNanoseconds(CLOCK_MONOTONIC)
        let hooks = Self.hooks(opened)
        let reportsSocketlessResets = hooks.contains { hook in
            hook.status == "attached" && (hook.reason == true || ResetEvent.entryHooks.contains(hook.name))
        }
        converter = EventConverter(
            symbols: symbols,
            reasonName: { rstbpf_reason_name(opened, $0).map { String(cString: $0) } },
            dropReasonName: { rstbpf_drop_reason_name(opened, $0).map { String(cString: $0) } },
            tellsEndingsOfSegments: !reportsSocketlessResets, keepsArguments: options.arguments,
            reportsDecisions: hooks.contains { $0.name == ResetEvent.decideHook && $0.status == "attached" },
            holders: { Self.holders(opened) },
            finder: NamespaceFinder(
                known: [NetworkNamespace.current] + options.interfaces.compactMap { $0.namespace?.path }))
    }

    /// Reads what /proc says of the processes that have sockets, while they are there.
    func seeProcesses() { converter.seeHolders() }

    private static func text(_ message: [CChar]) -> String {
        String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    deinit {
        converter.close()
        rstbpf_close(programs)
        clocks.close()
    }

    /// Which process has which TCP socket open at the moment.
    private static func holders(_ programs: OpaquePointer) -> SocketHolders.Table {
        var table: SocketHolders.Table = [:]
        withUnsafeMutablePointer(to: &table) { table in
            _ = rstbpf_holders(
                programs,
                { table, holder in
                    guard let table, let holder = holder?.pointee else { return }
                    let name = String(kernelArray: holder.comm)
                    table.assumingMemoryBound(to: SocketHolders.Table.self).pointee[holder.inode, default: []].append(
                        SocketHolders.Holder(
                            pid: Int32(bitPattern: holder.pid), comm: name, start: holder.start_ns))
                }, table)
        }
        return table
    }

    /// Events that are in the recording.
    var events: Int { (failure == nil ? converter.events : written) - deletedEvents }

    /// What the user should know before anything is recorded.
    var warnings: [String] {
        [
            HostChecks.hooks(hooks, problem: nil), HostChecks.cgroups(obstacle: converter.cgroupObstacle),
            HostChecks.kernelSymbols(areShown: converter.hasSymbols, restriction: nil),
        ].filter { $0.state != .ok }.map(\.message)
    }

    /// Why cgroups, and so containers and units, have no names; nil if they have.
    var cgroupObstacle: String? { converter.cgroupObstacle }

    var hooks: [RecordingHeader.Hook] { Self.hooks(programs) }

    static func hooks(_ programs: OpaquePointer?) -> [RecordingHeader.Hook] {
        (0..<Int32(RSTBPF_HOOKS)).compactMap { index -> RecordingHeader.Hook? in
            guard let hook = rstbpf_hook(programs, index)?.pointee, !hook.unneeded else { return nil }
            let name = String(cString: hook.name)
            let detail = withUnsafeBytes(of: hook.detail) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            return RecordingHeader.Hook(
                name: name, status: hook.attached ? "attached" : "failed", detail: detail.isEmpty ? nil : detail,
                reason: name == ResetEvent.decideHook ? hook.reason : nil)
        }
    }

    /// Writes the beginning of the file, which is not in place yet.
    func write(header: RecordingHeader) throws(RecorderError) {
        var header = header
        header.series = series.map { RecordingHeader.Series(id: $0.id, number: number, follows: false) }
        self.header = header
        converter.append(header: header)
        lastClock = header.clock.monotonic
        try flush()
    }

    /// Gives the file its name.
    func commit() throws(RecorderError) { try file.commit() }

    /// Where the file is by now.
    var path: String { watch.path }

    func run() {
        do {
            while !stopping.isSet {
                wait()
                let before = received
                rstbpf_drain(programs)
                try afterPoll()
                if received != before, received - before < most { usleep(Self.pause) }
            }
            detach()
            try drain()
        } catch {
            failure = "\(error)"
            detach()
            noteLosses(clockNanoseconds(CLOCK_MONOTONIC))
            converter.settleReceptions(until: .max)
            lost += unread + converter.events - written
            bulletin.wantsToStop()
        }
    }

    /// For events, or for the clock to be set.
    private func wait() {
        var descriptors = [rstbpf_descriptor(programs), clocks.descriptor].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        poll(&descriptors, nfds_t(descriptors.count), Self.pollTimeout)
    }

    private func detach() {
        detached = clockNanoseconds(CLOCK_MONOTONIC)
        rstbpf_detach(programs)
    }

    /// Records that the hooks put into the ring and nobody has taken yet; 0 if the kernel does not tell.
    private var unread: Int {
        var counts = rstbpf_counts()
        guard rstbpf_count(programs, &counts) == 0, counts.reserved > received else { return 0 }
        return Int(clamping: counts.reserved - received)
    }

    /// Reads the rules of firewalls; set before the thread starts.
    var rules: RulesetWatch?

    /// Asks for the names of containers; set before the thread starts, nil if they are not wanted.
    var containers: ContainerNames?

    /// Writes what was answered meanwhile.
    func writeAnswers() throws(RecorderError) {
        for ruleset in rules?.take() ?? [] { converter.append(ruleset: ruleset) }
        for container in containers?.take() ?? [] { converter.append(container: container) }
        try flush()
    }

    private func askForContainers() {
        let questions = converter.takeContainers()
        let arrived = converter.takeArrived()
        guard let containers else { return }
        if !questions.isEmpty || !arrived.isEmpty { containers.note(questions, arrived: arrived) }
        for container in containers.take() { converter.append(container: container) }
    }

    private func afterPoll() throws(RecorderError) {
        let step = clocks.look()
        if let step {
            if step.before.monotonic > lastClock { converter.append(clock: step.before) }
            converter.append(clock: step.after)
            lastClock = step.after.monotonic
        }
        let now = clocks.last.monotonic
        converter.settleReceptions(until: now)
        if let rules {
            for ruleset in rules.take() { converter.append(ruleset: ruleset) }
            let rejecting = converter.takeRejecting()
            if !rejecting.all.isEmpty { rules.note(rejecting) }
        }
        askForContainers()
        if now - lastClock >= Self.clockInterval {
            converter.append(clock: clocks.last)
            lastClock = now
            noteLosses(now)
        }
        noteChanges()
        try flush()
        if watch.isDue(now) { try lookAfterFile() }
        try goOnIfDue(now)
    }

    /// Completes the file and begins the next one of a series.
    private func goOnIfDue(_ now: Int64) throws(RecorderError) {
        guard let series, detached == nil, let next = series.next(after: number, size: file.size, now: now) else {
            return
        }
        noteLosses(now)
        try flush()
        try lookAfterFile()
        var footer = RecordingFooter(monotonic: now, events: 0, lost: 0, captured: 0, kernelDropped: 0)
        // What is still in the ring buffer goes into the next file.
        footer.until = RecordingTimes(
            hooks: (unread == 0 ? now : lastEvent) - Self.overlap, capture: now - Self.overlap)
        try write(footer: footer)
        try file.goOn(to: series.path(.events, next))
        watch.startAgain()
        before = (written, lost)
        header.since = RecordingTimes(hooks: now, capture: now + Self.overlap)
        header.series = RecordingHeader.Series(id: series.id, number: next, follows: true)
        beginFile()
        try flush()
        let completed = number
        number = next
        series.complete(.events, completed, now: now)
    }

    /// Nanoseconds around a change of files of which neither of both says that it has everything.
    private static let overlap: Int64 = 1_000_000_000

    private func beginFile() {
        header.clock = clocks.last
        header.started = UTCTime(nanoseconds: clocks.last.realtime).description
        lastClock = max(lastClock, clocks.last.monotonic)
        converter.beginFile(header)
    }

    /// Says what the capture has noted.
    private func noteChanges() {
        for change in bulletin.take() { converter.append(interface: change) }
    }

    /// A file that was deleted or truncated is begun anew: what was in it is lost.
    private func lookAfterFile() throws(RecorderError) {
        guard let message = watch.look() else { return }
        guard watch.isGone else { return bulletin.tell(message) }
        let count = converter.events - before.events
        try file.beginAgain()
        bulletin.tell("\(message), with \(count) events: recording goes on in a new file")
        let now = clockNanoseconds(CLOCK_MONOTONIC)
        written = converter.events
        before = (written, lost)
        deletedEvents += count
        // Nothing is known of what came before.
        header.since = RecordingTimes(hooks: now, capture: header.since?.capture)
        header.series?.follows = false
        beginFile()
        lost += count
        converter.append(loss: Loss(monotonic: now, place: "file", count: count))
        try flush()
    }

    /// Takes what the hooks put into the ring before they were detached.
    ///
    /// A hook that was interrupted in the middle of its record holds up all that came after it, so an empty reading does
    /// not mean an empty ring: the count of records tells.
    private func drain() throws(RecorderError) {
        let deadline = clockNanoseconds(CLOCK_MONOTONIC) + Self.drainTime
        repeat {
            rstbpf_drain(programs)
            try afterPoll()
            if unread == 0 { break }
            usleep(1000)
        } while clockNanoseconds(CLOCK_MONOTONIC) < deadline
        // Not the first look that notices a step may be the one that tells of it.
        for _ in 0..<2 { try afterPoll() }
        converter.settleReceptions(until: .max)
        if clocks.last.monotonic > lastClock { converter.append(clock: clocks.last) }
        lastClock = clocks.last.monotonic
        noteLosses(lastClock)
        noteChanges()
        try flush()
        try lookAfterFile()
        let missing = unread
        if missing > 0 {
            converter.append(loss: Loss(monotonic: lastClock, place: "drain", count: missing))
            lost += missing
        }
    }

    private static let drainTime: Int64 = 2_000_000_000

    private var endings = EndingLosses(kept: UInt64(RST_ENDINGS_KEPT))
    private var noted = (ring: 0, recursion: 0)

    private func noteLosses(_ now: Int64) {
        var counts = rstbpf_counts()
        guard rstbpf_count(programs, &counts) == 0 else { return }
        let ring = Int(clamping: counts.no_room)
        let recursion = Int(clamping: counts.recursion)
        if ring > noted.ring {
            converter.append(loss: Loss(monotonic: now, place: "ring", count: ring - noted.ring))
        }
        if recursion > noted.recursion {
            converter.append(loss: Loss(monotonic: now, place: "recursion", count: recursion - noted.recursion))
        }
        noted = (ring, recursion)
        endings.note(count: counts.endings, at: now)
        lost = ring + recursion + deletedEvents
    }

    /// How many ends of connections the hooks remember; nil if they do not.
    var endingsKept: UInt32? {
        hooks.contains { $0.name == "inet_sock_set_state" && $0.status == "attached" } ? UInt32(RST_ENDINGS_KEPT) : nil
    }

    func write(footer: RecordingFooter) throws(RecorderError) {
        var footer = footer
        footer.events = (failure == nil ? converter.events : written) - before.events
        footer.lost = lost - before.lost
        footer.endingsLost = endings.lost > 0 ? Int(clamping: endings.lost) : nil
        if failure != nil {
            // What could not be written may have left a part of a line.
            converter.dropLines()
            try file.write([0x0a])
        }
        converter.append(footer: footer)
        try flush()
        try file.finish()
        written = converter.events
        if detached != nil { series?.complete(.events, number, now: lastClock) }
    }

    private func flush() throws(RecorderError) {
        let size = file.size
        do throws(RecorderError) {
            try converter.takeLines { bytes throws(RecorderError) in try file.write(bytes) }
        } catch {
            // A disk may have had room for some of the lines.
            if failure == nil, !file.isCompressed { written = converter.events(within: file.size - size) }
            throw error
        }
        if file.isSettled { written = converter.events }
    }
}

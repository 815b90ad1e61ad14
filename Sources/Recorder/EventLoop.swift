import CLibBPF
import Glibc
import KernelEvents
import Synchronization

/// Writes the kernel's events into events.jsonl, on a thread of its own.
final class EventLoop: @unchecked Sendable {
    private let file: OutputFile
    private var programs: OpaquePointer?
    private var converter: EventConverter
    private let stopping = Atomic<Bool>(false)
    // Used by the thread, and by others only before it starts and after it has ended.
    private(set) var failure: String?
    private(set) var lost = 0
    /// Events whose lines are in the file.
    private var written = 0
    private let failed: @Sendable () -> Void
    private var lastClock: Int64 = 0
    /// Records taken from the ring.
    private var received: UInt64 = 0

    /// How often the clocks are compared, nanoseconds.
    private static let clockInterval: Int64 = 1_000_000_000
    private static let pollTimeout: Int32 = 100

    /// Loads and attaches the BPF programs.
    ///
    /// - Parameter failed: called on the thread when it can write no more.
    init(_ options: RecorderOptions, failed: @escaping @Sendable () -> Void) throws(RecorderError) {
        self.failed = failed
        file = try OutputFile(path: options.eventsPath)
        converter = EventConverter(
            symbols: LiveSymbols(kallsyms: { [] }, modules: { [] }), reasonName: { _ in nil }, holders: { [:] })
        var error: Int32 = 0
        var message = [CChar](repeating: 0, count: Int(RSTBPF_MESSAGE_LENGTH))
        let context = Unmanaged.passUnretained(self).toOpaque()
        var scope = try rst_scope(options.scope)
        let opened = rstbpf_open(
            options.ringBuffer, options.optionalHooks, &scope,
            { context, event in
                guard let context, let event else { return }
                let loop = Unmanaged<EventLoop>.fromOpaque(context).takeUnretainedValue()
                loop.received += 1
                loop.converter.append(event)
            }, context, &error, &message)
        guard let opened else {
            throw RecorderError(
                String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
        }
        programs = opened
        converter.close()
        let hooks = Self.hooks(opened)
        let tellsOfAllAnswers = hooks.contains { hook in
            hook.status == "attached" && (hook.reason == true || ResetEvent.entryHooks.contains(hook.name))
        }
        converter = EventConverter(
            symbols: LiveSymbols(
                kallsyms: { readFile("/proc/kallsyms") }, modules: { readFile("/proc/modules") }),
            reasonName: { rstbpf_reason_name(opened, $0).map { String(cString: $0) } },
            tellsEndingsOfSegments: !tellsOfAllAnswers,
            holders: { Self.holders(opened) })
    }

    deinit {
        converter.close()
        rstbpf_close(programs)
    }

    /// Which process has which TCP socket open at the moment.
    private static func holders(_ programs: OpaquePointer) -> SocketHolders.Table {
        var table: SocketHolders.Table = [:]
        withUnsafeMutablePointer(to: &table) { table in
            _ = rstbpf_holders(
                programs,
                { table, holder in
                    guard let table, let holder = holder?.pointee else { return }
                    let name = withUnsafeBytes(of: holder.comm) { String(kernelName: $0) }
                    table.assumingMemoryBound(to: SocketHolders.Table.self).pointee[holder.inode, default: []].append(
                        SocketHolders.Holder(pid: Int32(bitPattern: holder.pid), comm: name))
                }, table)
        }
        return table
    }

    var events: Int { failure == nil ? converter.events : written }

    /// What the user should know before anything is recorded.
    var warnings: [String] {
        var warnings = hooks.compactMap { hook in
            hook.detail.map { "hook \(hook.name) is not attached: \($0)" }
        }
        if !converter.hasSymbols {
            warnings.append(
                """
                /proc/kallsyms shows no addresses, so kernel paths cannot be named and causes not be told: \
                record as root or with CAP_SYSLOG, and set kernel.kptr_restrict to 0 or 1 \
                (sysctl -w kernel.kptr_restrict=1)
                """)
        }
        return warnings
    }

    var hooks: [RecordingHeader.Hook] { Self.hooks(programs) }

    private static func hooks(_ programs: OpaquePointer?) -> [RecordingHeader.Hook] {
        (0..<Int32(RSTBPF_HOOKS)).compactMap { index -> RecordingHeader.Hook? in
            guard let hook = rstbpf_hook(programs, index)?.pointee, !hook.unneeded else { return nil }
            let name = String(cString: hook.name)
            let detail = withUnsafeBytes(of: hook.detail) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            return RecordingHeader.Hook(
                name: name, status: hook.attached ? "attached" : "failed", detail: detail.isEmpty ? nil : detail,
                reason: name == ResetEvent.decideHook ? hook.reason : nil)
        }
    }

    func write(header: RecordingHeader) throws(RecorderError) {
        converter.append(header: header)
        lastClock = clockNanoseconds(CLOCK_MONOTONIC)
        try flush()
    }

    func stop() { stopping.store(true, ordering: .releasing) }

    func run() {
        do {
            while !stopping.load(ordering: .acquiring) {
                rstbpf_poll(programs, Self.pollTimeout)
                try afterPoll()
            }
            rstbpf_detach(programs)
            try drain()
        } catch {
            failure = "\(error)"
            rstbpf_detach(programs)
            noteLosses(clockNanoseconds(CLOCK_MONOTONIC))
            lost += unread + converter.events - written
            failed()
        }
    }

    /// Records that the hooks put into the ring and nobody has taken yet; 0 if the kernel does not tell.
    private var unread: Int {
        var counts = rstbpf_counts()
        guard rstbpf_count(programs, &counts) == 0, counts.reserved > received else { return 0 }
        return Int(clamping: counts.reserved - received)
    }

    private func afterPoll() throws(RecorderError) {
        let now = clockNanoseconds(CLOCK_MONOTONIC)
        if now - lastClock >= Self.clockInterval {
            converter.append(clock: sampleClocks())
            lastClock = now
            noteLosses(now)
        }
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
        lastClock = 0
        try afterPoll()
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
        lost = ring + recursion
    }

    /// How many ends of connections the hooks remember; nil if they do not.
    var endingsKept: UInt32? {
        hooks.contains { $0.name == "inet_sock_set_state" && $0.status == "attached" } ? UInt32(RST_ENDINGS_KEPT) : nil
    }

    func write(footer: RecordingFooter) throws(RecorderError) {
        var footer = footer
        footer.endingsLost = endings.lost > 0 ? Int(clamping: endings.lost) : nil
        if failure != nil {
            // What could not be written may have left a part of a line.
            converter.dropLines()
            try file.write([0x0a])
        }
        converter.append(footer: footer)
        try flush()
    }

    private func flush() throws(RecorderError) {
        try converter.takeLines { bytes throws(RecorderError) in try file.write(bytes) }
        written = converter.events
    }
}

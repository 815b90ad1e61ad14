import NetworkTypes

/// Reads the kernel's own text of `tcp:tcp_send_reset`: tracefs `trace` and `trace_pipe`, `perf script`,
/// `trace-cmd report`, with the kernel stacks if they were recorded.
///
/// The format is `TP_printk` of include/trace/events/tcp.h. What each version's fields mean:
/// - up to 6.9 the event fires only for full sockets and prints the socket's own ends;
/// - from 6.10 on a full socket's own ends, otherwise (no socket, timewait, request) those of the segment, reversed.
/// For a listener both print its own address and 0.0.0.0:0: the peer is not in the file.
struct TraceReader {
    static let tool = "trace"

    private(set) var recording = Recording()
    /// Whether the file says that it is a trace, even if it has no reset in it.
    private(set) var hasTraceHeader = false
    private var line = 0
    /// The event that a stack directly after it belongs to, and which kind of stack lines are being read.
    private var stackOwner: (event: Int, prefix: TracePrefix)?
    private var stackForm = StackForm.none
    private var frames: [String] = []
    private var stackIDs: [[String]: Int] = [:]

    private enum StackForm { case none, ftrace, perf }

    init(_ scanner: LineScanner) {
        recording.timebase = .traceClock
        var start = 0
        while start < scanner.end {
            let end = scanner.endOfLine(from: start)
            line += 1
            if end - start <= 4096 {
                unsafe read(Array(scanner.bytes(start..<end))[...], at: start)
            } else {
                // No event of this tracepoint is so long.
                recording.ignoredLines += 1
                endStack()
            }
            start = end + 1
        }
        endStack()
    }

    private mutating func read(_ text: ArraySlice<UInt8>, at offset: Int) {
        let bare = text.trimmed()
        if stackForm != .none || stackOwner != nil, readFrame(text, bare) { return }
        guard !bare.isEmpty else {
            endStack()
            return
        }
        if bare.first == UInt8(ascii: "#") {
            readComment(bare)
        } else if let marker = bare.lastRange(of: "tcp_send_reset: ") {
            endStack()
            readEvent(bare, marker, at: offset)
        } else if let marker = bare.lastRange(of: "<stack trace>"), marker.upperBound == bare.endIndex {
            // ftrace may print another CPU's event between; then the stack belongs to none that is known for sure.
            if let owner = stackOwner, let prefix = TracePrefix(bare[..<marker.lowerBound]),
                prefix.tid == owner.prefix.tid, prefix.cpu == owner.prefix.cpu
            {
                stackForm = .ftrace
            } else {
                endStack()
                recording.ignoredLines += 1
            }
        } else if let loss = Self.loss(bare) {
            endStack()
            recording.losses.append(loss)
        } else {
            endStack()
            recording.ignoredLines += 1
        }
    }

    private mutating func readEvent(_ text: ArraySlice<UInt8>, _ marker: Range<Int>, at offset: Int) {
        var before = text[..<marker.lowerBound]
        // perf puts the subsystem before the name.
        if let system = before.lastRange(of: "tcp:"), system.upperBound == before.endIndex {
            before = before[..<system.lowerBound]
        }
        guard let prefix = TracePrefix(before) else {
            damage("a tcp_send_reset event without a timestamp in seconds", at: offset)
            return
        }
        let arguments = TraceArguments(text[marker.upperBound...])
        guard let tuple = arguments.tuple else {
            damage("a tcp_send_reset event without addresses", at: offset)
            return
        }
        var event = ResetEvent(kind: .decide, hook: Self.tool, monotonic: prefix.time, tuple: tuple)
        event.line = line
        event.cpu = prefix.cpu
        event.state = arguments.state
        event.reason = arguments.reason
        event.provoked = arguments.isPointer("skbaddr")
        if let tid = prefix.tid {
            event.task = ResetEvent.Task(
                pid: prefix.tgid ?? tid, tid: tid, uid: ResetEvent.Task.unknownUID, comm: prefix.comm,
                context: prefix.context)
        }
        // Up to 6.9 the line does not print the socket's address, and there always is one.
        if arguments.isPointer("skaddr") ?? arguments.isOfFullSocketsOnly {
            var socket = ResetEvent.Socket()
            socket.state = event.state
            event.socket = socket
        }
        stackOwner = (recording.events.count, prefix)
        recording.events.append(event)
    }

    private mutating func damage(_ problem: String, at offset: Int) {
        recording.damagedLines += 1
        if recording.damage.count < RecordingDecoder.namedDamage {
            recording.damage.append(LineDamage(line: line, offset: offset, problem: problem))
        }
    }

    // MARK: Losses

    /// `# entries-in-buffer/entries-written: 225/2400   #P:2`: the oldest entries were overwritten.
    private mutating func readComment(_ text: ArraySlice<UInt8>) {
        if text.starts(with: "# tracer:".utf8) { hasTraceHeader = true }
        guard let marker = text.lastRange(of: "entries-in-buffer/entries-written:") else { return }
        let counts = text[marker.upperBound...].trimmed().prefix { $0 != 0x20 }
            .split(separator: UInt8(ascii: "/")).compactMap { Int(decimal: $0) }
        if counts.count == 2, counts[1] > counts[0], counts[1] <= 1_000_000_000_000 {
            recording.losses.append(Loss(monotonic: 0, place: "trace buffer", count: counts[1] - counts[0]))
        }
    }

    /// `CPU:1 [LOST 775 EVENTS]` of trace_pipe, `CPU:7 [204600 EVENTS DROPPED]` of trace-cmd, both also without the
    /// number: then at least one; `PERF_RECORD_LOST lost 34` of perf script (--show-lost-events). They count events of every
    /// kind, not only resets.
    private static func loss(_ text: ArraySlice<UInt8>) -> Loss? {
        if let marker = text.lastRange(of: "PERF_RECORD_LOST lost ") {
            return Int(decimal: text[marker.upperBound...]).map {
                Loss(monotonic: 0, place: "trace buffer", count: min($0, 1_000_000_000_000))
            }
        }
        guard text.starts(with: "CPU:".utf8), text.last == UInt8(ascii: "]"),
            let bracket = text.firstIndex(of: UInt8(ascii: "["))
        else { return nil }
        let words = text[(bracket + 1)...].dropLast().split(separator: 0x20)
        guard words.contains(where: { $0.elementsEqual("LOST".utf8) || $0.elementsEqual("DROPPED".utf8) }) else {
            return nil
        }
        let count = words.lazy.compactMap { Int(decimal: $0) }.first ?? 1
        return Loss(monotonic: 0, place: "trace buffer", count: min(count, 1_000_000_000_000))
    }

    // MARK: Stacks

    /// Reads ` => tcp_v4_rcv+0x8c2/0x13f0` (ftrace) or `\tffffffff82030e42 tcp_v4_rcv+0x8c2 ([kernel.kallsyms])`
    /// (perf script, where a blank line ends the stack). False if the line is neither.
    ///
    /// A process may call itself `=> tcp_abort` and stand at the beginning of a line too; an event's line has more words.
    private mutating func readFrame(_ text: ArraySlice<UInt8>, _ bare: ArraySlice<UInt8>) -> Bool {
        switch stackForm {
        case .ftrace:
            guard bare.starts(with: "=> ".utf8), bare.split(separator: 0x20).count <= 4 else { return false }
            append(frame: bare.dropFirst(3))
            return true
        case .none, .perf:
            guard text.first == 0x09, stackOwner != nil, bare.lastRange(of: "tcp_send_reset: ") == nil else {
                return false
            }
            let words = bare.split(separator: 0x20, maxSplits: 1)
            guard words.count == 2, let address = words.first, address.count <= 16,
                address.allSatisfy({ LineScanner.hexDigit($0) != nil })
            else { return false }
            stackForm = .perf
            // Kernel addresses have the upper half; what follows is user space.
            if address.count == 16, address.starts(with: "ffff".utf8) { append(frame: words[1]) }
            return true
        }
    }

    private mutating func append(frame text: ArraySlice<UInt8>) {
        let symbol = text.prefix { $0 != 0x20 && $0 != UInt8(ascii: "/") }
        let name = String(decoding: symbol, as: UTF8.self)
        // The tracepoint's own functions stand before the one that called it.
        let tracepoint = [
            "trace_event_raw_event_", "__traceiter_", "perf_trace_", "trace_event_buffer_", "__bpf_trace_",
        ]
        if frames.isEmpty, tracepoint.contains(where: name.hasPrefix) { return }
        if frames.count < 512 { frames.append(name) }
    }

    private mutating func endStack() {
        if let owner = stackOwner?.event, !frames.isEmpty {
            let id = stackIDs[frames] ?? stackIDs.count
            stackIDs[frames] = id
            recording.stacks[id] = frames
            recording.events[owner].stack = id
        }
        stackOwner = nil
        stackForm = .none
        frames = []
    }
}

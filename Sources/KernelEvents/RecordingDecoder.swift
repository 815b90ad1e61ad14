import NetworkTypes

/// Reads events.jsonl (`rst-events/1`, docs/events.md), whole or in chunks.
///
/// A line that cannot be read is counted and never ends the run; only a file with no record at all and a schema of
/// another version are errors.
public struct RecordingDecoder {
    private var recording = Recording()
    private var reader = EventReader()
    /// Lines begun so far.
    private var line = 0
    /// Where the bytes being read begin in the file.
    private var offset = 0
    /// Header, stacks, events, clocks, losses and footer so far.
    private var records = 0
    private var isSecondRecording = false
    /// What a stack id of the file is called in `recording.stacks`, where that differs.
    private var renamedStacks: [Int: Int] = [:]
    private var renamedStacksMade = 0
    private var unsupportedSchema: String?
    private let expectedBytes: Int
    /// The beginning of a line whose end has not come yet.
    private var carry: [UInt8] = []
    /// Bytes of a line that grew too long to carry; 0 if there is none.
    private var dropped = 0

    /// A longer line is damaged. A recorder's longest, the header of a host with a thousand interfaces, has 200 kB.
    public static let longestLine = 16 << 20
    /// How many damaged lines `Recording.damage` names.
    public static let namedDamage = 20

    /// `expectedBytes`, if known, lets the decoder make room for all events at once.
    public init(expectedBytes: Int = 0) {
        self.expectedBytes = expectedBytes
    }

    // MARK: Whole files

    /// Whether a file that begins with these bytes (a few kilobytes are enough) is text with events in it, of this
    /// format or of a foreign one, rather than a capture. Saying yes does not promise that it can be read.
    public static func looksLikeEvents(_ prefix: RawSpan) -> Bool {
        unsafe prefix.withUnsafeBytes { bytes in
            guard var scanner = unsafe LineScanner(bytes) else { return false }
            if scanner.word(at: 0) & 0xff_ffff == 0xbf_bbef { scanner.position = 3 }
            // Every capture format has a NUL in its first header; text has none.
            for index in 0..<min(scanner.end, 64) where scanner.byte(at: index) == 0 { return false }
            while scanner.position < scanner.end {
                scanner.skipSpace()
                let end = scanner.endOfLine(from: scanner.position)
                if scanner.byte == UInt8(ascii: "{") { return true }
                if scanner.byte == UInt8(ascii: "["),
                    [UInt8(ascii: "{"), LineScanner.newline].contains(scanner.byte(at: scanner.position + 1))
                {
                    return true
                }
                let line = unsafe Array(scanner.bytes(scanner.position..<end))[...]
                if line.starts(with: "# tracer:".utf8) || line.lastRange(of: "tcp_send_reset") != nil { return true }
                scanner.position = end + 1
            }
            return false
        }
    }

    /// Whether the bytes hold what every recording that is read has in its lines, of whatever program.
    public static func mentionsResets(_ bytes: [UInt8]) -> Bool {
        let words: [StaticString] = [
            "rst-events/", "\"type\":\"emit\"", "\"type\":\"decide\"", "\"type\":\"receive\"", "\"type\":\"fail\"",
            "tcp_send_reset", "\"callee\"", "# tracer:",
        ]
        return words.contains { bytes[...].lastRange(of: $0) != nil }
    }

    /// The same for an array.
    public static func looksLikeEvents(_ prefix: [UInt8]) -> Bool {
        unsafe looksLikeEvents(prefix.span.bytes)
    }

    /// Reads a whole file, of this format or of a foreign one.
    public static func decode(_ bytes: RawSpan) throws(EventsError) -> Recording {
        try unsafe bytes.withUnsafeBytes { (buffer) throws(EventsError) in try unsafe decode(buffer) }
    }

    /// Reads a whole file that lies in memory, as a mapping does.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws(EventsError) -> Recording {
        var decoder = RecordingDecoder(expectedBytes: bytes.count)
        try unsafe decoder.feed(bytes)
        do throws(EventsError) {
            return try decoder.finish()
        } catch {
            if case .notARecording = error, let recording = unsafe ForeignEvents.decode(bytes) { return recording }
            throw error
        }
    }

    /// Reads a whole file.
    public static func decode(_ bytes: [UInt8]) throws(EventsError) -> Recording {
        try unsafe decode(bytes.span.bytes)
    }

    // MARK: Chunks (of this format only; `ForeignEvents` wants the whole file)

    /// Takes the next bytes of the file; they may end anywhere.
    public mutating func feed(_ bytes: RawSpan) throws(EventsError) {
        try unsafe bytes.withUnsafeBytes { (buffer) throws(EventsError) in try unsafe feed(buffer) }
    }

    /// Takes the next bytes of the file; they may end anywhere.
    public mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(EventsError) {
        guard let scanner = unsafe LineScanner(bytes) else { return }
        var start = 0
        if !carry.isEmpty || dropped > 0 {
            start = scanner.endOfLine(from: 0)
            unsafe hold(bytes[..<start])
            if start == scanner.end { return }
            start += 1
            try readCarry(isCut: false)
        }
        // Only whole lines are read; what follows the last newline waits for more.
        var whole = scanner.end
        while whole > start, scanner.byte(at: whole - 1) != LineScanner.newline { whole -= 1 }
        if whole > start { try unsafe readLines(UnsafeRawBufferPointer(rebasing: bytes[start..<whole]), isCut: false) }
        if whole < scanner.end { unsafe hold(bytes[whole...]) }
    }

    /// What the lines said that came since this was asked the last time; header and stacks also where they came before.
    public mutating func takeNew() -> Recording {
        recording.lines = line
        let new = recording
        var rest = Recording()
        rest.header = new.header
        rest.timebase = new.timebase
        rest.stacks = new.stacks
        recording = rest
        return new
    }

    /// What the file said, once all of it was fed.
    public consuming func finish() throws(EventsError) -> Recording {
        if !carry.isEmpty || dropped > 0 { try readCarry(isCut: true) }
        guard records > 0 else { throw notARecording() }
        recording.lines = line
        return recording
    }

    private mutating func hold(_ bytes: Slice<UnsafeRawBufferPointer>) {
        let count = unsafe bytes.count
        if dropped == 0, carry.count + count <= Self.longestLine {
            unsafe carry.append(contentsOf: bytes)
        } else {
            dropped += carry.count + count
            carry = []
        }
    }

    private mutating func readCarry(isCut: Bool) throws(EventsError) {
        if dropped > 0 {
            line += 1
            damage("\(Self.tooLong)", at: offset)
            offset += dropped + 1
            dropped = 0
            return
        }
        var held: [UInt8] = []
        swap(&held, &carry)
        if !isCut { held.append(LineScanner.newline) }
        try unsafe held.span.bytes.withUnsafeBytes { (buffer) throws(EventsError) in
            try unsafe readLines(buffer, isCut: isCut)
        }
        held.removeAll(keepingCapacity: held.capacity <= 1 << 20)
        swap(&held, &carry)
    }

    // MARK: Lines

    /// Reads lines of which only the last can lack its newline: then the file ends there.
    private mutating func readLines(_ buffer: UnsafeRawBufferPointer, isCut: Bool) throws(EventsError) {
        guard var scanner = unsafe LineScanner(buffer) else { return }
        while scanner.position < scanner.end {
            let start = scanner.position
            line += 1
            if line == 1, scanner.word(at: start) & 0xff_ffff == 0xbf_bbef { scanner.position += 3 }
            do throws(LineProblem) {
                try readLine(&scanner, from: start)
            } catch {
                let end = scanner.endOfLine(from: start)
                var message = error.message(lineStart: start)
                if isCut, end == scanner.end { message = "the file ends in the middle of the line: " + message }
                damage(message, at: offset + start)
                scanner.position = end
            }
            if let unsupportedSchema {
                throw .unsupportedSchema(
                    found: unsupportedSchema, supported: RecordingHeader.currentSchema, line: line)
            }
            scanner.position += 1
        }
        offset += buffer.count
    }

    /// Reads one line and leaves the cursor on its newline. Nothing is kept of a line that is a problem.
    private mutating func readLine(_ scanner: inout LineScanner, from start: Int) throws(LineProblem) {
        scanner.skipSpace()
        scanner.key = .unknown
        guard scanner.byte != LineScanner.newline else { return }
        guard !isSecondRecording else { throw Self.secondRecording(at: start) }
        switch try scanner.recordType() {
        case .emit: try readEvent(.emit, &scanner, from: start)
        case .decide: try readEvent(.decide, &scanner, from: start)
        case .receive: try readEvent(.receive, &scanner, from: start)
        case .fail: try readEvent(.fail, &scanner, from: start)
        case .stack:
            let stack = try scanner.stack()
            try end(&scanner, from: start)
            define(stack.id, stack.frames)
        case .process:
            var process = try scanner.process()
            try end(&scanner, from: start)
            process?.line = line
            if let process { recording.processes[process.pid, default: []].append(process) }
        case .container:
            let container = try scanner.container()
            try end(&scanner, from: start)
            if let container { recording.containers[container.key] = container } else { recording.ignoredLines += 1 }
        case .clock:
            let clock = try scanner.clockSample()
            try end(&scanner, from: start)
            if let clock { recording.clocks.append(clock) }
        case .lost:
            let loss = try scanner.loss()
            try end(&scanner, from: start)
            recording.losses.append(loss)
        case .interface:
            let change = try scanner.interfaceChange()
            try end(&scanner, from: start)
            if let change { recording.interfaceChanges.append(change) } else { recording.ignoredLines += 1 }
        case .ruleset:
            let ruleset = try scanner.ruleset()
            try end(&scanner, from: start)
            if let ruleset { recording.rulesets.append(ruleset) } else { recording.ignoredLines += 1 }
        case .end:
            let footer = try scanner.footer()
            try end(&scanner, from: start)
            recording.footer = footer
        case .recording:
            let header = try scanner.header()
            guard header.schema == RecordingHeader.currentSchema else {
                unsupportedSchema = header.schema
                return
            }
            try end(&scanner, from: start)
            // Another recording has its own stack ids and maybe another boot's clock: its events would be taken for
            // something they are not.
            guard records == 0 else {
                isSecondRecording = true
                throw Self.secondRecording(at: start)
            }
            recording.header = header
        case .other:
            try scanner.skipValue()
            try end(&scanner, from: start)
            recording.ignoredLines += 1
            return
        }
        records += 1
    }

    private static func secondRecording(at start: Int) -> LineProblem {
        LineProblem("a second recording begins in the same file; report it as a file of its own", at: start)
    }

    @inline(__always)
    private func end(_ scanner: inout LineScanner, from start: Int) throws(LineProblem) {
        try scanner.endLine()
        if scanner.position - start > Self.longestLine { throw LineProblem(Self.tooLong, at: start) }
    }

    @inline(__always)
    private mutating func readEvent(
        _ kind: ResetEvent.Kind, _ scanner: inout LineScanner, from start: Int
    ) throws(LineProblem) {
        var event = EventReader.blank(kind)
        try reader.read(&scanner, into: &event)
        try end(&scanner, from: start)
        event.line = line
        if !renamedStacks.isEmpty, let stack = event.stack, let name = renamedStacks[stack] { event.stack = name }
        guard kind != .fail else {
            recording.failures.append(consume event)
            return
        }
        if recording.events.count == 1024, expectedBytes > 0 {
            // Room for all of them: growing step by step would hold the events twice for a moment. Not without bound,
            // since the rest of the file may be anything.
            let lineLength = max(64, (offset + scanner.position) / 1024)
            recording.events.reserveCapacity(min(expectedBytes / lineLength / 16 * 17, 1 << 21))
        }
        recording.events.append(consume event)
    }

    /// A recorder defines an id once. Should a file define it again as another stack, then events up to there keep
    /// the first meaning and later events get the second, under a name no file can use: a negative one.
    private mutating func define(_ id: Int, _ frames: [String]) {
        let name = renamedStacks[id] ?? id
        if let known = recording.stacks[name], known != frames {
            let fresh = -1 - renamedStacksMade
            renamedStacksMade += 1
            renamedStacks[id] = fresh
            recording.stacks[fresh] = frames
        } else {
            recording.stacks[name] = frames
        }
    }

    private mutating func damage(_ problem: String, at offset: Int) {
        recording.damagedLines += 1
        if recording.damage.count < Self.namedDamage {
            recording.damage.append(LineDamage(line: line, offset: offset, problem: problem))
        }
    }

    private func notARecording() -> EventsError {
        guard let first = recording.damage.first else {
            return .notARecording(
                problem: recording.ignoredLines > 0
                    ? "none of its \(recording.ignoredLines) lines has a type that rst-events/1 knows" : "it is empty")
        }
        return .notARecording(
            problem: "none of its \(line) lines can be read; line \(first.line): \(first.problem)")
    }

    private static let tooLong: StaticString = "the line is longer than 16 MiB"
}

/// The `type` of a line.
enum RecordType {
    case recording, stack, process, container, emit, decide, receive, fail, clock, lost, interface, ruleset, end, other
}

extension LineScanner {
    /// The type of the record under the cursor, which stays where it is.
    @inline(__always)
    mutating func recordType() throws(LineProblem) -> RecordType {
        // {"type":"
        if word(at: position) == 0x3a22_6570_7974_227b, byte(at: position + 8) == UInt8(ascii: "\"") {
            switch word(at: position + 9) & 0xff_ffff_ffff {
            case 0x22_7469_6d65: return .emit
            default: break
            }
        }
        let start = position
        defer { position = start }
        try beginObject()
        var isFirst = true
        while let key = try nextKey(&isFirst) {
            if key == .type, let type = try string() { return RecordType(type) }
            if key != .type { try skipValue() }
        }
        throw problem("the object has no \"type\"")
    }
}

extension RecordType {
    fileprivate init(_ name: String) {
        switch name {
        case "recording": self = .recording
        case "stack": self = .stack
        case "process": self = .process
        case "container": self = .container
        case "emit": self = .emit
        case "decide": self = .decide
        case "receive": self = .receive
        case "fail": self = .fail
        case "clock": self = .clock
        case "lost": self = .lost
        case "interface": self = .interface
        case "ruleset": self = .ruleset
        case "end": self = .end
        default: self = .other
        }
    }
}

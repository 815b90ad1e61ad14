import CaptureFile
import Correlator
import Glibc
import HostFiles
import KernelEvents
import PcapReader

/// A capture or a recording that is still being written: files that grow, one after the other, or a pipe.
final class LiveFile {
    private var sequence: FileSequence
    /// Of the file that is being read, or what the pipe is called.
    var path: String { sequence.description }
    /// The number of the last file of a divided recording that was read.
    private var lastNumber: Int?
    /// Of a sequence, those that were opened.
    private(set) var filesRead: [String] = []
    /// What the user should know.
    private var notes: [String] = []
    private var descriptor: Int32 = -1
    /// Bytes read so far.
    private var position = 0
    /// Of a pipe.
    private let pipe: PipeReader?
    var isPipe: Bool { pipe != nil }
    private(set) var hasEnded = false
    /// What was read before it was known what the file is.
    private var head: [UInt8] = []
    private var content: Content?
    private let memory: Int
    /// Nanoseconds from when the latest packet or event was to when it was read, of a pipe: the other sources are ahead by
    /// that.
    private(set) var behind: Int64 = 0
    /// When something was read the last time.
    private var lastRead: Int64 = .min

    private enum Content {
        case capture(Capture)
        case events(Events)
    }

    /// Read in place: these are large.
    private final class Capture {
        let number: Int
        var file = GrowingCapture(selecting: .all)
        var segments: LiveSegments

        init(number: Int, memory: Int) {
            self.number = number
            segments = LiveSegments(memory: memory)
        }

        /// The next file of a divided recording: its packets are numbered on, and its connections are the same.
        func begin() {
            segments.precedingPackets += file.summary.packets
            file = GrowingCapture(selecting: .all)
        }
    }

    private final class Events {
        let number: Int
        var decoder = RecordingDecoder()

        init(number: Int) { self.number = number }
    }

    /// - Parameters:
    ///   - sequence: the files, none of which need be there yet.
    ///   - memory: see `ConnectionFollower`.
    init(_ sequence: FileSequence, memory: Int) {
        self.sequence = sequence
        self.memory = memory
        pipe = nil
    }

    init(path: String, pipe: PipeReader, memory: Int) {
        sequence = FileSequence(path)
        self.memory = memory
        self.pipe = pipe
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    private static let pieceSize = 1 << 20
    /// A turn ends after so much, so that what was read is judged in between.
    private static let mostPieces = 64

    /// Reads what was written since the last time, and hands it on.
    ///
    /// - Returns: whether that was anything.
    /// - Throws: `FileError`, `CaptureError` or `EventsError`.
    func read(into correlator: inout LiveCorrelator, at time: Int64) throws -> Bool {
        guard !hasEnded else { return false }
        let hasRead = try pipe.map { try read($0, &correlator, time) } ?? readFile(&correlator, at: time)
        if hasRead { deliver(into: &correlator, at: time) }
        return hasRead
    }

    private func read(_ pipe: PipeReader, _ correlator: inout LiveCorrelator, _ time: Int64) throws -> Bool {
        let (bytes, isAtEnd) = try pipe.take()
        if !bytes.isEmpty {
            try feed(bytes[...], &correlator)
            lastRead = time
        } else if lastRead < time - Self.idleTime {
            behind = 0
        }
        if isAtEnd {
            hasEnded = true
            try finish(&correlator, at: time)
        }
        return !bytes.isEmpty && !isAtEnd
    }

    private func readFile(_ correlator: inout LiveCorrelator, at time: Int64) throws -> Bool {
        guard try isOpen() else { return false }
        var buffer = [UInt8](repeating: 0, count: Self.pieceSize)
        var hasRead = false
        var next: FileSequence?
        for _ in 0..<Self.mostPieces {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw FileError(operation: "read", errno: errno)
            }
            if count == 0 {
                // What a file has no more of may still be written, until the next one is there.
                if let following = next {
                    try goOn(to: following, &correlator, at: time)
                    next = nil
                    guard try isOpen() else { break }
                } else {
                    next = sequence.next()
                    if next == nil { break }
                }
                continue
            }
            hasRead = true
            position += count
            try feed(buffer[..<count], &correlator)
        }
        try checkLength()
        return hasRead
    }

    /// What is known of the connections of the capture with that number.
    func followed(capture number: Int) -> CapturedConnections? {
        if case .capture(let capture)? = content, capture.number == number { capture.segments.snapshot() } else { nil }
    }

    private func isOpen() throws -> Bool {
        guard descriptor < 0 else { return true }
        while descriptor < 0 {
            if sequence.path == nil {
                guard let first = sequence.next() else { return false }
                sequence = first
            }
            descriptor = open(path.pathBytes, O_RDONLY | O_CLOEXEC)
            guard descriptor < 0 else { break }
            guard errno == ENOENT else { throw FileError(operation: "open", errno: errno) }
            // The oldest files of a divided recording may go at any time.
            guard let later = sequence.next() else { return false }
            sequence = later
        }
        filesRead.append(path)
        if sequence.number != lastNumber {
            if let gap = sequence.gap(after: lastNumber) { notes.append(gap) }
            lastNumber = sequence.number
        }
        return true
    }

    /// Ends the file, and begins the next one of the sequence.
    private func goOn(to next: FileSequence, _ correlator: inout LiveCorrelator, at time: Int64) throws {
        try finish(&correlator, at: time)
        close(descriptor)
        descriptor = -1
        position = 0
        head = []
        sequence = next
        switch content {
        case .capture(let capture): capture.begin()
        case .events(let events):
            events.decoder = RecordingDecoder()
            correlator.beginFile(of: events.number)
        case nil: break
        }
    }

    func takeNotes() -> [String] {
        defer { notes = [] }
        return notes
    }

    /// A recorder begins a file anew when it takes the place of another.
    private func checkLength() throws {
        var status = stat()
        guard fstat(descriptor, &status) == 0, Int(status.st_size) < position else { return }
        throw LiveFileError(description: "it was begun anew while it was followed")
    }

    private func feed(_ bytes: ArraySlice<UInt8>, _ correlator: inout LiveCorrelator) throws {
        guard content == nil else { return try add(bytes) }
        head += bytes
        guard head.count >= FileKind.prefixLength else { return }
        switch FileKind(prefix: head) {
        case .pcap, .pcapng:
            let summary = GrowingCapture(selecting: .all).summary
            let number = correlator.addCapture(CaptureInput(file: path, summary: summary, resets: []))
            content = .capture(Capture(number: number, memory: memory))
        case .gzip, .zstd, .lz4, .xz, .bzip2:
            throw LiveFileError(description: "a compressed file cannot be followed")
        case .other:
            guard RecordingDecoder.looksLikeEvents(head) else {
                throw LiveFileError(description: "it is neither a capture nor events.jsonl")
            }
            content = .events(Events(number: correlator.addRecording(path)))
        }
        let first = head
        head = []
        try add(first[...])
    }

    private func add(_ bytes: ArraySlice<UInt8>) throws {
        switch content {
        case .capture(let capture): try capture.file.feed(bytes, into: &capture.segments)
        case .events(let events): try events.decoder.feed(bytes.span.bytes)
        case nil: break
        }
    }

    private func deliver(into correlator: inout LiveCorrelator, at time: Int64) {
        switch content {
        case .capture(let capture):
            let resets = capture.segments.takeResets()
            let base = CaptureInput(file: path, summary: capture.file.summary, resets: [])
            _ = capture.file.takeResetRemarks()
            capture.segments.look(at: time)
            if let last = resets.last {
                note(clockNow(CLOCK_REALTIME).subtractingReportingOverflow(last.time).partialValue)
            }
            correlator.take(resets, of: capture.number, base, at: time)
        case .events(let events):
            let new = events.decoder.takeNew()
            if let last = new.events.last { note(time.subtractingReportingOverflow(last.monotonic).partialValue) }
            correlator.take(new, of: events.number, at: time)
        case nil: break
        }
    }

    /// Takes note of how long ago something was that came now.
    private func note(_ age: Int64) {
        guard pipe != nil else { return }
        behind = age < Self.usualAge ? 0 : min(age, Self.mostBehind)
    }

    /// So late everything may be: what waits is handed over after a tenth of a second.
    private static let usualAge: Int64 = 200_000_000
    /// A clock that was set looks like a source that is behind, for at most so long.
    private static let mostBehind: Int64 = 5_000_000_000
    /// Nothing waits where nothing came for so long.
    private static let idleTime: Int64 = 300_000_000

    private func clockNow(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Nothing more comes of this file.
    private func finish(_ correlator: inout LiveCorrelator, at time: Int64) throws {
        if case .capture(let capture)? = content { try capture.file.feed([], isFinal: true, into: &capture.segments) }
        deliver(into: &correlator, at: time)
    }
}

/// Why a file cannot be followed.
public struct LiveFileError: Error, CustomStringConvertible {
    public let description: String
}

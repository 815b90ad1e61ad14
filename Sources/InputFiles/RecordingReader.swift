import CaptureFile
import Correlator
import Dispatch
import KernelEvents
import PcapReader
import Synchronization

/// Reads recordings while something else goes on.
final class BackgroundReader: Sendable {
    private let group = DispatchGroup()
    private let contents = Mutex<[Int: FileContent]>([:])

    /// - Parameters:
    ///   - candidate: a regular file.
    ///   - number: what its content is called.
    func read(_ candidate: Candidate, _ number: Int) {
        DispatchQueue.global().async(group: group) { [self] in
            let content = RecordingReader.read(candidate)
            contents.withLock { $0[number] = content }
        }
    }

    /// Waits for all of them.
    func finish() -> [Int: FileContent] {
        group.wait()
        return contents.withLock(\.self)
    }
}

/// Reads one file of kernel events.
enum RecordingReader {
    /// - Parameter opened: the file, if it is open already: a pipe cannot be opened twice.
    static func read(_ candidate: Candidate, opened: InputFile? = nil) -> FileContent {
        do {
            let file = try opened ?? InputFile(path: candidate.path)
            return try read(file, isOptional: candidate.isOptional)
        } catch {
            return .failure("\(candidate.path): \(error)")
        }
    }

    private static func read(_ file: InputFile, isOptional: Bool) throws -> FileContent {
        do {
            guard let input = try recording(file, isOptional: isOptional) else { return .neither }
            return .recording(input)
        } catch EventsError.notARecording(let problem) {
            if isOptional { return .neither }
            let reason = OtherFormat(prefix: prefix(file))?.advice ?? problem
            return .failure("\(file.path): neither a capture (pcap, pcapng) nor kernel events: \(reason)")
        }
    }

    /// The first bytes, as many as there are at once: those of a compressed file or a pipe are few.
    private static func prefix(_ file: InputFile) -> [UInt8] {
        guard file.kind == .other, let size = file.size else { return file.contentPrefix }
        return (try? file.bytes(0..<min(size, OtherFormat.usefulPrefix))) ?? file.contentPrefix
    }

    /// Reads events window by window, so that the text is never in memory as a whole; a recording of another program is
    /// read once more, and whole.
    ///
    /// - Returns: nil for an optional file that does not look like events.
    private static func recording(_ file: InputFile, isOptional: Bool) throws -> EventInput? {
        guard file.isRereadable else {
            let content = try content(file)
            if isOptional, !RecordingDecoder.looksLikeEvents(Array(content.bytes.prefix(4096))) { return nil }
            return try input(content, of: file)
        }
        var decoder = RecordingDecoder(expectedBytes: file.size ?? 0)
        var isFirst = true
        var offset = 0
        do {
            let damage = try file.read { window in
                if isFirst, isOptional, !RecordingDecoder.looksLikeEvents(Array(window.prefix(4096))) {
                    throw NoEvents()
                }
                isFirst = false
                offset += window.count
                try decoder.feed(window)
            }
            if isFirst, isOptional { return nil }
            return input(try decoder.finish(), of: file, damage: damage, at: offset)
        } catch is NoEvents {
            return nil
        } catch EventsError.notARecording {
            let content = try content(file)
            if content.bytes.isEmpty, let damage = content.damage { throw EventsError.notARecording(problem: damage) }
            return try input(content, of: file)
        }
    }

    /// The file of a directory is neither a capture nor events.
    private struct NoEvents: Error {}

    /// Of another program's recording so much is read, which is in memory as a whole.
    private static let longestForeign = 1 << 30
    /// If nothing is an event in so many bytes, nothing after them is looked for.
    private static let longestPrelude = 16 << 20

    /// The whole content, decompressed, and why it ends early if it does.
    private static func content(_ file: InputFile) throws -> (bytes: [UInt8], damage: String?) {
        var bytes: [UInt8] = []
        var isPromising = false
        do {
            let damage = try file.read { window in
                if bytes.count >= longestPrelude, !isPromising {
                    isPromising = RecordingDecoder.mentionsResets(bytes)
                    guard isPromising else {
                        throw EventsError.notARecording(
                            problem: "nothing in its first \(bytes.count >> 20) MB is an event")
                    }
                }
                guard bytes.count + window.count <= longestForeign else { throw TooLong() }
                bytes.append(contentsOf: window)
            }
            return (bytes, damage)
        } catch is TooLong {
            return (bytes, "only the first \(bytes.count >> 20) MB of another program's recording are read: split it")
        }
    }

    private struct TooLong: Error {}

    private static func input(_ content: (bytes: [UInt8], damage: String?), of file: InputFile) throws -> EventInput {
        input(
            try RecordingDecoder.decode(content.bytes), of: file, damage: content.damage, at: content.bytes.count)
    }

    private static func input(
        _ recording: Recording, of file: InputFile, damage: String?, at offset: Int
    ) -> EventInput {
        var recording = recording
        if let damage {
            recording.damagedLines += 1
            recording.damage.append(LineDamage(line: 0, offset: offset, problem: damage))
        }
        return EventInput(file: file.path, recording: recording)
    }
}

import CaptureFile
public import Correlator
import Glibc
import KernelEvents
import PcapReader

/// Reads the files of a report, each for what its content says it is.
public struct InputLoader {
    public internal(set) var captures: [CaptureInput] = []
    public private(set) var recordings: [EventInput] = []
    /// Of each capture, whether it can be read once more: a pipe cannot.
    var isRereadable: [Bool] = []
    /// Files that could not be read, with the reason.
    public private(set) var failures: [String] = []

    /// Called from time to time with the bytes of a capture that are done and their total, if it is known.
    let progress: ((_ done: Int, _ total: Int?) -> Void)?

    public init(progress: ((_ done: Int, _ total: Int?) -> Void)? = nil) { self.progress = progress }

    /// - Parameter path: a file, a directory that stands for the files in it, or `-` for standard input.
    public mutating func load(_ path: String) {
        var status = stat()
        guard path != "-", stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            loadFile(path)
            return
        }
        let names = namesInDirectory(path).filter { !$0.hasPrefix(".") }.sorted()
        var found = 0
        for name in names where loadFile("\(path)/\(name)", isOptional: !isNamedAsInput(name)) { found += 1 }
        if found == 0 { failures.append("\(path): no capture and no events.jsonl in this directory") }
    }

    /// Whether the kernel's events show what every answer's segment met, socket or none.
    public var tellsOfAllAnswers: Bool {
        recordings.contains { $0.recording.header?.tellsOfAllAnswers == true }
    }

    /// Whether a file of a directory is meant to be a capture or events, so that it is said if it is not.
    private func isNamedAsInput(_ name: String) -> Bool {
        let name = name.lowercased()
        let plain = [".gz", ".zst", ".lz4"].first(where: name.hasSuffix).map { name.dropLast($0.count) } ?? name[...]
        return [".pcap", ".pcapng", ".cap", ".jsonl"].contains(where: plain.hasSuffix)
    }

    /// - Parameter isOptional: a file of a directory that is neither a capture nor events is passed over.
    /// - Returns: whether the file was one of both.
    @discardableResult
    private mutating func loadFile(_ path: String, isOptional: Bool = false) -> Bool {
        var prefix: [UInt8] = []
        do {
            let file = try InputFile(path: path)
            prefix = file.contentPrefix
            switch file.contentKind {
            case .pcap, .pcapng: try loadCapture(file)
            case .gzip, .zstd, .lz4, .other:
                return try loadRecording(file, isOptional: isOptional)
            }
            return true
        } catch EventsError.notARecording(let problem) {
            // Other files may lie beside a recording.
            if isOptional { return false }
            let reason = OtherFormat(prefix: prefix)?.advice ?? problem
            failures.append("\(path): neither a capture (pcap, pcapng) nor kernel events: \(reason)")
            return false
        } catch {
            failures.append("\(path): \(error)")
            return false
        }
    }

    private mutating func loadCapture(_ file: InputFile) throws {
        var resets: [CapturedSegment] = []
        let summary = try file.scan(selecting: .resets, progress: progress) { resets.append($0) }
        var input = CaptureInput(
            file: file.path, packets: summary.packets, interfaces: summary.interfaces.map(\.name), resets: resets)
        input.dropped = Int(clamping: summary.dropped ?? 0)
        input.bytesSkipped = summary.bytesSkipped
        input.filters = summary.interfaces.map(\.filter)
        input.damage = summary.damage.map { "offset \($0.offset): \($0.problem)" }
        input.damageCount = summary.damageCount
        input.undecoded = summary.undecoded.map {
            CaptureInput.Undecoded(reason: $0.reason.rawValue, packets: $0.count)
        }
        captures.append(input)
        isRereadable.append(file.isRereadable)
    }

    /// Reads events window by window, so that the text is never in memory as a whole; a recording of another program is
    /// read once more, and whole.
    private mutating func loadRecording(_ file: InputFile, isOptional: Bool) throws -> Bool {
        guard file.isRereadable else {
            let content = try read(file)
            if isOptional, !RecordingDecoder.looksLikeEvents(Array(content.bytes.prefix(4096))) { return false }
            try add(content, of: file)
            return true
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
            if isFirst, isOptional { return false }
            add(try decoder.finish(), of: file, damage: damage, at: offset)
        } catch is NoEvents {
            return false
        } catch EventsError.notARecording {
            try add(read(file), of: file)
        }
        return true
    }

    /// The file of a directory is neither a capture nor events.
    private struct NoEvents: Error {}

    /// The whole content, decompressed, and why it ends early if it does.
    private func read(_ file: InputFile) throws -> (bytes: [UInt8], damage: String?) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(file.size ?? 0)
        let damage = try file.read { bytes.append(contentsOf: $0) }
        return (bytes, damage)
    }

    private mutating func add(_ content: (bytes: [UInt8], damage: String?), of file: InputFile) throws {
        add(try RecordingDecoder.decode(content.bytes), of: file, damage: content.damage, at: content.bytes.count)
    }

    private mutating func add(_ recording: Recording, of file: InputFile, damage: String?, at offset: Int) {
        var recording = recording
        if let damage {
            recording.damagedLines += 1
            recording.damage.append(LineDamage(line: 0, offset: offset, problem: damage))
        }
        recordings.append(EventInput(file: file.path, recording: recording))
    }
}

/// What is in a directory, in no order, without the directory itself and the one above; nothing if it cannot be read.
package func namesInDirectory(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names
}

import CaptureFile
public import Correlator
import Glibc
import KernelEvents
import PcapReader

/// Reads the files of a report, each for what its content says it is.
public struct InputLoader {
    public private(set) var captures: [CaptureInput] = []
    public private(set) var recordings: [EventInput] = []
    /// Files that could not be read, with the reason.
    public private(set) var failures: [String] = []

    /// At most so many RSTs of a capture are asked what they carry, and so many bytes of each.
    private static let keptPayloads = 10_000
    private static let payloadBytes = 256

    /// Called from time to time with the bytes of a capture that are done and their total, if it is known.
    private let progress: ((_ done: Int, _ total: Int?) -> Void)?

    public init(progress: ((_ done: Int, _ total: Int?) -> Void)? = nil) { self.progress = progress }

    /// - Parameter path: a file, a directory that stands for the files in it, or `-` for standard input.
    public mutating func load(_ path: String) {
        var status = stat()
        guard path != "-", stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            loadFile(path)
            return
        }
        let names = entries(of: path)
        var found = 0
        for name in names where loadFile("\(path)/\(name)", isOptional: true) { found += 1 }
        if found == 0 { failures.append("\(path): no capture and no events.jsonl in this directory") }
    }

    private func entries(of path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard !name.hasPrefix(".") else { continue }
            names.append(name)
        }
        return names.sorted()
    }

    /// Whether the kernel's events show what every answer's segment met, socket or none.
    public var tellsOfAllAnswers: Bool {
        recordings.contains { $0.recording.header?.tellsOfAllAnswers == true }
    }

    /// - Parameter isOptional: a file of a directory that is neither a capture nor events is passed over.
    /// - Returns: whether the file was one of both.
    @discardableResult
    private mutating func loadFile(_ path: String, isOptional: Bool = false) -> Bool {
        do {
            let file = try InputFile(path: path)
            switch file.contentKind {
            case .pcap, .pcapng: try loadCapture(file)
            case .gzip, .zstd, .lz4, .other:
                let content = try read(file)
                if isOptional, !RecordingDecoder.looksLikeEvents(Array(content.bytes.prefix(4096))) { return false }
                try loadRecording(path, content)
            }
            return true
        } catch EventsError.notARecording(let problem) {
            // Other files may lie beside a recording; one that is named like events is meant to be some.
            if isOptional, !path.hasSuffix(".jsonl") { return false }
            failures.append("\(path): neither a capture (pcap, pcapng) nor kernel events: \(problem)")
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
    }

    /// Reads the captures once more, for the connections that a RST of any of them belongs to.
    ///
    /// To be called when all files are loaded: what one capture has of a connection that is reset in another is evidence.
    public mutating func loadFlows() {
        let filter = FlowFilter(captures.lazy.flatMap { $0.resets.lazy.map(\.segment.tuple) })
        guard filter.count > 0 else { return }
        for index in captures.indices {
            do {
                captures[index].flows = try flows(of: captures[index].file, filter)
                captures[index].payloads = try payloads(of: captures[index])
            } catch {
                captures[index].damage.append("cannot be read a second time: \(error)")
                captures[index].damageCount += 1
            }
        }
    }

    private func flows(of path: String, _ filter: FlowFilter) throws -> FlowTable {
        var flows = FlowTable()
        let file = try InputFile(path: path)
        guard file.isRereadable else { return flows }
        _ = try file.scan(selecting: .flows(filter)) { flows.add($0) }
        return flows
    }

    private func payloads(of capture: CaptureInput) throws -> [Int: [UInt8]] {
        let carriers = capture.resets.lazy.filter { $0.segment.payloadOffset >= 0 && $0.segment.payloadLength > 0 }
            .prefix(Self.keptPayloads)
        guard !carriers.isEmpty else { return [:] }
        let file = try InputFile(path: capture.file)
        guard file.isRereadable else { return [:] }
        let wanted = Array(carriers).map { carrier -> (number: Int, range: Range<Int>) in
            let start = carrier.packetOffset + Int(carrier.segment.payloadOffset)
            let captured = Int(carrier.capturedLength) - Int(carrier.segment.payloadOffset)
            let count = min(captured, Int(carrier.segment.payloadLength), Self.payloadBytes)
            return (carrier.number, start..<start + max(0, count))
        }
        return try ranges(wanted, of: file)
    }

    /// Reads ranges of the (decompressed) file that are in ascending order.
    private func ranges(_ wanted: [(number: Int, range: Range<Int>)], of file: InputFile) throws -> [Int: [UInt8]] {
        var found: [Int: [UInt8]] = [:]
        var offset = 0
        var next = 0
        _ = try file.read { window in
            let end = offset + window.count
            while next < wanted.count, wanted[next].range.lowerBound < end {
                let part = wanted[next].range.clamped(to: offset..<end)
                found[wanted[next].number, default: []] +=
                    window[(part.lowerBound - offset)..<(part.upperBound - offset)]
                // The rest is in the next window.
                if wanted[next].range.upperBound > end { break }
                next += 1
            }
            offset = end
        }
        return found
    }

    /// The whole content, decompressed, and why it ends early if it does.
    private func read(_ file: InputFile) throws -> (bytes: [UInt8], damage: String?) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(file.size ?? 0)
        let damage = try file.read { bytes.append(contentsOf: $0) }
        return (bytes, damage)
    }

    private mutating func loadRecording(_ path: String, _ content: (bytes: [UInt8], damage: String?)) throws {
        var recording = try RecordingDecoder.decode(content.bytes)
        if let damage = content.damage {
            recording.damagedLines += 1
            recording.damage.append(LineDamage(line: 0, offset: content.bytes.count, problem: damage))
        }
        recordings.append(EventInput(file: path, recording: recording))
    }
}

import CaptureFile
public import Correlator
import Glibc
import HostFiles
import KernelEvents
import PcapReader

/// The files of a report.
public struct LoadedInputs: Sendable {
    public fileprivate(set) var captures: [CaptureInput] = []
    public fileprivate(set) var recordings: [EventInput] = []

    /// Makes one recording of the files of a divided one.
    fileprivate mutating func join() { recordings = EventInput.joined(recordings) }

    /// The paths of all captures and recordings, also of those that a series was joined from.
    public fileprivate(set) var files: [String] = []
    /// Files that could not be read, with the reason.
    public fileprivate(set) var failures: [String] = []
    /// Files in directories that are named like captures or events, and have no bytes.
    public fileprivate(set) var empty: [String] = []
    /// What lies in a directory and is neither a capture nor events: other files, directories, pipes.
    public fileprivate(set) var passedOver: [String] = []

    /// Whether the kernel's events show what every answer's segment met, socket or none.
    public var reportsSocketlessResets: Bool {
        recordings.contains { $0.recording.header?.reportsSocketlessResets == true }
    }
}

/// Reads the files of a report, each for what its content says it is.
public struct InputLoader {
    /// Called from time to time with the bytes of a capture that are done and their total, if it is known.
    let progress: ((_ done: Int, _ total: Int?) -> Void)?
    /// Bytes for connections without a RST of a capture that can be read only once.
    let memory: Int

    public static let defaultMemory = 256 << 20

    public init(memory: Int = defaultMemory, progress: ((_ done: Int, _ total: Int?) -> Void)? = nil) {
        self.memory = memory
        self.progress = progress
    }

    /// Reads files, and those captures a second time that have RSTs.
    ///
    /// Captures are read one after another, each with all processors as far as it goes, and kernel events meanwhile.
    ///
    /// - Parameters:
    ///   - paths: files, directories that stand for the files in them, or `-` for standard input.
    ///   - recursively: directories also stand for what is in the directories in them; links to directories are not followed.
    public func load(_ paths: [String], recursively: Bool = false) -> LoadedInputs {
        var loaded = LoadedInputs()
        let arguments = paths.map { Argument($0, recursively: recursively) }
        let files = arguments.flatMap(\.files)
        let background = BackgroundReader()
        var contents = [FileContent?](repeating: nil, count: files.count)
        var rereadable: [Int] = []
        // Captures keep the order of the command line, whatever is read first.
        for number in Self.recordingsFirst(files) { contents[number] = read(files[number], number, background) }
        for case .capture(let capture, let isRereadable)? in contents {
            if isRereadable { rereadable.append(loaded.captures.count) }
            loaded.captures.append(capture)
        }
        let isFailed = contents.contains { if case .failure? = $0 { true } else { false } }
        if !isFailed { loadConnections(of: &loaded.captures, rereadable) }
        for (number, content) in background.finish() { contents[number] = content }
        if !isFailed, loaded.captures.allSatisfy(\.resets.isEmpty), !contents.contains(where: \.hasEvents) {
            for number in rereadable
            where loaded.captures[number].summary.tcpSegments <= UnfinishedConnections.mostSegments {
                loaded.captures[number].loadUnfinished(progress)
            }
        } else {
            for number in loaded.captures.indices { loaded.captures[number].connections.unfinished = nil }
        }
        var next = 0
        for argument in arguments {
            loaded.take(contents[next..<next + argument.files.count], of: argument)
            next += argument.files.count
        }
        loaded.join()
        return loaded
    }

    /// The places of files in the order in which they are read: recordings first, as far as their names tell, since they are
    /// read in the background, beside the captures.
    private static func recordingsFirst(_ files: [Candidate]) -> [Int] {
        // Who writes into pipes may expect that they are read in their order.
        func isFirst(_ file: Candidate) -> Bool {
            [".jsonl", ".jsonl.zst"].contains(where: file.path.hasSuffix) && Argument.type(of: file.path) == S_IFREG
        }
        let first = files.indices.filter { isFirst(files[$0]) }
        return first + Set(files.indices).subtracting(first).sorted()
    }

    /// - Returns: nil if the file is read in the background.
    private func read(_ candidate: Candidate, _ number: Int, _ background: BackgroundReader) -> FileContent? {
        do {
            let file = try InputFile(path: candidate.path)
            if candidate.isListed, file.size == 0 { return candidate.isOptional ? .neither : .empty }
            switch file.contentKind {
            case .pcap, .pcapng: return .capture(try capture(file), isRereadable: file.isRereadable)
            case .gzip, .zstd, .lz4, .xz, .bzip2, .other:
                guard file.isRereadable else { return RecordingReader.read(candidate, opened: file) }
                background.read(candidate, number)
                return nil
            }
        } catch {
            return .failure("\(candidate.path): \(error)")
        }
    }

    private func capture(_ file: InputFile) throws -> CaptureInput {
        guard file.isRereadable else {
            var whole = StreamedSegments(memory: memory)
            let summary = try file.scan(selecting: .all, progress: progress, into: &whole)
            var input = CaptureInput(file: file.path, summary: summary, resets: whole.resets.finish())
            input.connections = whole.connections.finish()
            if input.resets.isEmpty, summary.tcpSegments <= UnfinishedConnections.mostSegments, !input.isFiltered {
                input.connections.unfinished = UnfinishedConnections(
                    input.connections.table, end: summary.lastTime ?? 0)
            }
            return input
        }
        var resets = CollectedSegments()
        let summary = try file.scan(selecting: .resets, progress: progress, into: &resets)
        return CaptureInput(file: file.path, summary: summary, resets: resets.finish())
    }

    /// Reads captures once more, for the connections that a RST or an ICMP error of any capture belongs to: what one has of a
    /// connection that is reset in another is evidence.
    private func loadConnections(of captures: inout [CaptureInput], _ rereadable: [Int]) {
        var filter = ConnectionFilter(
            expecting: captures.reduce(0) { $0 + $1.resets.count + $1.summary.icmpErrors.count })
        for capture in captures {
            for reset in capture.resets { filter.insert(reset.segment.tuple) }
            for error in capture.summary.icmpErrors where error.mayQuoteSyn { filter.insert(error.tuple) }
        }
        guard filter.count > 0 else { return }
        for number in rereadable { captures[number].loadConnections(filter, progress) }
    }
}

extension LoadedInputs {
    fileprivate mutating func take(_ contents: ArraySlice<FileContent?>, of argument: Argument) {
        var isEmpty = true
        var hollow: [String] = []
        var others = argument.others
        for (file, content) in zip(argument.files, contents) {
            switch content {
            case .capture:
                isEmpty = false
                files.append(file.path)
            case .recording(let input):
                isEmpty = false
                files.append(file.path)
                recordings.append(input)
            case .failure(let failure):
                isEmpty = false
                failures.append(failure)
            case .empty: hollow.append(file.path)
            case .neither, nil: others.append(file.path)
            }
        }
        empty += hollow
        failures += argument.failures
        if argument.isDirectory, isEmpty, argument.failures.isEmpty {
            let inside = others.contains { Argument.type(of: $0) == S_IFDIR }
            failures.append(
                "\(argument.path): no capture and no events.jsonl in this directory"
                    + (hollow.first.map { "; \($0) is empty" } ?? "")
                    + (inside ? "; -R also reads the directories in it" : ""))
        } else {
            passedOver += others.sorted()
        }
    }
}

/// What became of a file.
enum FileContent: Sendable {
    case capture(CaptureInput, isRereadable: Bool)
    case recording(EventInput)
    /// A file without a byte, of a directory, and named like one of both.
    case empty
    /// Neither a capture nor events, which is nobody's mistake.
    case neither
    /// A sentence with its name.
    case failure(String)
}

extension FileContent? {
    /// A recording that has something to tell.
    fileprivate var hasEvents: Bool {
        if case .recording(let input)? = self { !input.recording.events.isEmpty } else { false }
    }
}

/// A file that may be a capture or a recording.
struct Candidate: Sendable {
    let path: String
    /// Of a directory, and not named as one of both: other files may lie beside a recording.
    let isOptional: Bool
    /// The user named its directory.
    let isListed: Bool
}

/// What the user named: a file, or a directory that stands for the files in it.
struct Argument {
    let path: String
    let isDirectory: Bool
    let files: [Candidate]
    /// What else a directory holds: directories, pipes, sockets, links that lead nowhere.
    let others: [String]
    /// Directories that cannot be read, and links named like an input that lead nowhere, with the reason.
    let failures: [String]

    init(_ path: String, recursively: Bool) {
        self.path = path
        isDirectory = path != "-" && Self.type(of: path) == S_IFDIR
        guard isDirectory else {
            files = [Candidate(path: path, isOptional: false, isListed: false)]
            (others, failures) = ([], [])
            return
        }
        var (files, others, failures): ([Candidate], [String], [String]) = ([], [], [])
        // What is yet to be looked at, the next at the end.
        var rest = Self.inside(path, &failures)
        while let candidate = rest.popLast() {
            if Self.type(of: candidate.path) == S_IFREG {
                files.append(candidate)
            } else if recursively, Self.isDirectory(candidate.path) {
                rest += Self.inside(candidate.path, &failures)
            } else if !candidate.isOptional, Self.type(of: candidate.path) == nil {
                failures.append("\(candidate.path): \(String(cString: strerror(errno)))")
            } else {
                others.append(candidate.path)
            }
        }
        (self.files, self.others, self.failures) = (files, others, failures)
    }

    /// In descending order of their names.
    private static func inside(_ path: String, _ failures: inout [String]) -> [Candidate] {
        guard let names = namesInDirectory(path) else {
            failures.append("\(path): cannot read this directory: \(String(cString: strerror(errno)))")
            return []
        }
        return names.filter { !$0.hasPrefix(".") }.sorted(by: >).map {
            Candidate(path: "\(path)/\($0)", isOptional: !isNamedAsInput($0), isListed: true)
        }
    }

    /// A link to one is none: it may lead back.
    private static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return lstat(path.pathBytes, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Of a file, links followed; nil if it cannot be determined.
    static func type(of path: String) -> mode_t? {
        var status = stat()
        return stat(path.pathBytes, &status) == 0 ? status.st_mode & S_IFMT : nil
    }

    /// Whether a file of a directory is meant to be a capture or events, so that it is said if it is not.
    private static func isNamedAsInput(_ name: String) -> Bool {
        let name = name.lowercased()
        let plain =
            [".gz", ".zst", ".lz4", ".xz", ".bz2"].first(where: name.hasSuffix).map { name.dropLast($0.count) }
            ?? name[...]
        return [".pcap", ".pcapng", ".cap", ".jsonl"].contains(where: plain.hasSuffix)
    }
}

public import Correlator
import Glibc
import HostFiles
public import KernelEvents
public import NetworkTypes

/// Captures and recordings that are still being written, and their RSTs as they settle.
public final class LiveInput {
    private var files: [LiveFile] = []
    /// What is followed as soon as it is there: only then is it known to be a file or a directory.
    private var awaited: [String]
    private let memory: Int
    private var correlator: LiveCorrelator

    /// What keeps a file from being followed, a sentence with its name.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// - Parameters:
    ///   - paths: captures, events, or directories that recordings are written into; they need not be there yet.
    ///   - settlingTime: see `LiveCorrelator`.
    ///   - memory: see `ConnectionFollower`.
    public init(_ paths: [String], settlingTime: Int64, memory: Int) {
        awaited = paths
        self.memory = memory
        correlator = LiveCorrelator(settlingTime: settlingTime)
    }

    /// - Parameters:
    ///   - directory: of a divided recording.
    ///   - number: its files that come after this one are read.
    public init(directory: String, after number: Int, settlingTime: Int64, memory: Int) {
        awaited = []
        self.memory = memory
        files = RecordingStream.allCases.map {
            LiveFile(FileSequence($0, in: directory, after: number), memory: memory)
        }
        correlator = LiveCorrelator(settlingTime: settlingTime)
    }

    /// See `LiveCorrelator`.
    private static let patience: Int64 = 1_500_000_000
    /// Bytes of a pipe that may wait to be judged: the recorder has room of its own.
    private static let waitingBytes = 4 << 20

    /// - Parameter pipes: what they are called, and their descriptors, which block and belong to the caller.
    public init(pipes: [(name: String, descriptor: Int32)], settlingTime: Int64, memory: Int) {
        awaited = []
        self.memory = memory
        files = pipes.map {
            LiveFile(path: $0.name, pipe: PipeReader($0.descriptor, limit: Self.waitingBytes), memory: memory)
        }
        correlator = LiveCorrelator(settlingTime: settlingTime)
    }

    /// RSTs given out so far.
    public var count: Int { correlator.count }

    /// See `LiveCorrelator`.
    public var eventsLost: [String: Int] { correlator.eventsLost }
    public var namespaces: [UInt32] { correlator.namespaces }
    public var addresses: [IPAddress] { correlator.addresses }
    public var header: RecordingHeader? { correlator.header }

    /// What comes is read from pipes, as fast as it comes.
    public var isPaced: Bool { awaited.isEmpty && files.allSatisfy(\.isPipe) }

    /// Nothing more comes: all pipes were closed.
    public var hasEnded: Bool { awaited.isEmpty && files.allSatisfy(\.hasEnded) }

    /// The files of which something was read, each once.
    public var filesRead: [String] { files.flatMap(\.filesRead) }

    /// What the user should know that came up since this was asked the last time.
    public func takeNotes() -> [String] { files.flatMap { $0.takeNotes() } }

    /// Reads what was written since the last time.
    ///
    /// - Parameter time: now, by a steady clock, nanoseconds.
    /// - Returns: whether that was anything.
    public func read(at time: Int64) throws(Failure) -> Bool {
        var hasRead = false
        lookForAwaited()
        for file in files {
            do {
                if try file.read(into: &correlator, at: time) { hasRead = true }
            } catch {
                throw Failure(description: "\(file.path): \(error)")
            }
        }
        return hasRead
    }

    /// The RSTs that are settled by now.
    ///
    /// - Parameter time: the same clock; nil if nothing more is to come.
    public func settled(at time: Int64?) -> LiveCorrelator.Settled {
        correlator.settled(
            at: time, behind: files.map(\.behind).max() ?? 0, patience: Self.patience
        ) { [files] number in
            files.lazy.compactMap { $0.followed(capture: number) }.first
        }
    }

    private func lookForAwaited() {
        awaited.removeAll { path in
            var status = stat()
            guard stat(path.pathBytes, &status) == 0 else { return false }
            let sequences =
                status.st_mode & S_IFMT == S_IFDIR
                ? RecordingStream.allCases.map { FileSequence($0, in: path) } : [FileSequence(path)]
            files += sequences.map { LiveFile($0, memory: memory) }
            return true
        }
    }
}

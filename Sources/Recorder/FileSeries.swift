import Glibc
import HostFiles
import Synchronization

/// The files of a recording that is divided: pairs of a capture and events with one number, `capture-000007.pcapng` and
/// `events-000007.jsonl`, each complete in itself.
///
/// The threads that write them ask it when to go on to the next pair; it deletes the oldest pairs when there are too many.
public final class FileSeries: Sendable {
    /// When a pair is complete, and what is kept.
    public struct Limits: Sendable, Equatable {
        /// Bytes of one of both files; nil is no limit.
        public var fileSize: Int?
        /// Nanoseconds.
        public var fileTime: Int64?
        /// Pairs that are kept, the one that is being written included.
        public var keep: Int?
        /// Bytes of all files.
        public var totalSize: Int?
        /// Nanoseconds that are kept in case they are asked for; everything else is let go of.
        public var flight: Int64?
        /// The events are compressed, and their names say so.
        public var compresses = false
        public init() {}
    }

    typealias Stream = RecordingStream

    public let directory: String
    public let limits: Limits
    /// The number of the first pair.
    public let first: Int
    /// Which recording the files are of.
    let id: String
    private let state: Mutex<State>
    private let tell: @Sendable (String) -> Void

    private struct State {
        /// The pair that is to be written.
        var current: Int
        /// When it was begun, CLOCK_MONOTONIC.
        var begun: Int64
        /// The last number that each stream has completed.
        var completed: [Int]
        /// When pairs were complete, by their numbers.
        var ends: [Int: Int64] = [:]
        /// Where the pairs up to a number are to be moved to.
        var saving: (upTo: Int, directory: String)?
    }

    /// Numbers go on after those that are in the directory.
    ///
    /// - Parameter tell: called with what the user should know.
    public init(in directory: String, _ limits: Limits, tell: @escaping @Sendable (String) -> Void = { _ in }) {
        self.directory = directory
        self.limits = limits
        self.tell = tell
        id = String(UInt64.random(in: 1 ... .max), radix: 16)
        first = (Self.numbers(in: directory).max() ?? 0) + 1
        state = Mutex(
            State(current: first, begun: clockNanoseconds(CLOCK_MONOTONIC), completed: [first - 1, first - 1]))
    }

    /// Only what is asked for is kept.
    public var isFlight: Bool { limits.flight != nil }

    /// The pair that is to be written now.
    var current: Int { state.withLock(\.current) }

    func path(_ stream: Stream, _ number: Int) -> String {
        let ending = stream == .events && limits.compresses ? Stream.compressedEnding : ""
        return "\(directory)/\(stream.name(number))\(ending)"
    }

    /// The names that the files of a pair may have: an earlier recording in the directory may have been compressed, or not.
    private static func names(_ number: Int) -> [String] {
        Stream.allCases.map { $0.name(number) } + [Stream.events.name(number) + Stream.compressedEnding]
    }

    /// The number of the pair to go on to; nil as long as the stream is to go on with the one it has.
    ///
    /// - Parameters:
    ///   - size: of the stream's file, bytes.
    ///   - now: CLOCK_MONOTONIC.
    func next(after number: Int, size: Int, now: Int64) -> Int? {
        state.withLock { state in
            if state.current == number,
                size >= limits.fileSize ?? .max || now - state.begun >= limits.fileTime ?? .max
            {
                state.current += 1
                state.begun = now
            }
            return state.current > number ? state.current : nil
        }
    }

    /// Notes that a stream's file is complete; once both are, what is no longer wanted is deleted.
    func complete(_ stream: Stream, _ number: Int, now: Int64) {
        let saving = state.withLock { state -> (upTo: Int, directory: String)? in
            state.completed[stream.rawValue] = number
            guard state.completed.min() == number else { return nil }
            state.ends[number] = now
            guard let saving = state.saving, number >= saving.upTo else { return nil }
            state.saving = nil
            return saving
        }
        if let saving { move(upTo: saving.upTo, to: saving.directory) }
        prune(now)
    }

    /// Has what is in memory and on disk by now moved into a directory of its own, as soon as both files are complete.
    public func save(named name: String) {
        let now = clockNanoseconds(CLOCK_MONOTONIC)
        state.withLock { state in
            guard state.saving == nil else { return }
            state.saving = (state.current, "\(directory)/\(name)")
            state.current += 1
            state.begun = now
        }
    }

    /// At the end, when the last files are complete: moves what there is into a directory of its own.
    public func finish(saving name: String) { move(upTo: current, to: "\(directory)/\(name)") }

    /// At the end: deletes what there is. What an earlier recorder left stays.
    public func discard() { for number in Self.numbers(in: directory) where number >= first { remove(number) } }

    private func move(upTo last: Int, to target: String) {
        guard mkdir(target.pathBytes, 0o700) == 0 || errno == EEXIST else {
            tell("cannot create \(target): \(RecorderError.systemReason)")
            return
        }
        var count = 0
        for number in Self.numbers(in: directory).sorted() where number >= first && number <= last {
            for name in Self.names(number) {
                if rename("\(directory)/\(name)".pathBytes, "\(target)/\(name)".pathBytes) == 0 {
                    count += 1
                } else if errno != ENOENT {
                    tell("cannot move \(directory)/\(name): \(RecorderError.systemReason)")
                }
            }
        }
        tell("kept \(count) files in \(target)")
    }

    private func prune(_ now: Int64) {
        let (ends, complete, current) = state.withLock { ($0.ends, $0.completed.min() ?? 0, $0.current) }
        let kept = limits.keep.map { complete < current ? $0 - 1 : $0 } ?? .max
        var pairs: [(number: Int, size: Int)] = Self.numbers(in: directory).sorted().map { number in
            (number, Self.names(number).reduce(0) { $0 + Self.size("\(directory)/\($1)") })
        }
        // What is being written is not touched.
        pairs.removeAll { $0.number > complete }
        var total = pairs.reduce(0) { $0 + $1.size }
        // Room for the pair that is being written.
        let room = limits.totalSize.map { $0 - 2 * (limits.fileSize ?? 0) }
        for (index, pair) in pairs.enumerated() {
            let isTooMany = pairs.count - index > kept
            let isTooLarge = total > room ?? .max
            // What an earlier recorder left in the directory is not a part of this flight.
            let isTooOld =
                pair.number >= first
                && limits.flight.map { flight in ends[pair.number].map { now - $0 > flight } ?? true } ?? false
            guard isTooMany || isTooLarge || isTooOld else { continue }
            remove(pair.number)
            total -= pair.size
        }
        let gone = Set(ends.keys).subtracting(pairs.map(\.number))
        state.withLock { state in for number in gone { state.ends[number] = nil } }
    }

    private func remove(_ number: Int) { for name in Self.names(number) { unlink("\(directory)/\(name)".pathBytes) } }

    private static func size(_ path: String) -> Int {
        var status = stat()
        return lstat(path.pathBytes, &status) == 0 && status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : 0
    }

    /// Of the pairs that are there, whole or half.
    private static func numbers(in directory: String) -> Set<Int> {
        Set(
            (namesInDirectory(directory) ?? []).compactMap { name in
                let ending = Stream.compressedEnding
                return Stream.capture.number(name)
                    ?? Stream.events.number(name.hasSuffix(ending) ? String(name.dropLast(ending.count)) : name)
            })
    }
}

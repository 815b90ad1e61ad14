import Glibc
import HostFiles

/// A file that is written from its beginning to its end, or somebody else's descriptor.
///
/// A recorder that cannot begin leaves no trace: until `commit()`, an earlier file keeps its name and its content, and a new
/// one is removed again. Nothing that others can put into the directory is followed or waited for.
final class OutputFile {
    /// What messages call it.
    private(set) var name: String
    private var descriptor: Int32
    /// Bytes that were written to it.
    private(set) var size = 0
    /// Nil for a descriptor of the caller's.
    private var place: Place?
    /// The name that it has while an earlier file has its own.
    private var temporaryName: String?
    /// The earlier file, whose lock keeps other recorders away; -1 if there is none.
    private var earlier: Int32 = -1
    private var isCommitted = false
    /// Nil if bytes are written as they are.
    private let compressor: ZstdStream?
    private var isBroken = false
    /// A pipe whose reader may stand still.
    private let mayBlock: Bool
    /// Once it is set, a pipe that nobody reads is given up.
    private let stopping: StopFlag?

    /// A directory, and a name in it.
    private struct Place {
        let directory: Int32
        let name: String
        let path: String
    }

    /// What has become of the file since it was made.
    enum Fate: Equatable {
        case inPlace
        /// It is still written, under another name.
        case moved(to: String)
        /// Nobody can open it any more.
        case deleted
        /// It is shorter than what was written to it.
        case truncated
    }

    /// O_PATH of open(2), the same on all architectures that the programs are made for.
    static let pathOnly: Int32 = 0o10_000_000

    /// Nanoseconds after which a pipe that nobody reads is given up, once the recording is to end.
    private static let patience: Int64 = 2_000_000_000

    /// - Parameters:
    ///   - owner: whose it is to be; nil for who makes it.
    ///   - compresses: write zstd.
    init(
        _ output: RecordingOutput, of owner: FileOwner? = nil, compresses: Bool = false, until stopping: StopFlag? = nil
    ) throws(RecorderError) {
        name = output.name
        compressor = compresses ? ZstdStream() : nil
        self.stopping = stopping
        switch output {
        case .descriptor(let number, _):
            (descriptor, mayBlock) = try Self.duplicate(number, name: output.name)
            place = nil
        case .file(let path):
            let place = try Self.place(path)
            do throws(RecorderError) {
                (earlier, temporaryName) = try Self.earlierFile(place)
                descriptor = try Self.create(temporaryName ?? place.name, in: place)
                if let owner, fchown(descriptor, owner.user, owner.group) != 0 {
                    let reason = RecorderError.systemReason
                    unlinkat(place.directory, temporaryName ?? place.name, 0)
                    close(descriptor)
                    throw RecorderError.cannotWrite(path: path, reason: reason)
                }
            } catch {
                close(place.directory)
                throw error
            }
            self.place = place
            mayBlock = false
        }
    }

    deinit {
        if let place {
            if !isCommitted { unlinkat(place.directory, temporaryName ?? place.name, 0) }
            close(place.directory)
        }
        if descriptor >= 0 { close(descriptor) }
        if earlier >= 0 { close(earlier) }
    }

    /// Gives the file its name, in place of an earlier one.
    func commit() throws(RecorderError) {
        if let place, let temporary = temporaryName {
            guard renameat(place.directory, temporary, place.directory, place.name) == 0 else { throw failure() }
            temporaryName = nil
        }
        isCommitted = true
    }

    func write(_ bytes: [UInt8]) throws(RecorderError) {
        guard let compressor else { return try writeRaw(bytes[...]) }
        try compressor.write(bytes, now: clockNanoseconds(CLOCK_MONOTONIC)) { part throws(RecorderError) in
            try writeRaw(part)
        }
    }

    /// What was written is all of the file.
    func finish() throws(RecorderError) {
        try compressor?.finish { part throws(RecorderError) in try writeRaw(part) }
    }

    var isCompressed: Bool { compressor != nil }

    /// Whether the kernel has all that was written: what is compressed waits for more.
    var isSettled: Bool { compressor?.isSettled ?? true }

    private func writeRaw(_ bytes: ArraySlice<UInt8>) throws(RecorderError) {
        // What comes after a gap in a frame cannot be read.
        if isBroken { throw RecorderError.cannotWrite(path: name, reason: "an earlier part could not be written") }
        var done = bytes.startIndex
        var givenUp: Int64?
        while done < bytes.endIndex {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                done += count
                size += count
                givenUp = nil
            } else if count < 0, errno == EINTR {
                continue
            } else if count < 0, errno == EAGAIN, mayBlock {
                try waitForReader(&givenUp)
            } else {
                isBroken = compressor != nil
                throw failure()
            }
        }
    }

    /// - Parameter givenUp: when to stop waiting, CLOCK_MONOTONIC; nil as long as the recording goes on.
    private func waitForReader(_ givenUp: inout Int64?) throws(RecorderError) {
        var descriptors = [pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)]
        poll(&descriptors, 1, 100)
        guard stopping?.isSet == true else { return }
        let now = clockNanoseconds(CLOCK_MONOTONIC)
        if let givenUp, now >= givenUp {
            throw RecorderError.cannotWrite(path: name, reason: "nobody reads it")
        }
        givenUp = givenUp ?? now + Self.patience
    }

    func fate() -> Fate {
        guard let place, isCommitted else { return .inPlace }
        var own = stat()
        guard fstat(descriptor, &own) == 0 else { return .inPlace }
        guard own.st_nlink > 0 else { return .deleted }
        guard Int(own.st_size) >= size else { return .truncated }
        var there = stat()
        let isThere = lstat(place.path.pathBytes, &there) == 0
        if isThere, there.st_dev == own.st_dev, there.st_ino == own.st_ino { return .inPlace }
        return .moved(to: path)
    }

    /// Where the file is by now.
    var path: String {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { bytes in
            bytes.withMemoryRebound(to: CChar.self) {
                readlink("/proc/self/fd/\(descriptor)", $0.baseAddress!, $0.count)
            }
        }
        guard count > 0 else { return name }
        return buffer.withUnsafeBytes { String(pathBytes: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }

    /// Makes a file of the same name for one that was deleted. Fails if its directory was deleted too.
    func makeAnew() throws(RecorderError) {
        guard let place else { return }
        let new = try Self.create(place.name, in: place)
        close(descriptor)
        descriptor = new
        size = 0
        compressor?.startAgain()
    }

    /// Begins a file anew whose content is gone.
    func beginAgain() throws(RecorderError) {
        guard fate() != .deleted else { return try makeAnew() }
        guard ftruncate(descriptor, 0) == 0 else { throw failure() }
        size = 0
        compressor?.startAgain()
    }

    /// Goes on with another file of the same directory; this one is complete.
    func goOn(to path: String) throws(RecorderError) {
        guard let old = place else { return }
        let next = try Self.place(path)
        close(old.directory)
        place = next
        name = path
        try makeAnew()
    }

    private func failure() -> RecorderError {
        RecorderError.cannotWrite(path: name, reason: RecorderError.systemReason)
    }

    /// A pipe gets a file description of its own that never waits: its other users keep theirs.
    private static func duplicate(_ number: Int32, name: String) throws(RecorderError) -> (Int32, mayBlock: Bool) {
        var status = stat()
        if fstat(number, &status) == 0, status.st_mode & S_IFMT == S_IFIFO {
            let pipe = open("/proc/self/fd/\(number)", O_WRONLY | O_NONBLOCK | O_CLOEXEC)
            if pipe >= 0 { return (pipe, true) }
        }
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 3)
        guard copy >= 0 else { throw RecorderError.cannotWrite(path: name, reason: RecorderError.systemReason) }
        return (copy, false)
    }

    private static func place(_ path: String) throws(RecorderError) -> Place {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let parent = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let name = slash.map { String(path[path.utf8.index(after: $0)...]) } ?? path
        guard !name.isEmpty else { throw RecorderError.cannotWrite(path: path, reason: "it is a directory") }
        let directory = open(parent.pathBytes, Self.pathOnly | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else {
            throw RecorderError.cannotWrite(path: path, reason: RecorderError.systemReason)
        }
        return Place(directory: directory, name: name, path: path)
    }

    /// The file that has the name already, locked, and a name for the new one meanwhile.
    private static func earlierFile(_ place: Place) throws(RecorderError) -> (Int32, temporaryName: String?) {
        var status = stat()
        guard fstatat(place.directory, place.name.pathBytes, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            // Whatever else is wrong shows when the file is made.
            return (-1, nil)
        }
        func check() throws(RecorderError) {
            let kind: String
            switch status.st_mode & S_IFMT {
            case S_IFREG: return
            case S_IFLNK: kind = "a symbolic link"
            case S_IFIFO: kind = "a pipe"
            case S_IFDIR: kind = "a directory"
            case S_IFSOCK: kind = "a socket"
            default: kind = "a device"
            }
            throw RecorderError.cannotWrite(
                path: place.path, reason: "it is \(kind), and only regular files are written")
        }
        try check()
        let file = openat(place.directory, place.name.pathBytes, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else { throw RecorderError.cannotWrite(path: place.path, reason: RecorderError.systemReason) }
        do throws(RecorderError) {
            // It may be another one by now.
            guard fstat(file, &status) == 0 else { return (file, nil) }
            try check()
            guard flock(file, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
                throw RecorderError.cannotWrite(path: place.path, reason: "another recorder is writing it")
            }
        } catch {
            close(file)
            throw error
        }
        return (file, ".\(place.name).\(getpid())-\(UInt32.random(in: 0 ... .max))")
    }

    private static func create(_ name: String, in place: Place) throws(RecorderError) -> Int32 {
        var status = stat()
        if fstat(place.directory, &status) == 0, status.st_nlink == 0 {
            throw RecorderError.cannotWrite(path: place.path, reason: "its directory was deleted")
        }
        // Without O_APPEND, what follows a truncation would come after a hole, and hide it.
        let file = openat(
            place.directory, name.pathBytes, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
            0o600 as mode_t)
        guard file >= 0 else {
            throw RecorderError.cannotWrite(path: place.path, reason: RecorderError.systemReason)
        }
        // Nobody else knows it yet.
        flock(file, LOCK_EX | LOCK_NB)
        return file
    }
}

/// The content of a small file; empty if it cannot be read.
func readFile(_ path: String) -> [UInt8] { contents(ofFile: path) ?? [] }

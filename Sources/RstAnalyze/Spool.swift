import Glibc
import HostFiles
import InputFiles

/// A directory of files with lines, for a shipper to carry away: a file is written under a name that ends in `.tmp` and renamed
/// once it is complete, and never changes after that.
///
/// What nobody carries away is bounded: the oldest files go when there are too many bytes, and are counted.
final class Spool {
    struct Limits: Equatable {
        /// Bytes of a file.
        var fileSize = 16 << 20
        /// Nanoseconds after which a file is complete, however small it is.
        var fileTime: Int64 = 60_000_000_000
        /// Bytes of all complete files.
        var totalSize = 1 << 30
    }

    private var directory: Int32
    private let path: String
    private let limits: Limits
    private var file: Int32 = -1
    private var name = ""
    private var size = 0
    private var begun: Int64 = 0
    private var sequence = 0
    /// Files that went before anybody had carried them away.
    private(set) var filesDropped = 0

    private static let ending = ".ndjson"

    /// Makes the directory if it is not there, and completes what a killed program has left in it.
    init(_ path: String, _ limits: Limits) throws(WriteFailure) {
        self.path = path
        self.limits = limits
        directory = try Self.open(path)
        for name in namesInDirectory(path) ?? [] where name.hasPrefix("rst-") && name.hasSuffix(".tmp") {
            recover(name)
        }
    }

    deinit {
        if file >= 0 { close(file) }
        close(directory)
    }

    /// Writes whole lines.
    ///
    /// - Parameters:
    ///   - now: CLOCK_MONOTONIC.
    ///   - stamp: the time for a file's name, `20261126T120305Z`.
    func write(_ lines: [UInt8], now: Int64, stamp: () -> String) throws(WriteFailure) {
        if file < 0 { try begin(now, stamp()) }
        var done = 0
        while done < lines.count {
            let count = lines[done...].withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let failure = WriteFailure("write", "\(path)/\(name).tmp")
                // Nobody is to read half a line.
                ftruncate(file, off_t(size))
                throw failure
            }
            done += count
        }
        size += lines.count
        if size >= limits.fileSize { try complete() }
    }

    /// Completes a file that is old enough.
    func look(now: Int64) throws(WriteFailure) {
        if file >= 0, now - begun >= limits.fileTime { try complete() }
    }

    /// Makes the directory if it is not there. One program at a time writes into it.
    private static func open(_ path: String) throws(WriteFailure) -> Int32 {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw WriteFailure("create", path) }
        let directory = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw WriteFailure("open", path) }
        guard flock(directory, LOCK_EX | LOCK_NB) == 0 else {
            Glibc.close(directory)
            errno = EBUSY
            throw WriteFailure("write", path)
        }
        return directory
    }

    /// Completes the file that is being written; the next one is made in what has the directory's name by then.
    func reopen() throws(WriteFailure) {
        try complete()
        close(directory)
        directory = -1
        directory = try Self.open(path)
    }

    /// Completes the file that is being written, if there is one.
    func complete() throws(WriteFailure) {
        guard file >= 0 else { return }
        close(file)
        file = -1
        guard renameat(directory, name + ".tmp", directory, name) == 0 else {
            throw WriteFailure("rename", "\(path)/\(name).tmp")
        }
        dropOldest()
    }

    private func begin(_ now: Int64, _ stamp: String) throws(WriteFailure) {
        // Two files may begin in one second, and another program's may be there.
        repeat {
            sequence += 1
            let number = String(sequence)
            name = "rst-\(stamp)-\(String(repeating: "0", count: max(0, 6 - number.count)))\(number)\(Self.ending)"
            file = openat(
                directory, name + ".tmp", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600 as mode_t)
        } while file < 0 && errno == EEXIST
        guard file >= 0 else { throw WriteFailure("create", "\(path)/\(name).tmp") }
        size = 0
        begun = now
    }

    /// A killed program may have left half a line at the end.
    private func recover(_ name: String) {
        let descriptor = openat(directory, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var end = lseek(descriptor, 0, SEEK_END)
        var byte: UInt8 = 0
        while end > 0, pread(descriptor, &byte, 1, end - 1) == 1, byte != UInt8(ascii: "\n") { end -= 1 }
        ftruncate(descriptor, end)
        if end == 0 {
            unlinkat(directory, name, 0)
        } else {
            renameat(directory, name, directory, String(name.dropLast(4)))
        }
    }

    private func dropOldest() {
        // Names are in the order of time.
        var files: [(name: String, size: Int)] = []
        for name in (namesInDirectory(path) ?? []).sorted() where name.hasPrefix("rst-") && name.hasSuffix(Self.ending)
        {
            var status = stat()
            guard fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0, status.st_mode & S_IFMT == S_IFREG else {
                continue
            }
            files.append((name, Int(status.st_size)))
        }
        var total = files.reduce(0) { $0 + $1.size }
        for file in files.dropLast() where total > limits.totalSize {
            guard unlinkat(directory, file.name, 0) == 0 else { continue }
            total -= file.size
            filesDropped += 1
        }
    }
}

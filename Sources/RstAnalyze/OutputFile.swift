import CLinux
import Glibc
import HostFiles

/// A file to write into, which takes the place of an earlier one only when it is complete: after a failure, the earlier one is
/// there as it was, and nothing else.
///
/// Devices, pipes, symbolic and hard links, and files with an ACL or other attributes are written into as they are, and so is
/// every file where the file system knows no files without names (`O_TMPFILE`).
final class OutputFile {
    let descriptor: Int32
    private let path: String
    /// Whether it has no name yet.
    private let isUnnamed: Bool

    /// Throws if it can be neither created nor opened.
    init(_ path: String) throws(WriteFailure) {
        self.path = path
        let unnamed = Self.unnamed(for: path)
        isUnnamed = unnamed != nil
        descriptor = unnamed ?? open(path.pathBytes, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        if descriptor < 0 { throw WriteFailure("write", path) }
    }

    deinit { close(descriptor) }

    /// Nil if the file itself is to be written into.
    private static func unnamed(for path: String) -> Int32? {
        var earlier = stat()
        let isThere = lstat(path.pathBytes, &earlier) == 0
        if isThere {
            guard earlier.st_mode & S_IFMT == S_IFREG, earlier.st_nlink == 1, !linux_has_attributes(path.pathBytes),
                access(path.pathBytes, W_OK) == 0
            else {
                return nil
            }
        }
        let descriptor = linux_create_unnamed(parentDirectory(of: path).pathBytes, 0o644)
        guard descriptor >= 0 else { return nil }
        if isThere {
            // Only root may give it to another user: that must not change whose file it is.
            guard
                earlier.st_uid == geteuid() && earlier.st_gid == getegid()
                    || fchown(descriptor, earlier.st_uid, earlier.st_gid) == 0,
                fchmod(descriptor, earlier.st_mode & 0o7777) == 0
            else {
                close(descriptor)
                return nil
            }
        }
        return descriptor
    }

    /// Everything is written: it gets its name.
    func finish() throws(WriteFailure) {
        guard isUnnamed, linux_name(descriptor, path.pathBytes) != 0 else { return }
        guard errno == EEXIST else { throw WriteFailure("write", path) }
        // Shorter than any name that is too long.
        let temporary = "\(parentDirectory(of: path))/.\(getpid()).tmp"
        unlink(temporary.pathBytes)
        guard linux_name(descriptor, temporary.pathBytes) == 0 else { throw WriteFailure("write", path) }
        guard rename(temporary.pathBytes, path.pathBytes) == 0 else {
            unlink(temporary.pathBytes)
            // Something is mounted there, as containers have single files.
            return try copy()
        }
    }

    /// Writes all into the earlier file.
    private func copy() throws(WriteFailure) {
        let target = open(path.pathBytes, O_WRONLY | O_TRUNC | O_CLOEXEC)
        guard target >= 0 else { throw WriteFailure("write", path) }
        defer { close(target) }
        lseek(descriptor, 0, SEEK_SET)
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count == 0 { return }
            guard count > 0, writeAll(Array(chunk[..<count]), to: target) else { throw WriteFailure("write", path) }
        }
    }
}

import ArgumentParser
import Glibc
import HostFiles
import Logging

/// A directory of new files: nothing that is there already is replaced or followed.
final class CopyDirectory {
    let path: String
    private let descriptor: Int32
    let isNew: Bool
    private var names: [String] = []

    /// - Throws: an exit status, after logging why.
    init(_ path: String) throws {
        self.path = path
        isNew = mkdir(path.pathBytes, 0o700) == 0
        guard isNew || errno == EEXIST else {
            log.error("\(AnonymizationFailure("create", path))")
            throw ExitCode(1)
        }
        descriptor = open(path.pathBytes, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            log.error("\(AnonymizationFailure("open", path))")
            throw ExitCode(1)
        }
    }

    deinit { close(descriptor) }

    /// Whether a file with this name would be in this directory.
    func holds(_ file: String) -> Bool {
        let slash = file.utf8.lastIndex(of: UInt8(ascii: "/"))
        let parent = slash.map { $0 == file.startIndex ? "/" : String(file[..<$0]) } ?? "."
        var (there, here) = (stat(), stat())
        return stat(parent.pathBytes, &there) == 0 && fstat(descriptor, &here) == 0 && there.st_dev == here.st_dev
            && there.st_ino == here.st_ino
    }

    func create(_ name: String) throws(AnonymizationFailure) -> CopyFile {
        let file = openat(descriptor, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600 as mode_t)
        guard file >= 0 else { throw AnonymizationFailure("create", "\(path)/\(name)") }
        names.append(name)
        return CopyFile(path: "\(path)/\(name)", descriptor: file)
    }

    /// Half a copy is none.
    func removeAll() {
        for name in names { unlinkat(descriptor, name, 0) }
        if isNew { rmdir(path.pathBytes) }
    }
}

/// One file of them. That it cannot be written shows when it is finished.
final class CopyFile {
    let path: String
    private let descriptor: Int32
    private var failure: AnonymizationFailure?

    init(path: String, descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    func write(_ bytes: [UInt8]) {
        guard failure == nil, !writeAll(bytes, to: descriptor) else { return }
        failure = AnonymizationFailure("write", path)
    }

    func finish() throws(AnonymizationFailure) {
        if let failure { throw failure }
    }
}

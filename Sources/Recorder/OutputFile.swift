import Glibc
import HostFiles

/// A file that is written from its beginning to its end; `-` is standard output.
///
/// Earlier content is removed only with the first byte that is written: a recorder that cannot begin leaves an earlier
/// recording alone.
final class OutputFile {
    let path: String
    private let descriptor: Int32
    private var isUntouched = true

    private static let standardOutput = "-"

    init(path: String) throws(RecorderError) {
        self.path = path == Self.standardOutput ? "standard output" : path
        guard path != Self.standardOutput else {
            descriptor = dup(STDOUT_FILENO)
            isUntouched = false
            guard descriptor >= 0 else {
                throw RecorderError.cannotWrite(path: self.path, reason: RecorderError.systemReason)
            }
            return
        }
        descriptor = open(path.pathBytes, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw RecorderError.cannotWrite(path: path, reason: RecorderError.systemReason)
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
            close(descriptor)
            throw RecorderError.cannotWrite(path: path, reason: "another recorder is writing it")
        }
    }

    func write(_ bytes: [UInt8]) throws(RecorderError) {
        if isUntouched {
            // A pipe has no length.
            _ = ftruncate(descriptor, 0)
            isUntouched = false
        }
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw RecorderError.cannotWrite(path: path, reason: RecorderError.systemReason)
            }
            done += count
        }
    }

    deinit { close(descriptor) }
}

/// The content of a small file; empty if it cannot be read.
func readFile(_ path: String) -> [UInt8] { contents(ofFile: path) ?? [] }

import Glibc
import HostFiles
import InputFiles
import SelftestDriver

/// A directory for temporary files, removed with this object.
final class Scratch {
    let path: String

    /// Nil if it cannot be created; `errno` says why.
    init?() {
        guard let path = makeTemporaryDirectory() else { return nil }
        self.path = path
    }

    deinit { Self.removeTree(path) }

    /// Removes the directory, the recordings' directories in it, and their files.
    static func removeTree(_ path: String) {
        // Files may still be created while the directory is emptied; the program ends right after.
        for _ in 0..<3 {
            for directory in (namesInDirectory(path) ?? []).map({ "\(path)/\($0)" }) {
                if unlink(directory) == 0 { continue }
                for name in namesInDirectory(directory) ?? [] { unlink("\(directory)/\(name)") }
                rmdir(directory)
            }
            if rmdir(path) == 0 || errno == ENOENT { return }
        }
    }
}

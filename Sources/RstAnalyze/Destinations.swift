import ArgumentParser
import Glibc
import HostFiles
import Logging

/// The files that a report is written into, compared with those that it was made from: nothing that was read is overwritten.
enum Destinations {
    /// Logs which of them would overwrite a file that was read, or each other, and throws the exit status.
    ///
    /// - Parameters:
    ///   - written: names of files, in any order.
    ///   - read: names of files; `-` is standard input.
    static func check(_ written: [String], read: [String]) throws {
        for path in written {
            guard let input = read.first(where: { isSameFile($0 == "-" ? "/dev/stdin" : $0, path) }) else { continue }
            log.error(
                "cannot write \(path): it is one of the files that were read\(input == "-" ? " (standard input)" : "")")
            throw ExitCode(1)
        }
        for (number, path) in written.enumerated() {
            for other in written[..<number] where path == other || isSameFile(path, other) {
                log.error("cannot write \(path): two outputs would be written into it")
                throw ExitCode(1)
            }
        }
    }

    /// Logs why a file cannot be written, as far as that can be told before there is anything to write.
    static func checkPlaces(_ written: [String]) throws {
        for path in written {
            var status = stat()
            let isThere = stat(path.pathBytes, &status) == 0
            guard access((isThere ? path : parentDirectory(of: path)).pathBytes, W_OK) == 0 else {
                log.error("cannot write \(path): \(String(cString: strerror(errno)))")
                throw ExitCode(1)
            }
            if status.st_mode & S_IFMT == S_IFDIR {
                log.error("cannot write \(path): it is a directory")
                throw ExitCode(1)
            }
        }
    }

    /// Also false if one of them does not exist, or is a device or a pipe.
    private static func isSameFile(_ one: String, _ other: String) -> Bool {
        var (a, b) = (stat(), stat())
        return stat(one.pathBytes, &a) == 0 && stat(other.pathBytes, &b) == 0 && a.st_dev == b.st_dev
            && a.st_ino == b.st_ino && a.st_mode & S_IFMT == S_IFREG
    }
}

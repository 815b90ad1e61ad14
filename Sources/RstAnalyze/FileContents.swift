import ArgumentParser
import Glibc
import HostFiles
import Logging

/// The bytes of a file that was named; logs why it cannot be read, and throws the exit status.
func contents(of path: String) throws -> [UInt8] {
    guard let bytes = contents(ofFile: path) else {
        log.error("cannot read \(path): \(String(cString: strerror(errno)))")
        throw ExitCode(1)
    }
    return bytes
}

import Glibc

/// The bytes of a small file; nil if it cannot be read, and then `errno` says why.
package func contents(ofFile path: String) -> [UInt8]? {
    let descriptor = open(path.pathBytes, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count < 0, errno == EINTR { continue }
        let failure = errno
        if count > 0 {
            content += buffer[..<count]
            continue
        }
        close(descriptor)
        errno = failure
        return count == 0 ? content : nil
    }
}

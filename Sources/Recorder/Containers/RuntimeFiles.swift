import Glibc
import HostFiles
import KernelEvents

/// A file of a container runtime.
enum RuntimeFiles {
    /// Its JSON; nil if there is none, or somebody else made it.
    ///
    /// - Parameters:
    ///   - owner: who must own it; nil for anybody, where only root makes files.
    ///   - longest: bytes; a longer one is not read.
    static func json(_ path: String, owner: UInt32?, longest: Int) -> JSONValue? {
        // What is planted there (a pipe, a device) does not hold up anybody.
        let descriptor = open(path.pathBytes, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= longest,
            owner == nil || status.st_uid == owner
        else { return nil }
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while content.count <= longest {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return count == 0 ? JSONValue(content) : nil }
            content += buffer[..<count]
        }
        return nil
    }
}

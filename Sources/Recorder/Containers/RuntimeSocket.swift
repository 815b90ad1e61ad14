import Glibc
import HostFiles

/// A Unix socket at which a container runtime answers by HTTP (Docker's API, which podman has too).
struct RuntimeSocket {
    let path: String
    /// Who must own it; nil for anybody, where only root makes files.
    let owner: UInt32?

    /// Bytes of an answer.
    static let longest = 1 << 20

    enum Failure: Error {
        /// There is none, or it may not be used.
        case unreachable
        /// It did not answer in time, or with too much.
        case silent
    }

    /// The body of a 200; nil for another status.
    ///
    /// - Parameters:
    ///   - target: of the request line.
    ///   - patience: nanoseconds for all of it.
    func get(_ target: String, patience: Int64) throws(Failure) -> [UInt8]? {
        let deadline = clockNanoseconds(CLOCK_MONOTONIC) + patience
        let descriptor = try connected()
        defer { close(descriptor) }
        // HTTP/1.0: the answer is not in chunks, and ends with the connection.
        var request = Array("GET \(target) HTTP/1.0\r\nHost: localhost\r\nUser-Agent: rst-analyze\r\n\r\n".utf8)[...]
        while !request.isEmpty {
            let sent = request.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if sent > 0 {
                request = request.dropFirst(sent)
            } else if errno == EAGAIN {
                try wait(descriptor, POLLOUT, until: deadline)
            } else if errno != EINTR {
                throw .silent
            }
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count == 0 { break }
            if count > 0 {
                answer += buffer[..<count]
                if answer.count > Self.longest { throw .silent }
                // It may come byte by byte for ever.
                if clockNanoseconds(CLOCK_MONOTONIC) > deadline { throw .silent }
            } else if errno == EAGAIN {
                try wait(descriptor, POLLIN, until: deadline)
            } else if errno != EINTR {
                throw .silent
            }
        }
        return Self.body(answer)
    }

    private func wait(_ descriptor: Int32, _ events: Int32, until deadline: Int64) throws(Failure) {
        let left = (deadline - clockNanoseconds(CLOCK_MONOTONIC)) / 1_000_000
        var waiting = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        guard left > 0, poll(&waiting, 1, Int32(clamping: left)) != 0 else { throw .silent }
    }

    /// Connected without following links: what is connected to is what was looked at.
    private func connected() throws(Failure) -> Int32 {
        let file = open(path.pathBytes, OutputFile.pathOnly | O_NOFOLLOW | O_CLOEXEC)
        guard file >= 0 else { throw .unreachable }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK, owner == nil || status.st_uid == owner
        else {
            throw .unreachable
        }
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { throw .unreachable }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = "/proc/self/fd/\(file)".utf8CString
        withUnsafeMutableBytes(of: &address.sun_path) { place in
            name.withUnsafeBytes { place.copyMemory(from: $0) }
        }
        let result = withUnsafeBytes(of: &address) {
            connect(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
        guard result == 0 else {
            // EAGAIN: its queue is full.
            let failure: Failure = errno == EAGAIN ? .silent : .unreachable
            close(descriptor)
            throw failure
        }
        return descriptor
    }

    /// What follows the header of an answer with status 200 (RFC 9112).
    static func body(_ answer: [UInt8]) -> [UInt8]? {
        let status = answer.prefix(13)
        guard status.starts(with: "HTTP/1.".utf8), status.dropFirst(8).elementsEqual(" 200 ".utf8) else { return nil }
        let end = Array("\r\n\r\n".utf8)
        // A header is short.
        for start in 0..<min(1 << 16, max(0, answer.count - 3)) where answer[start..<start + 4].elementsEqual(end) {
            return Array(answer[(start + 4)...])
        }
        return nil
    }
}

import Glibc
import Laboratory

/// What a server, proxy or client of `provoke` is to do.
public struct Settings: Sendable {
    /// Nil resets nothing.
    public var how: How?
    public var when = When()
    /// The share of the connections chosen by `when` that is reset, 0 to 1.
    public var rate = 1.0
    /// The maximum number of resets; nil for no limit.
    public var count: Int?
    /// A server's answer to each request, or what a client sends; nil for a small HTTP message.
    public var message: [UInt8]?
    /// How long a port stays closed or a connection idle, nanoseconds.
    public var pause: Int64 = 1_000_000_000
    /// Whether the loop stops after `count`; a COMMAND is served to its end.
    public var stopsAtCount = true
    /// As in the log.
    public var tool = "rst-analyze"

    public init() {}

    /// A server's answer, longer than what is sent before a reset.
    var answer: [UInt8] {
        if let message { return message }
        var length = 3
        if case .sent(let count) = when.moment { length = max(3, 2 * min(count, 1 << 30)) }
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: \(length)\r\n\r\n"
        return Array(head.utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: length - 1) + [UInt8(ascii: "\n")]
    }
}

extension How {
    /// Why this process cannot reset in this way here; nil if it can.
    public func obstacle(isRoot: Bool) -> String? {
        switch self {
        case .finWait2: isRoot ? nil : "--how fin-wait2 needs root, to forge a segment of the peer"
        case .acceptQueueOverflow:
            File.read("/proc/sys/net/ipv4/tcp_abort_on_overflow")?.first == "1"
                ? SocketFilter.obstacle.map { "--how \(rawValue) needs \($0)" }
                : "--how accept-queue-overflow needs net.ipv4.tcp_abort_on_overflow=1 in this network namespace"
        case .keepaliveTimeout, .userTimeout: SocketFilter.obstacle.map { "--how \(rawValue) needs \($0)" }
        default: nil
        }
    }
}

/// Whether this process may filter what a socket receives: some kernels do not allow that to ordinary users.
public enum SocketFilter {
    /// What is missing; nil if nothing is.
    public static var obstacle: String? {
        guard let socket = try? Socket(family: AF_INET) else { return nil }
        defer { socket.close() }
        do {
            try socket.hear(only: .nothing)
            return nil
        } catch {
            return "CAP_NET_ADMIN here, to drop what the peer sends (\(error))"
        }
    }
}

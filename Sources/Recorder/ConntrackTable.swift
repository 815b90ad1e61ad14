import Glibc
import KernelEvents
import NetworkTypes

/// Looks connections up in the connection tracking tables of network namespaces, through ctnetlink.
struct ConntrackTable {
    private var finder: NamespaceFinder
    /// A socket stays in the namespace that it was made in; -1 where none can be made.
    private var sockets: [UInt32: Int32] = [:]
    private var second: Int64 = 0
    private var asked = 0

    /// So many questions a second at most: a flood of segments that conntrack takes for INVALID must not cost more.
    private static let mostPerSecond = 200
    /// Namespaces come and go while a recorder runs for months.
    private static let capacity = 64

    init(finder: NamespaceFinder) { self.finder = finder }

    /// The entry for a segment of these ends, in either direction; nil if there is none, or nobody can be asked.
    mutating func entry(for segment: FourTuple, in netns: UInt32) -> (original: FourTuple, reply: FourTuple)? {
        let now = clockNanoseconds(CLOCK_MONOTONIC) / 1_000_000_000
        if now != second { (second, asked) = (now, 0) }
        asked += 1
        guard asked <= Self.mostPerSecond, let socket = socket(in: netns) else { return nil }
        let request = ConntrackMessage.request(segment)
        guard send(socket, request, request.count, 0) == request.count else { return nil }
        // The kernel has answered when send() returns.
        var answer = [UInt8](repeating: 0, count: 8192)
        let count = recv(socket, &answer, answer.count, Int32(MSG_DONTWAIT))
        return count > 0 ? ConntrackMessage.entry(Array(answer[..<count])) : nil
    }

    private mutating func socket(in netns: UInt32) -> Int32? {
        if let known = sockets[netns] { return known < 0 ? nil : known }
        guard let namespace = finder.namespace(netns) else { return nil }
        if sockets.count >= Self.capacity { close() }
        let opened =
            (try? NetworkNamespace.run(in: namespace) {
                // NETLINK_NETFILTER
                Glibc.socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 12)
            }) ?? -1
        sockets[netns] = opened
        return opened < 0 ? nil : opened
    }

    mutating func close() {
        for socket in sockets.values where socket >= 0 { Glibc.close(socket) }
        sockets = [:]
    }
}

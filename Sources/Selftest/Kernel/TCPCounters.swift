import Glibc

/// What /proc tells of TCP in the network namespace of the calling thread.
enum TCPCounters {
    /// How many connection requests (NEW_SYN_RECV, shown as SYN_RECV) wait on the local port.
    static func openRequests(port: UInt16) -> Int {
        sockets(port).filter { $0[3] == "03" }.count
    }

    /// How many sockets on the local port are more than a request or a timewait socket.
    static func fullSockets(port: UInt16) -> Int {
        // A timewait socket is shown with its substate; its timer, 3, tells it from all others.
        sockets(port).filter { $0[3] != "03" && !$0[5].hasPrefix("03:") }.count
    }

    /// The fields of the lines of /proc/net/tcp and tcp6 for that local port.
    private static func sockets(_ port: UInt16) -> [[Substring]] {
        ["tcp", "tcp6"].flatMap { (File.read("/proc/thread-self/net/\($0)") ?? "").split(separator: "\n").dropFirst() }
            .map { $0.split(separator: " ") }
            .filter { $0.count > 5 && $0[1].split(separator: ":").last.flatMap { UInt16($0, radix: 16) } == port }
    }

    /// A counter of the `Tcp:` lines of /proc/net/snmp, which count both IP versions: `OutRsts`.
    static func value(_ name: String) -> Int? {
        let lines = (File.read("/proc/thread-self/net/snmp") ?? "").split(separator: "\n").filter {
            $0.hasPrefix("Tcp:")
        }
        guard lines.count == 2, let column = lines[0].split(separator: " ").firstIndex(of: Substring(name)) else {
            return nil
        }
        let values = lines[1].split(separator: " ")
        return values.indices.contains(column) ? Int(values[column]) : nil
    }
}

import Glibc
import Laboratory
import NetworkTypes

/// What /proc shows of TCP in the network namespace of the calling thread.
enum TCPCounters {
    /// How many connection requests (NEW_SYN_RECV, shown as SYN_RECV) wait on the local port.
    static func openRequests(port: UInt16) -> Int {
        TCPTable.sockets(port: port).filter { $0.state == .synReceived }.count
    }

    /// How many sockets on the local port are neither a request nor a timewait socket.
    static func fullSockets(port: UInt16) -> Int {
        TCPTable.sockets(port: port).filter { $0.state != .synReceived && !$0.isTimeWait }.count
    }

    /// A counter from the `Tcp:` lines of /proc/net/snmp, which cover both IP versions, such as `OutRsts`.
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

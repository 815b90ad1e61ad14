import Glibc
package import NetworkTypes

/// The TCP sockets of a network namespace, as /proc/net/tcp and tcp6 list them.
package enum TCPTable {
    package struct Entry: Hashable {
        package let local: Endpoint
        package let remote: Endpoint
        /// A connection request is in SYN_RECV, a timewait socket in its substate.
        package let state: TCPState
        package let isTimeWait: Bool
        /// 0 for a request, and for a connection that was not accepted yet.
        package let inode: UInt64
    }

    /// The sockets with that local port, in the namespace of the calling thread.
    package static func sockets(port: UInt16) -> [Entry] {
        ["tcp", "tcp6"].flatMap { (File.read("/proc/thread-self/net/\($0)") ?? "").split(separator: "\n").dropFirst() }
            .compactMap { entry($0) }
            .filter { $0.local.port == port }
    }

    /// `sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …`
    static func entry(_ line: Substring) -> Entry? {
        let fields = line.split(separator: " ")
        guard fields.count > 9, let local = endpoint(fields[1]), let remote = endpoint(fields[2]),
            let number = UInt8(fields[3], radix: 16), let state = TCPState(rawValue: number),
            let inode = UInt64(fields[9])
        else { return nil }
        // Only a timewait socket has timer 3.
        return Entry(
            local: local, remote: remote, state: state, isTimeWait: fields[5].hasPrefix("03:"), inode: inode)
    }

    /// The address is printed as 32-bit words in machine byte order.
    private static func endpoint(_ text: Substring) -> Endpoint? {
        let parts = text.split(separator: ":")
        guard parts.count == 2, let port = UInt16(parts[1], radix: 16), parts[0].count % 8 == 0 else { return nil }
        var bytes: [UInt8] = []
        var rest = parts[0]
        while !rest.isEmpty {
            guard let word = UInt32(rest.prefix(8), radix: 16) else { return nil }
            bytes += word.nativeBytes
            rest = rest.dropFirst(8)
        }
        guard let address = IPAddress(bytes: bytes) else { return nil }
        return Endpoint(address, port)
    }
}

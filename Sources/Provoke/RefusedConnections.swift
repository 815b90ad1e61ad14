import Glibc
import Laboratory
import NetworkTypes

/// The SYNs that come to a port on which nobody listens, as a raw socket sees them. CAP_NET_RAW.
final class RefusedConnections: EventHandler {
    private let socket: Socket
    private let endpoint: Endpoint
    var number: Int32 { socket.number }
    var report: ((_ local: Endpoint, _ remote: Endpoint) -> Void)?

    init(_ endpoint: Endpoint) throws {
        self.endpoint = endpoint
        socket = try Socket(
            family: endpoint.address.isIPv4 ? AF_INET : AF_INET6, type: Int32(SOCK_RAW.rawValue),
            protocolNumber: Int32(IPPROTO_TCP))
        if !endpoint.address.bytes.allSatisfy({ $0 == 0 }) { try socket.bind(Endpoint(endpoint.address, 0)) }
    }

    func ready(_ descriptor: Int32, _ events: UInt32) {
        var bytes = [UInt8](repeating: 0, count: 2048)
        var address = [UInt8](repeating: 0, count: 28)
        while true {
            var size = socklen_t(address.count)
            let count = address.withUnsafeMutableBytes { raw in
                let pointer = raw.baseAddress!.assumingMemoryBound(to: sockaddr.self)
                return recvfrom(socket.number, &bytes, bytes.count, Int32(MSG_DONTWAIT), pointer, &size)
            }
            guard count >= 0 else { return }
            if let (local, port) = request(bytes[..<count]), let peer = Endpoint(sockaddr: address) {
                report?(local, Endpoint(peer.address, port))
            }
        }
    }

    /// The local end and the remote port of a SYN to the port. IPv4 comes with its header, IPv6 without.
    private func request(_ bytes: ArraySlice<UInt8>) -> (Endpoint, UInt16)? {
        var tcp = bytes
        var local = endpoint.reachable.address
        if endpoint.address.isIPv4 {
            guard let first = bytes.first, bytes.count >= 20 else { return nil }
            local = IPAddress(bytes: bytes[16..<20]) ?? local
            tcp = bytes.dropFirst(Int(first & 15) * 4)
        }
        guard tcp.count >= 20 else { return nil }
        let at = tcp.startIndex
        let port = UInt16(tcp[at + 2]) << 8 | UInt16(tcp[at + 3])
        guard port == endpoint.port, tcp[at + 13] & 0x16 == 0x02 else { return nil }
        return (Endpoint(local, port), UInt16(tcp[at]) << 8 | UInt16(tcp[at + 1]))
    }
}

import Glibc
import NetworkTypes

/// A raw socket whose user writes the IP header too (IPPROTO_RAW).
package final class RawSocket {
    private let socket: Socket

    package init(version: IPVersion) throws {
        socket = try Socket(family: version.family, type: Int32(SOCK_RAW.rawValue), protocolNumber: Int32(IPPROTO_RAW))
    }

    package func send(_ segment: RawSegment) throws {
        let packet = segment.packet
        // ipv6(7): the port of a raw socket's address must be 0.
        let target = Endpoint(segment.destination.address, 0).sockaddr(family: socket.family)
        try target.withUnsafeBytes { raw in
            let pointer = raw.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            try check(sendto(socket.number, packet, packet.count, 0, pointer, socklen_t(raw.count)), "sendto", "raw")
        }
    }
}

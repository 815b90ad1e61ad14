import CLaboratory
import Glibc
package import NetworkTypes

/// An AF_PACKET socket on one interface, or on all: it sees what passes there and can put packets on the wire.
///
/// The laboratory uses it to wait until a reset has really been sent; the recorder under test has its own capture.
package final class PacketTap {
    private let descriptor: Descriptor
    private let index: UInt32
    private var buffer = [UInt8](repeating: 0, count: 65536)
    /// Readable when a packet is waiting.
    package var number: Int32 { descriptor.number }

    /// Opens the tap in the network namespace of the calling thread. CAP_NET_RAW.
    ///
    /// - Parameter port: sees nothing but TCP segments from and to this port; nil sees all packets.
    package convenience init(interface: String, port: UInt16? = nil) throws {
        let index = if_nametoindex(interface)
        guard index != 0 else { throw LabError.system(call: "if_nametoindex", subject: interface, errno: errno) }
        try self.init(index: index) { socket in port.map { laboratory_filter_port(socket, $0) } ?? 0 }
    }

    /// Opens a tap that sees only RSTs that refuse connections to the port, on any interface, as they leave: those with
    /// sequence number 0, which answer segments without ACK (RFC 9293, section 3.10.7.1).
    package convenience init(refusalsFrom port: UInt16) throws {
        try self.init(index: 0) { laboratory_filter_refusals($0, port) }
    }

    private init(index: UInt32, filter: (Int32) -> Int32) throws {
        self.index = index
        let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        descriptor = Descriptor(try check(socket(Self.family, type, 0), "socket", "AF_PACKET"))
        try check(filter(descriptor.number), "SO_ATTACH_FILTER", "AF_PACKET")
        var size: Int32 = 64 << 20
        setsockopt(descriptor.number, SOL_SOCKET, SO_RCVBUFFORCE, &size, 4)
        // The protocol is set only by bind, so that packets of other interfaces never enter the queue.
        try address(protocolNumber: Self.everyProtocol).withUnsafeBytes { raw in
            let pointer = raw.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            try check(bind(descriptor.number, pointer, socklen_t(raw.count)), "bind", "AF_PACKET")
        }
    }

    private static let family: Int32 = 17
    private static let everyProtocol: UInt16 = 0x0003

    /// `struct sockaddr_ll`.
    private func address(protocolNumber: UInt16, hardware: [UInt8] = []) -> [UInt8] {
        UInt16(Self.family).nativeBytes + protocolNumber.bigEndianBytes + index.nativeBytes + [0, 0, 0]
            + [UInt8(hardware.count)] + hardware + [UInt8](repeating: 0, count: 8 - hardware.count)
    }

    /// Sends the IP packet to the hardware address, below the IP layer of this host.
    ///
    /// A hidden packet bypasses the queueing discipline and the taps (PACKET_QDISC_BYPASS), so that this host seems only to
    /// have received or forwarded it on the next interface.
    package func send(_ packet: [UInt8], to hardware: [UInt8], hidden: Bool = false) throws {
        var bypass: Int32 = hidden ? 1 : 0
        try check(setsockopt(descriptor.number, 263, 20, &bypass, 4), "PACKET_QDISC_BYPASS")
        let target = address(protocolNumber: packet[0] >> 4 == 4 ? 0x0800 : 0x86dd, hardware: hardware)
        try target.withUnsafeBytes { raw in
            let pointer = raw.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            try check(sendto(descriptor.number, packet, packet.count, 0, pointer, socklen_t(raw.count)), "sendto")
        }
    }

    /// The next TCP segment that the predicate accepts, in either direction.
    package func next(_ what: String, milliseconds: Int64 = Deadline.patience, where accepts: (RawSegment) -> Bool)
        throws
        -> RawSegment
    {
        let deadline = Deadline(milliseconds: milliseconds)
        while let segment = try next(until: deadline) {
            if accepts(segment) { return segment }
        }
        throw LabError.timeout(what)
    }

    /// The next TCP segment; nil if the deadline passed.
    // Not inlined, and without `nextWaiting()`: otherwise the optimizer of Swift 6.3.1 returns garbage.
    @inline(never)
    package func next(until deadline: Deadline) throws -> RawSegment? {
        while true {
            guard try descriptor.poll(POLLIN, until: deadline) & POLLIN != 0 else {
                if deadline.hasPassed { return nil }
                continue
            }
            let count = recv(descriptor.number, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count < 0, errno == EAGAIN || errno == EINTR || errno == ENETDOWN { continue }
            try check(count, "recv", "AF_PACKET")
            if let segment = RawSegment(packet: buffer[..<count]) { return segment }
        }
    }

    /// A segment, and the index of the interface on which it was seen.
    package struct Arrival {
        package let segment: RawSegment
        package let interface: UInt32
    }

    /// The next TCP segment that is waiting to be read; nil if there is none.
    @inline(never)
    package func nextWaiting() throws -> Arrival? {
        // struct sockaddr_ll: the index lies at byte 4.
        var address = [UInt8](repeating: 0, count: 20)
        while true {
            var size = socklen_t(address.count)
            let count = address.withUnsafeMutableBytes { raw in
                let pointer = raw.baseAddress!.assumingMemoryBound(to: sockaddr.self)
                return recvfrom(descriptor.number, &buffer, buffer.count, Int32(MSG_DONTWAIT), pointer, &size)
            }
            if count < 0, errno == EAGAIN { return nil }
            if count < 0, errno == EINTR || errno == ENETDOWN { continue }
            try check(count, "recvfrom", "AF_PACKET")
            guard let segment = RawSegment(packet: buffer[..<count]) else { continue }
            let interface = address.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self) }
            return Arrival(segment: segment, interface: interface)
        }
    }

    /// How many packets were dropped for lack of room since the last call (PACKET_STATISTICS).
    package func losses() throws -> Int {
        // struct tpacket_stats: all packets, and those that were dropped.
        var counts: (UInt32, UInt32) = (0, 0)
        var size = socklen_t(8)
        try check(getsockopt(descriptor.number, 263, 6, &counts, &size), "PACKET_STATISTICS")
        return Int(counts.1)
    }

    /// Waits until a RST in that direction passes.
    @discardableResult
    package func awaitReset(_ tuple: FourTuple, milliseconds: Int64 = Deadline.patience) throws -> RawSegment {
        try next(
            "RST \(tuple.source).\(tuple.sourcePort) > \(tuple.destination).\(tuple.destinationPort)",
            milliseconds: milliseconds
        ) { $0.flags.contains(.rst) && $0.tuple == tuple }
    }
}

import NetworkTypes
import Testing

@testable import Laboratory
@testable import Selftest

@Suite struct RawSegmentTests {
    /// A SYN of curl as tcpdump -x shows it, with the checksums that the kernel computed.
    @Test func aSegmentHasTheBytesOfTheKernel() throws {
        let bytes: [UInt8] = [
            0x45, 0x00, 0x00, 0x28, 0x00, 0x00, 0x40, 0x00, 0x40, 0x06, 0x3c, 0xce,  // IPv4, DF, TTL 64, TCP
            0x7f, 0x00, 0x00, 0x01, 0x7f, 0x00, 0x00, 0x01,  // 127.0.0.1 to itself
            0x00, 0x51, 0x9c, 0x41, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x03, 0x04,  // 81 to 40001, seq 0, ack
            0x50, 0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // no options, RST|ACK, window 0, checksum below
        ]
        let address = try #require(IPAddress("127.0.0.1"))
        var segment = RawSegment(
            from: Endpoint(address, 81), to: Endpoint(address, 40001), [.rst, .ack], ack: 0x0102_0304)
        segment.window = 0
        let packet = segment.packet
        #expect(Array(packet[..<36]) == Array(bytes[..<36]))
        #expect(RawSegment(packet: bytes) == segment)
    }

    @Test(arguments: ["10.1.2.3", "fd00::1"]) func bytesSurviveARoundTrip(_ text: String) throws {
        let address = try #require(IPAddress(text))
        var segment = RawSegment(
            from: Endpoint(address, 1), to: Endpoint(address, 65535), [.fin, .psh, .ack], seq: .max, ack: 7)
        segment.options = [2, 4, 5, 0xb4]
        segment.payload = [1, 2, 3]
        segment.ttl = 3
        #expect(RawSegment(packet: segment.packet) == segment)
        #expect(segment.nextSeq == 3)
        // A datagram with its checksum in place sums to zero.
        let packet = segment.packet
        if address.isIPv4 { #expect(RawSegment.checksum(Array(packet[..<20])) == 0) }
        let tcp = Array(packet[(address.isIPv4 ? 20 : 40)...])
        let pseudo = address.bytes + address.bytes + [0, 6] + UInt16(tcp.count).bigEndianBytes
        #expect(RawSegment.checksum(pseudo + tcp) == 0)
        for count in 0..<packet.count { #expect(RawSegment(packet: packet[..<count]) == nil) }
    }
}

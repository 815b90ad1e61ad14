import NetworkTypes
import Testing

@testable import PcapReader

/// ICMP messages about TCP segments, byte by byte.
@Suite struct ICMPErrorTests {
    /// IPv4, 10.0.0.2:40000 > 10.0.0.1:80, SYN.
    private static let quoted: [UInt8] =
        [0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1]
        + [0x9c, 0x40, 0, 80, 0, 0, 0, 9, 0, 0, 0, 0, 0x50, 2, 0xfa, 0xf0, 0, 0, 0, 0]

    private static func message(type: UInt8 = 3, code: UInt8 = 3, quoting bytes: [UInt8] = quoted) -> [UInt8] {
        [type, code, 0, 0, 0, 0, 0, 0] + bytes
    }

    /// A raw IP packet from 10.0.0.9.
    private static func packet(_ message: [UInt8]) -> [UInt8] {
        let length = UInt16(20 + message.count)
        return [0x45, 0, UInt8(length >> 8), UInt8(length & 255), 0, 2, 0, 0, 64, 1, 0, 0, 10, 0, 0, 9, 10, 0, 0, 2]
            + message
    }

    private static func decode(_ packet: [UInt8]) -> (DecodedPacket, ICMPError?) {
        var decoder = PacketDecoder(at: 0, captured: packet.count, original: UInt32(packet.count))
        let outcome = decoder.decode(packet.span.bytes, from: .ip)
        return (outcome, decoder.icmpError)
    }

    @Test func thePortIsUnreachable() throws {
        let (outcome, error) = Self.decode(Self.packet(Self.message()))
        #expect(outcome == .icmpError)
        let found = try #require(error)
        #expect((found.type, found.code) == (3, 3))
        #expect(found.sender.description == "10.0.0.9")
        #expect(found.tuple.source.description == "10.0.0.2" && found.tuple.sourcePort == 40_000)
        #expect(found.tuple.destination.description == "10.0.0.1" && found.tuple.destinationPort == 80)
        #expect(found.seq == 9 && found.flags == .syn)
    }

    /// RFC 792 asks for 8 bytes of the segment.
    @Test func aShortQuotationHasNoFlags() {
        let (outcome, error) = Self.decode(Self.packet(Self.message(quoting: Array(Self.quoted.prefix(28)))))
        #expect(outcome == .icmpError)
        #expect(error?.seq == 9 && error?.flags == nil)
    }

    @Test func otherMessagesAreNone() {
        var datagram = Self.quoted
        datagram[9] = 17
        var fragment = Self.quoted
        fragment[7] = 1
        let others = [
            Self.message(type: 8), Self.message(type: 0), Self.message(type: 3, code: 4),
            Self.message(quoting: datagram),
            Self.message(quoting: fragment), Self.message(quoting: Array(Self.quoted.prefix(27))),
            Self.message(quoting: []), [3],
        ]
        for other in others { #expect(Self.decode(Self.packet(other)).0 == .other) }
    }

    @Test func ofVersion6() {
        let ends: [UInt8] =
            [0xfd] + [UInt8](repeating: 0, count: 14) + [2] + [0xfd] + [UInt8](repeating: 0, count: 14) + [1]
        let quoted = [0x60, 0, 0, 0, 0, 20, 6, 64] + ends + Self.quoted.suffix(20)
        let message = [1, 1, 0, 0, 0, 0, 0, 0] + quoted
        let packet = [0x60, 0, 0, 0, 0, UInt8(message.count), 58, 64] + ends + message
        let (outcome, error) = Self.decode(packet)
        #expect(outcome == .icmpError)
        #expect(error?.isVersion6 == true && error?.type == 1 && error?.code == 1 && error?.flags == .syn)
    }

    @Test func theStandardFilterTakesResets() {
        let filter = CaptureFilter(RecordingFilter.standard)
        for isIPv4 in [true, false] {
            #expect(filter.takes(.rst, isIPv4: isIPv4) && filter.takes([.rst, .ack], isIPv4: isIPv4))
            #expect(filter.effect(isIPv4: isIPv4).takesSyns && filter.effect(isIPv4: isIPv4).takesFins)
            #expect(filter.effect(isIPv4: isIPv4).leavesOutSegments)
        }
    }
}

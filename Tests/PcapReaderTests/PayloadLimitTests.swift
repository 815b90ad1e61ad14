import PcapReader
import Testing

@Suite struct PayloadLimitTests {
    /// The headers of `Packets.ipv4Reset` take 54 bytes.
    private static let headers = 54

    /// A segment with those flags and so many bytes of payload.
    private static func packet(flags: UInt8, payload: Int, options: Int = 0) -> [UInt8] {
        var packet = Packets.ipv4Reset
        let total = 40 + options + payload
        (packet[16], packet[17]) = (UInt8(total >> 8), UInt8(total & 0xff))
        packet[46] = UInt8((5 + options / 4) << 4)
        packet[47] = flags
        return packet + [UInt8](repeating: 1, count: options) + [UInt8](repeating: 0x73, count: payload)
    }

    private static func kept(_ packet: [UInt8], _ limit: Int, linkType: UInt16 = 1) -> Int {
        PayloadLimit(bytes: limit).kept(
            of: packet.span.bytes, linkType: linkType, originalLength: UInt32(packet.count))
    }

    @Test(arguments: [0, 20, 40])
    func headersAreKeptAndPayloadIsNot(options: Int) {
        for (flags, payload) in [(UInt8(0x18), 1000), (0x11, 7), (0x02, 300)] {
            let packet = Self.packet(flags: flags, payload: payload, options: options)
            #expect(Self.kept(packet, 0) == Self.headers + options)
            #expect(Self.kept(packet, 5) == Self.headers + options + 5)
            #expect(Self.kept(packet, 100_000) == packet.count)
            #expect(Self.kept(packet, .max) == packet.count)
        }
    }

    /// A device says in it why it reset the connection.
    @Test func theReasonOfAResetIsKept() {
        #expect(Self.kept(Self.packet(flags: 0x14, payload: 30), 0) == Self.headers + 30)
        #expect(Self.kept(Self.packet(flags: 0x14, payload: 1000), 0) == Self.headers + 256)
        #expect(Self.kept(Self.packet(flags: 0x14, payload: 0), 0) == Self.headers)
    }

    @Test func ofOtherPacketsTheBeginningIsKept() {
        var datagram = Self.packet(flags: 0x18, payload: 1000)
        datagram[23] = 17
        #expect(Self.kept(datagram, 0) == PayloadLimit.otherPackets)
        #expect(Self.kept(datagram, 10) == PayloadLimit.otherPackets + 10)
        #expect(Self.kept(Self.packet(flags: 0x18, payload: 1000), 0, linkType: 65_000) == PayloadLimit.otherPackets)
        #expect(Self.kept([], 0) == 0)
    }

    /// Whatever is in a packet, what is kept is a part of it.
    @Test func nothingIsKeptThatIsNotThere() {
        let packet = Self.packet(flags: 0x18, payload: 400, options: 12)
        for length in 0...packet.count {
            for limit in [0, 1, 300] {
                let kept = Self.kept(Array(packet.prefix(length)), limit)
                #expect(kept >= 0 && kept <= length)
            }
        }
    }
}

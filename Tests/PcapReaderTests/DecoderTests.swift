import NetworkTypes
import Testing

@testable import PcapReader

/// Lengths that lie, fragments, and packets that only look like a RST.
@Suite struct DecoderTests {
    /// What becomes of one Ethernet packet.
    static func decode(
        _ packet: [UInt8], original: UInt32? = nil, linkType: UInt32 = 1
    ) throws -> (segment: TCPSegment?, undecoded: [Undecoded]) {
        var builder = PcapBuilder(linkType: linkType)
        builder.add(packet, original: original)
        let (segments, summary) = try scanAll(builder.file)
        let (resets, summaryOfResets) = try scanAll(builder.file, selecting: .resets)
        #expect(summary == summaryOfResets)
        #expect(resets == segments.filter { $0.segment.flags.contains(.rst) })
        return (segments.first?.segment, summary.undecoded.map(\.reason))
    }

    static func changed(_ packet: [UInt8], _ changes: [Int: UInt8], appending more: Int = 0) -> [UInt8] {
        var packet = packet + [UInt8](repeating: 0x41, count: more)
        for (at, byte) in changes { packet[at] = byte }
        return packet
    }

    @Test func takesThePayloadFromTheIPHeader() throws {
        // Total length 1040: a payload of 1000 bytes of which 6 were captured.
        let cut = Self.changed(Packets.ipv4Reset, [16: 0x04, 17: 0x10], appending: 6)
        for original in [0, 60, 1054] as [UInt32] {
            let segment = try #require(try Self.decode(cut, original: original).segment)
            #expect(segment.payloadLength == 1000)
            #expect(segment.payloadOffset == 54)
        }
        // Total length 42 in a frame padded to 60 bytes.
        let padded = Self.changed(Packets.ipv4Reset, [17: 42], appending: 6)
        #expect(try Self.decode(padded).segment?.payloadLength == 2)
    }

    /// Messages after which a conversation may well end.
    @Test(
        arguments: [
            // LDAP: unbindRequest, and a bindRequest.
            ("30 05 02 01 03 42 00", TCPSegment.LastWord.unanswered), ("30 05 02 01 03 60 00", .unknown),
            // DCE/RPC of one fragment: orphaned, rpc_auth_3 in big endian, a request, one that may get no answer, a response.
            ("05 00 13 03 10 00 00 00 10 00 00 00 01 00 00 00", .unanswered),
            ("05 01 10 03 00 00 00 00 00 10 00 00 00 00 00 01", .unanswered),
            ("05 00 00 03 10 00 00 00 10 00 00 00 01 00 00 00", .unknown),
            ("05 00 00 43 10 00 00 00 10 00 00 00 01 00 00 00", .unanswered),
            ("05 00 02 03 10 00 00 00 10 00 00 00 01 00 00 00", .unknown),
            // More follows; the length is another one; cut short; SOCKS 5.
            ("05 00 13 01 10 00 00 00 10 00 00 00 01 00 00 00", .unknown),
            ("05 00 13 03 10 00 00 00 20 00 00 00 01 00 00 00", .unknown),
            ("05 00 13 03 10 00 00 00 10 00", .unknown), ("05 01 00 00 00 00 00", .unknown),
            // TLS: an alert, encrypted or not; data.
            ("15 03 03 00 02 02 28", .alert), ("15 03 03 00 04 a1 a2 a3 a4", .alert),
            ("17 03 03 00 04 a1 a2 a3 a4", .unknown),
        ])
    func knowsLastWords(payload: String, word: TCPSegment.LastWord) throws {
        let bytes = hex(payload)
        let packet = Self.changed(Packets.ipv4Data, [16: 0, 17: UInt8(40 + bytes.count)]).prefix(54) + bytes
        #expect(try Self.decode(Array(packet)).segment?.last == word)
    }

    @Test func takesThePayloadOfUncutPacketsFromTheRecord() throws {
        // Total length 0: the device had yet to cut the packet into segments.
        let ipv4 = Self.changed(Packets.ipv4Data, [16: 0, 17: 0], appending: 100)
        #expect(try Self.decode(ipv4).segment?.payloadLength == 100)
        #expect(try Self.decode(ipv4, original: 70_054).segment?.payloadLength == 70_000)
        // IPv6 without VLAN tag and hop-by-hop header.
        let ipv6 =
            hex("02 00 00 00 00 02 02 00 00 00 00 01 86 dd 60 00 00 00 00 00 06 40")
            + Packets.ipv6Reset[26..<58] + Packets.ipv6Reset[66...]
        #expect(try Self.decode(ipv6).segment?.payloadLength == 2)
    }

    @Test(
        arguments: [
            ([14: 0x55], Undecoded.invalidNetwork), ([14: 0x44], .invalidNetwork), ([16: 0, 17: 19], .invalidNetwork),
            ([17: 35], .truncatedTCP), ([46: 0x40], .invalidTCP), ([20: 0x00, 21: 0x01], .laterFragment),
            ([23: 50], .encrypted), ([23: 108], .compressed),
        ] as [([Int: UInt8], Undecoded)])
    func countsWhatItCannotDecode(changes: [Int: UInt8], reason: Undecoded) throws {
        let (segment, undecoded) = try Self.decode(Self.changed(Packets.ipv4Reset, changes))
        #expect(segment == nil)
        #expect(undecoded == [reason])
    }

    @Test func needsTheFirstSixteenBytesOfTCP() throws {
        #expect(try Self.decode(Array(Packets.ipv4Reset.prefix(49)), original: 54).undecoded == [.truncatedTCP])
        #expect(try Self.decode(Array(Packets.ipv4Reset.prefix(50)), original: 54).segment?.window == 0x1122)
        #expect(try Self.decode(Array(Packets.ipv4Reset.prefix(33)), original: 54).undecoded == [.truncatedNetwork])
        #expect(try Self.decode(Array(Packets.ipv4Reset.prefix(13)), original: 54).undecoded == [.truncatedLink])
    }

    @Test func takesTheHeaderFromTheFirstFragment() throws {
        // MF set, offset 0.
        let first = Self.changed(Packets.ipv4Reset, [20: 0x20, 21: 0])
        #expect(try Self.decode(first).segment?.flags == [.rst, .ack])
        // A later fragment of UDP is no TCP segment.
        let later = Self.changed(Packets.udp, [20: 0x00, 21: 0x10])
        #expect(try Self.decode(later) == (nil, []))
    }

    /// The RST that an ICMP error quotes was not sent on this wire.
    @Test func doesNotTakeWhatICMPQuotes() throws {
        let quoted = Array(Packets.ipv4Reset[14...])
        let icmp =
            hex("02 00 00 00 00 02 02 00 00 00 00 01 08 00") + hex("45 00 00 44 00 00 00 00 40 01 00 00")
            + hex("0a 00 00 02 0a 00 00 01") + hex("03 01 00 00 00 00 00 00") + quoted
        #expect(try Self.decode(icmp) == (nil, []))
        let icmp6 =
            hex("02 00 00 00 00 02 02 00 00 00 00 01 86 dd 60 00 00 00 00 30 3a 40")
            + [UInt8](repeating: 1, count: 32) + hex("01 04 00 00 00 00 00 00") + quoted
        #expect(try Self.decode(icmp6) == (nil, []))
    }

    /// Random bytes to a tunnel's port are UDP and nothing else.
    @Test(arguments: [4789, 8472, 4790, 6081, 2152, 3386, 1701, 3544, 4341, 6635, 37008] as [UInt16])
    func doesNotTakeAPortForATunnel(port: UInt16) throws {
        var generator = SeededGenerator(seed: UInt64(port))
        for _ in 0..<2000 {
            let payload = (0..<120).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            let packet =
                hex("02 00 00 00 00 02 02 00 00 00 00 01 08 00 45 00 00 94 00 00 00 00 40 11 00 00")
                + hex("0a 00 00 02 0a 00 00 01 c3 50") + port.bytes(true) + hex("00 80 00 00") + payload
            #expect(try Self.decode(packet).segment == nil)
        }
    }

    @Test func endsInPacketsWithoutEnd() throws {
        // VLAN tag after VLAN tag.
        let tags =
            hex("02 00 00 00 00 02 02 00 00 00 00 01") + [UInt8](repeating: 0x81, count: 0)
            + (0..<200).flatMap { _ in hex("81 00 00 01") }
        #expect(try Self.decode(tags).undecoded == [.tooManyLayers])
        // Frames of frames of 802.11, each aggregated.
        let frame = hex("88 01 00 00") + [UInt8](repeating: 0, count: 20) + hex("80 00")
        var nested: [UInt8] = []
        for _ in 0..<2000 {
            nested += frame + [UInt8](repeating: 0, count: 12) + hex("ff ff aa aa 03 00 00 00 08 00")
        }
        #expect(try Self.decode(nested, linkType: 105).segment == nil)
    }

    @Test func namesLinkTypes() {
        #expect(LinkType.name(1) == "ETHERNET")
        #expect(LinkType.name(4242) == "link type 4242")
    }
}

@Suite struct ConnectionFilterTests {
    @Test func holdsBothDirectionsOfEachConnection() {
        func tuple(_ index: Int) -> FourTuple {
            FourTuple(
                source: IPAddress(ipv4: 0x0a00_0000 + UInt32(index)), sourcePort: UInt16(truncatingIfNeeded: index),
                destination: IPAddress(high: 0xfd00 << 48, low: UInt64(index)), destinationPort: 443)
        }
        let held = (0..<5000).map { tuple($0 * 2) }
        let filter = ConnectionFilter(held + held.map(\.reversed))
        #expect(filter.count == 5000)
        #expect(held.allSatisfy { filter.contains($0) && filter.contains($0.reversed) })
        #expect(!(0..<5000).contains { filter.contains(tuple($0 * 2 + 1)) })
        #expect(!ConnectionFilter([]).contains(tuple(1)))
        var grown = ConnectionFilter(expecting: 0)
        for tuple in held { grown.insert(tuple) }
        #expect(grown.count == held.count)
        #expect(held.allSatisfy { grown.contains($0) && grown.contains($0.reversed) })
    }

    /// Connections whose two ends are equal are as easy to tell apart as any: if they had one hash, a capture of many of
    /// them (the "land" attack) would take for ever.
    @Test func equalEndsDoNotCancelOut() {
        let filter = ConnectionFilter([])
        let hashes = (0..<1000).map { number in
            let address = IPAddress(ipv4: 0x0a00_0000 + UInt32(number))
            return filter.hash(FourTuple(source: address, sourcePort: 80, destination: address, destinationPort: 80))
        }
        #expect(Set(hashes).count == hashes.count)
    }
}

import NetworkTypes
import PcapReader
import Testing

@Suite struct PcapngTests {
    @Test func readsAnnotatedBytes() throws {
        let file = hex(
            """
            0a 0d 0d 0a             ; section header block
            00 00 00 1c             ; total length 28
            1a 2b 3c 4d             ; byte-order magic: big-endian
            00 01 00 00             ; version 1.0
            ff ff ff ff ff ff ff ff ; section length unknown
            00 00 00 1c
            00 00 00 01             ; interface description block
            00 00 00 20             ; total length 32
            00 65 00 00             ; link type RAW, reserved
            00 00 00 60             ; snaplen 96
            00 09 00 01             ; if_tsresol, 1 byte
            83 00 00 00             ; 2^-3 seconds
            00 00 00 00             ; opt_endofopt
            00 00 00 20
            00 00 00 06             ; enhanced packet block
            00 00 00 48             ; total length 72
            00 00 00 00             ; interface 0
            00 00 00 00 00 00 00 0c ; 12 ticks: 1.5 seconds
            00 00 00 28             ; captured 40
            00 00 00 28             ; original 40
            45 00 00 28 00 00 00 00 40 06 00 00 7f 00 00 01 7f 00 00 02 ; IPv4
            00 01 00 02 00 00 00 05 00 00 00 06 50 04 00 00 00 00 00 00 ; TCP, RST
            00 00 00 48
            """)
        let (segments, summary) = try scanAll(file)
        #expect(summary.format == CaptureFormat(container: .pcapng, byteOrder: .big, fractionalDigits: 6))
        #expect(summary.interfaces.map(\.snaplen) == [96])
        #expect(segments.map(\.time) == [1_500_000_000])
        #expect(segments.first?.segment.tuple.destination.description == "127.0.0.2")
        #expect(segments.first?.offset == 60)
    }

    /// A tool may write statistics more than once, and not all of them each time.
    @Test func laterStatisticsDoNotUndoDrops() throws {
        var builder = BlockBuilder()
        builder.section()
        builder.interface()
        func statistics(_ options: [UInt8]) -> [UInt8] { [UInt8](repeating: 0, count: 12) + options }
        builder.block(
            5, statistics(builder.option(5, UInt64(1000).bytes(false)) + builder.option(7, UInt64(5).bytes(false))))
        builder.packet(Packets.ipv4Reset)
        builder.block(5, statistics(builder.option(4, UInt64(70).bytes(false))))
        builder.block(5, statistics(builder.option(7, UInt64(6).bytes(false))))
        let (_, summary) = try scanAll(builder.file)
        #expect(summary.dropped == 1006)
        #expect(summary.interfaces[0].statistics?.received == 70)
        #expect(try ScanResult(parts: builder.file, of: 100, threads: 2) == ScanResult(whole: builder.file))
    }

    /// Of other packets only the first comments are kept; a tool may write one to each.
    @Test func keepsTheCommentsOfAllRSTs() throws {
        var builder = BlockBuilder()
        builder.section()
        builder.interface()
        func note(_ text: String) -> [UInt8] { builder.option(1, Array(text.utf8)) }
        for _ in 0..<1500 { builder.packet([1, 2, 3], options: note("other")) }
        builder.packet(Packets.ipv4Reset, options: note("first\0rest") + note("second"))
        builder.packet(Packets.ipv4Reset)
        builder.packet(Packets.ipv6Reset, options: note("third"))
        let (_, summary) = try scanAll(builder.file)
        #expect(summary.commentCount == 1503)
        #expect(summary.comments.count == CaptureSummary.keptComments)
        #expect(
            summary.resetComments == [
                CaptureComment(subject: .packet(1501), text: "first"),
                CaptureComment(subject: .packet(1501), text: "second"),
                CaptureComment(subject: .packet(1503), text: "third"),
            ])
    }

    @Test func readsSectionsOfBothByteOrdersWithTheirInterfaces() throws {
        var builder = BlockBuilder()
        builder.section(options: builder.option(2, Array("box".utf8)) + builder.option(4, Array("tool".utf8)))
        builder.interface(linkType: 147, options: builder.option(2, Array("zero".utf8)))
        builder.interface(
            options: builder.option(2, Array("one".utf8)) + builder.option(3, Array("the second".utf8))
                + builder.option(9, [9]) + builder.option(11, [0] + Array("tcp".utf8))
                + builder.option(14, Int64(-100).bytes(false)) + builder.option(1, Array("noted".utf8)))
        builder.packet(Packets.ipv4Reset, interface: 1, ticks: 200_000_000_007)
        builder.packet(Packets.ipv4Reset, interface: 0)
        builder.big = true
        builder.section()
        builder.interface(linkType: 1, options: builder.option(9, [0]))
        builder.packet(Packets.ipv6Reset, interface: 0, ticks: 77, options: builder.option(2, [0, 0, 0, 2]))
        let (segments, summary) = try scanAll(builder.file)
        #expect(summary.interfaces.map(\.name) == ["zero", "one", nil])
        #expect(summary.interfaces.map(\.section) == [0, 0, 1])
        #expect(summary.interfaces[1].description == "the second")
        #expect(summary.interfaces[1].filter == "tcp")
        #expect(summary.interfaces[1].offsetSeconds == -100)
        #expect(summary.hardware == "box")
        #expect(summary.application == "tool")
        #expect(summary.comments == [CaptureComment(subject: .interface(1), text: "noted")])
        #expect(segments.map(\.interface) == [1, 2])
        #expect(segments.map(\.time) == [100_000_000_007, 77_000_000_000])
        #expect(segments.map(\.number) == [1, 3])
        #expect(segments.map(\.direction) == [.unknown, .outbound])
        #expect(summary[.linkType] == 1)
        #expect(summary.firstTime == 77_000_000_000)
    }

    /// A count that wraps would be a loss that is not told.
    @Test func dropsAddUpToTheMost() throws {
        var builder = BlockBuilder()
        builder.section()
        builder.interface()
        builder.packet(Packets.udp, options: builder.option(4, UInt64.max.bytes(false)))
        let lengths = UInt32(54).bytes(false) + UInt32(54).bytes(false)
        builder.block(
            2,
            UInt16(0).bytes(false) + UInt16(1).bytes(false) + UInt32(0).bytes(false) + UInt32(5_000_000).bytes(false)
                + lengths + Packets.ipv4Reset)
        #expect(try scanAll(builder.file).summary.droppedBetweenPackets == .max)
    }

    @Test func aShortSectionHeaderIsDamageOnce() throws {
        var builder = BlockBuilder()
        builder.section()
        builder.interface()
        builder.packet(Packets.ipv4Reset)
        let whole = builder.file
        let short =
            UInt32(0x0a0d_0d0a).bytes(false) + UInt32(16).bytes(false) + UInt32(0x1a2b_3c4d).bytes(false)
            + UInt32(16).bytes(false)
        let (segments, summary) = try scanAll(whole + short + [UInt8](repeating: 0, count: 12))
        #expect(segments.count == 1)
        #expect(summary.damageCount == 1)
        #expect(summary.bytesSkipped == 28)
    }

    @Test func readsTheOtherBlocks() throws {
        var builder = BlockBuilder()
        builder.section(options: builder.option(1, Array("of the section".utf8)))
        builder.interface(snaplen: 54)
        // Simple packet block: 60 bytes on the wire, cut to the snaplen.
        builder.block(3, UInt32(60).bytes(false) + Packets.ipv4Reset)
        // Packet block: interface 0, 3 drops, time, lengths.
        let lengths = UInt32(54).bytes(false) + UInt32(54).bytes(false)
        builder.block(
            2,
            UInt16(0).bytes(false) + UInt16(3).bytes(false) + UInt32(0).bytes(false) + UInt32(5_000_000).bytes(false)
                + lengths + Packets.ipv4Reset)
        builder.packet(
            Packets.udp, options: builder.option(4, UInt64(2).bytes(false)) + builder.option(1, Array("a UDP".utf8)))
        // Name resolution: 10.0.0.1 has two names, fd00::1 one.
        let v4 = [10, 0, 0, 1] + Array("one\0eins\0".utf8)
        let v6 = [0xfd] + [UInt8](repeating: 0, count: 14) + [1] + Array("six\0".utf8)
        builder.block(4, builder.option(1, v4) + builder.option(2, v6) + builder.option(0, []))
        // Interface statistics.
        builder.block(
            5,
            UInt32(0).bytes(false) + UInt32(0).bytes(false) + UInt32(1).bytes(false)
                + builder.option(3, UInt32(0).bytes(false) + UInt32(6_000_000).bytes(false))
                + builder.option(4, UInt64(100).bytes(false)) + builder.option(5, UInt64(7).bytes(false))
                + builder.option(7, UInt64(8).bytes(false)) + builder.option(8, UInt64(85).bytes(false)))
        builder.block(0x4000_0bad, [1, 2, 3, 4, 5])
        builder.block(0x0000_0bad, UInt32(32473).bytes(false) + [1, 2, 3, 4])
        let (segments, summary) = try scanAll(builder.file)
        #expect(summary.damage == [])
        #expect(summary.packets == 3)
        #expect(segments.map(\.originalLength) == [60, 54])
        #expect(segments.map(\.time) == [0, 5_000_000_000])
        #expect(summary.droppedBetweenPackets == 5)
        #expect(summary.names == ["10.0.0.1": ["one", "eins"], "fd00::1": ["six"]])
        #expect(summary.dropped == 15)
        #expect(summary.interfaces[0].statistics?.ended == 6_000_000_000)
        #expect(summary.interfaces[0].statistics?.delivered == 85)
        #expect(
            summary.comments == [
                CaptureComment(subject: .section(0), text: "of the section"),
                CaptureComment(subject: .packet(3), text: "a UDP"),
            ])
    }

    /// tshark numbers custom blocks, journal entries and sysdig events too, but not blocks it does not know.
    @Test func numbersPacketsAsTsharkDoes() throws {
        var builder = BlockBuilder()
        builder.section()
        builder.interface()
        builder.packet(Packets.ipv4Reset)
        for type in [0x0bad, 9, 0x204, 0x1234, 0xa] as [UInt32] {
            builder.block(type, [UInt8](repeating: 0, count: 24))
        }
        builder.packet(Packets.ipv4Reset)
        let (segments, summary) = try scanAll(builder.file)
        #expect(segments.map(\.number) == [1, 5])
        #expect(summary.packets == 2)
        #expect(summary.frames == 5)
    }

    @Test func skipsDamagedBlocksAndGoesOn() throws {
        var builder = BlockBuilder()
        builder.section()
        builder.interface()
        let unknown = builder.file.count
        builder.packet(Packets.ipv4Reset, interface: 9)
        let trailer = builder.file.count
        builder.packet(Packets.ipv4Reset)
        builder.file[builder.file.count - 4] ^= 1
        let long = builder.file.count
        builder.packet(Packets.ipv4Reset)
        builder.file[long + 20] = 200
        builder.packet(Packets.ipv4Reset)
        let (segments, summary) = try scanAll(builder.file)
        #expect(segments.map(\.number) == [1])
        #expect(summary.damage.map(\.offset) == [unknown, trailer, long])
        #expect(summary.damage[0].problem == "the packet is of interface 9, which is not described")
        #expect(summary.damage[1].problem == "the block's two lengths differ: 88 before, 89 after")
        #expect(
            summary.damage[2].problem
                == "the enhanced packet block is cut short: 200 bytes of packet needed, 56 available")
        #expect(summary.bytesSkipped == 3 * 88)
    }

    @Test(arguments: [UInt32(0), 4, 11, 0x7fff_ffff, 0xffff_ffff])
    func endsAtAnAbsurdLength(_ length: UInt32) throws {
        var builder = BlockBuilder()
        builder.section()
        builder.interface()
        builder.packet(Packets.ipv4Reset)
        let bad = builder.file.count
        builder.packet(Packets.ipv4Reset)
        builder.file.replaceSubrange(bad + 4..<bad + 8, with: length.bytes(false))
        let (segments, summary) = try scanAll(builder.file)
        #expect(segments.count == 1)
        #expect(summary.damage.map(\.offset) == [bad])
        #expect(summary.bytesSkipped == 88)
    }

    @Test func survivesTruncationAtEveryByte() throws {
        var builder = BlockBuilder()
        builder.section()
        var starts = [builder.file.count]
        builder.interface(options: builder.option(2, Array("eth0".utf8)))
        starts.append(builder.file.count)
        builder.packet(Packets.ipv4Reset, options: builder.option(2, [1, 0, 0, 0]))
        starts.append(builder.file.count)
        builder.packet(Packets.ipv6Reset)
        let file = builder.file
        for length in 0..<file.count {
            let cut = Array(file.prefix(length))
            guard length >= 28 else {
                #expect(throws: CaptureError.self) { try scanAll(cut) }
                continue
            }
            let (segments, summary) = try scanAll(cut)
            let end = starts.last { $0 <= length } ?? 0
            #expect(segments.count == (length < starts[2] ? 0 : 1))
            #expect(summary.damage.map(\.offset) == (length == end ? [] : [end]))
            #expect(summary.bytesSkipped == length - end)
        }
    }
}

@Suite struct TimestampResolutionTests {
    @Test(arguments: [
        (UInt8(6), UInt64(1_600_000_000_123_456), Int64(0), Int64(1_600_000_000_123_456_000)),
        (9, 1_600_000_000_123_456_789, 0, 1_600_000_000_123_456_789),
        (0, 1_600_000_000, 5, 1_600_000_005_000_000_000),
        (12, 1_500_000_000_999, 0, 1_500_000_000),
        (19, .max, 0, 1_844_674_407),
        (20, .max, 0, 0),
        (127, .max, 0, 0),
        (0x80, 3, 0, 3_000_000_000),
        (0x81, 3, -1, 500_000_000),
        (0xa0, 1 << 31, 0, 500_000_000),
        (0xbf, .max, 0, 1_999_999_999),
        (0xc0, 1 << 63, 0, 500_000_000),
        (0xff, .max, 0, 0),
        (0, .max, 0, .max),
        (0, 1 << 40, 0, .max),
        (6, 0, .min, .min),
        (0, UInt64(Int64.max), .max, .max),
    ])
    func convertsTicks(exponent: UInt8, ticks: UInt64, offset: Int64, expected: Int64) {
        #expect(TimestampResolution(rawValue: exponent).nanoseconds(ticks: ticks, offsetSeconds: offset) == expected)
    }
}

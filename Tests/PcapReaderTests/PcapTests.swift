import NetworkTypes
import PcapReader
import Testing

/// Every segment and the summary.
func scanAll(
    _ bytes: [UInt8], selecting selection: SegmentSelection = .all
) throws -> (segments: [CapturedSegment], summary: CaptureSummary) {
    var segments: [CapturedSegment] = []
    let summary = try CaptureScanner.scan(bytes, selecting: selection) { segments.append($0) }
    return (segments, summary)
}

@Suite struct PcapTests {
    @Test(arguments: [false, true], [false, true])
    func readsBothByteOrdersAndResolutions(big: Bool, nanoseconds: Bool) throws {
        var builder = PcapBuilder(big: big, nanoseconds: nanoseconds)
        builder.add(Packets.udp)
        builder.add(Packets.ipv4Reset, original: 60)
        builder.add(Packets.ipv6Reset, seconds: 4_000_000_000, fraction: 999_999)
        let (segments, summary) = try scanAll(builder.file, selecting: .resets)
        #expect(summary.format.description.hasSuffix(nanoseconds ? "nanoseconds" : "microseconds"))
        #expect(summary.format.byteOrder == (big ? .big : .little))
        #expect(summary.packets == 3)
        #expect(summary.tcpSegments == 2)
        #expect(summary.resets == 2)
        #expect(summary.damageCount == 0)
        let unit: Int64 = nanoseconds ? 1 : 1000
        #expect(summary.firstTime == 1_600_000_000_000_000_000 + 123_456 * unit)
        #expect(summary.lastTime == 4_000_000_000_000_000_000 + 999_999 * unit)
        try #require(segments.count == 2)

        let first = segments[0]
        #expect(first.number == 2)
        #expect(first.offset == 24 + 16 + Packets.udp.count)
        #expect(first.packetOffset == first.offset + 16)
        #expect(first.time == summary.firstTime)
        #expect(first.capturedLength == 54)
        #expect(first.originalLength == 60)
        let tcp = first.segment
        #expect(tcp.tuple.source.description == "10.0.0.1")
        #expect(tcp.tuple.destination.description == "10.0.0.2")
        #expect(tcp.tuple.sourcePort == 80)
        #expect(tcp.tuple.destinationPort == 40000)
        #expect(tcp.seq == 0x0102_0304)
        #expect(tcp.ack == 0x0a0b_0c0d)
        #expect(tcp.flags.description == "RA")
        #expect(tcp.window == 0x1122)
        #expect(tcp.ipID == 0xabcd)
        #expect(tcp.dontFragment)
        #expect(tcp.ttl == 64)
        #expect(tcp.trafficClass == 0x10)
        #expect(tcp.optionsLength == 0)
        // Six bytes of Ethernet padding are no payload.
        #expect(tcp.payloadLength == 0)
        #expect(tcp.payloadOffset == -1)

        let second = segments[1].segment
        #expect(segments[1].number == 3)
        #expect(second.tuple.source.description == "fd00::1")
        #expect(second.tuple.destinationPort == 50000)
        #expect(second.flags == .rst)
        #expect(second.ttl == 63)
        #expect(second.trafficClass == 0xab)
        #expect(second.optionsLength == 4)
        #expect(second.payloadLength == 2)
        #expect(Int(second.payloadOffset) == Packets.ipv6Reset.count - 2)
    }

    @Test func readsTheModifiedFormat() throws {
        var builder = PcapBuilder(modified: true)
        builder.add(Packets.ipv4Reset)
        builder.add(Packets.ipv4Reset)
        let (segments, summary) = try scanAll(builder.file)
        #expect(summary.format.container == .modifiedPcap)
        #expect(segments.map(\.ifindex) == [3, 3])
        #expect(segments.map(\.direction) == [.outbound, .outbound])
    }

    @Test func readsLengthsThatChangedPlaces() throws {
        var old = PcapBuilder(version: (2, 2))
        old.add(Packets.ipv4Reset, captured: 1500, original: 54)
        #expect(try scanAll(old.file).segments.first?.originalLength == 1500)
        var between = PcapBuilder(version: (2, 3))
        between.add(Packets.ipv4Reset, captured: 1500, original: 54)
        between.add(Packets.ipv4Reset, captured: 54, original: 1500)
        #expect(try scanAll(between.file).segments.map(\.originalLength) == [1500, 1500])
    }

    /// The upper half of the field says how long the frame check sequence is.
    @Test func ignoresWhatStandsAboveTheLinkType() throws {
        var builder = PcapBuilder(linkType: 0x2400_0001)
        builder.add(Packets.ipv4Reset)
        #expect(try scanAll(builder.file).segments.count == 1)
    }

    @Test func countsPacketsOfOtherLinkTypes() throws {
        var builder = PcapBuilder(linkType: 147)
        builder.add(Packets.ipv4Reset)
        let summary = try scanAll(builder.file).summary
        #expect(summary.packets == 1)
        #expect(summary[.linkType] == 1)
        #expect(summary.unsupportedLinkTypes == [147: 1])
    }

    @Test func refusesWhatIsNoCapture() {
        #expect(throws: CaptureError.notACapture(prefix: [])) { try scanAll([]) }
        #expect(throws: CaptureError.notACapture(prefix: Array("{\"type\":".utf8))) {
            try scanAll(Array("{\"type\":\"recording\"}".utf8))
        }
        #expect(throws: CaptureError.truncated(header: "pcap file header", offset: 0, needed: 24, available: 23)) {
            try scanAll(Array(PcapBuilder().file.prefix(23)))
        }
        #expect(throws: CaptureError.unsupportedVersion(format: "pcap", major: 1, minor: 4)) {
            try scanAll(PcapBuilder(version: (1, 4)).file)
        }
        #expect(
            CaptureError.notACapture(prefix: [0x7f, 0x45]).description
                == "not a capture: it begins with 7f 45, which is neither pcap nor pcapng")
    }

    @Test func deliversWhatStandsBeforeDamage() throws {
        var builder = PcapBuilder()
        builder.add(Packets.ipv4Reset)
        let good = builder.file.count
        builder.add(Packets.ipv4Reset, captured: 0xffff_ffff)
        builder.add(Packets.ipv4Reset)
        let (segments, summary) = try scanAll(builder.file)
        #expect(segments.map(\.number) == [1])
        #expect(
            summary.damage == [
                CaptureDamage(
                    offset: good, problem: "the record claims 4294967295 captured bytes; at most 262144 are possible")
            ])
        #expect(summary.bytesSkipped == builder.file.count - good)
    }

    /// Whole records are delivered, and the rest is named with its offset, wherever the file ends.
    @Test func survivesTruncationAtEveryByte() throws {
        var builder = PcapBuilder()
        builder.add(Packets.ipv4Reset)
        let first = builder.file.count
        builder.add(Packets.ipv6Reset)
        let file = builder.file
        for length in 0..<file.count {
            let cut = Array(file.prefix(length))
            guard length >= 24 else {
                #expect(throws: CaptureError.self) { try scanAll(cut) }
                continue
            }
            let (segments, summary) = try scanAll(cut)
            let whole = length < first ? 0 : 1
            let end = length < first ? 24 : first
            #expect(segments.count == whole)
            #expect(summary.bytesSkipped == length - end)
            #expect(summary.damage.map(\.offset) == (length == end ? [] : [end]))
        }
    }
}

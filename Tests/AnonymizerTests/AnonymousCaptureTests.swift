import Anonymizer
import NetworkTypes
import PcapReader
import Testing

/// What is written of single packets.
@Suite struct AnonymousCaptureTests {
    private final class Output { var bytes: [UInt8] = [] }

    /// Copies segments, and reads the copy.
    private func copies(
        of segments: [CapturedSegment], errors: [ICMPError] = [], linkType: UInt16 = 1, filter: String? = nil,
        unread: [Int] = [Int](repeating: 0, count: Undecoded.allCases.count)
    ) throws -> (segments: [CapturedSegment], summary: CaptureSummary, bytes: [UInt8]) {
        var summary = CaptureSummary(
            format: CaptureFormat(container: .pcapng, byteOrder: .little, fractionalDigits: 9))
        var interface = CaptureInterface(linkType: linkType)
        interface.filter = filter
        interface.name = "eth0"
        interface.statistics = InterfaceStatistics()
        interface.statistics?.systemDropped = 7
        summary.undecodedCounts = unread
        summary.interfaces = [interface]
        summary.icmpErrors = errors
        summary.comments = [CaptureComment(subject: .section(0), text: "a secret comment")]
        summary.names = ["10.0.0.1": ["secret.example"]]
        let output = Output()
        var capture = AnonymousCapture(of: summary, try samplePseudonyms(), application: "test") { output.bytes += $0 }
        capture.take([(batch: segments, precedingPackets: 0)])
        _ = capture.finish()
        var found: [CapturedSegment] = []
        let read = try CaptureScanner.scan(output.bytes, selecting: .all) { found.append($0) }
        return (found, read, output.bytes)
    }

    private func segment(_ source: String, _ destination: String) throws -> CapturedSegment {
        var segment = TCPSegment(
            tuple: FourTuple(
                source: try #require(IPAddress(source)), sourcePort: 443,
                destination: try #require(IPAddress(destination)), destinationPort: 40_000))
        segment.seq = 0xdead_beef
        segment.ack = 0x0102_0304
        segment.flags = [.rst, .ack, .ae]
        segment.window = 501
        segment.ttl = 57
        segment.trafficClass = 0x2e
        segment.payloadLength = 1400
        if segment.tuple.source.isIPv4 {
            segment.ipID = 77
            segment.dontFragment = true
        } else {
            segment.flowLabel = 0xabcde
        }
        return CapturedSegment(segment: segment, number: 1, offset: 0, time: 1_700_000_000_123_456_789, interface: 0)
    }

    @Test(arguments: [("10.0.0.1", "192.0.2.7"), ("2001:db8::1", "2001:db8::2"), ("::ffff:10.0.0.1", "2001:db8::2")])
    func everyFieldButTheAddressesStays(_ source: String, _ destination: String) throws {
        var original = try segment(source, destination)
        original.segment.optionsLength = 40
        var options = TCPOptions()
        options.kinds = [
            .maximumSegmentSize, .windowScale, .selectiveAckPermitted, .timestamps, .selectiveAck, .multipath,
            .multipathReset, .fastOpen, .other,
        ]
        options.maximumSegmentSize = 1460
        options.windowScale = 7
        options.timestamp = 0x1122_3344
        options.timestampEcho = 5
        options.multipathReason = 3
        original.segment.options = options
        if !original.segment.tuple.destination.isIPv4 {
            (original.segment.ipID, original.segment.dontFragment) = (0, false)
        }
        let copy = try #require(try copies(of: [original]).segments.first)
        var expected = original.segment
        var pseudonyms = try samplePseudonyms()
        expected.tuple = pseudonyms.tuple(expected.tuple)
        #expect(copy.segment == expected)
        #expect(copy.time == original.time)
    }

    /// The decoder reads the same from the copy, whatever the options and lengths.
    @Test func copiesOfCopiesAreEqual() throws {
        for kinds in 0..<UInt16(1 << 14) where kinds.nonzeroBitCount <= 3 {
            var original = try segment("10.0.0.1", "10.0.0.2")
            original.segment.options.kinds = TCPOptions.Kinds(rawValue: kinds)
            // The subtypes of Multipath TCP come with its kind.
            let subtypes: TCPOptions.Kinds = [.multipathJoin, .multipathFastclose, .multipathReset]
            if !original.segment.options.kinds.isDisjoint(with: subtypes) {
                original.segment.options.kinds.insert(.multipath)
            }
            original.segment.optionsLength = 40
            original.segment.payloadLength = UInt32(kinds) * 97
            let copy = try #require(try copies(of: [original]).segments.first).segment
            #expect(copy.options == original.segment.options)
            #expect(copy.payloadLength == original.segment.payloadLength)
        }
    }

    /// No length that an IP header cannot hold becomes another one.
    @Test(arguments: [65_475, 65_495, 65_496, 1 << 20, .max - 60, .max] as [UInt32])
    func lengthsStay(_ length: UInt32) throws {
        for (source, destination) in [("10.0.0.1", "192.0.2.7"), ("2001:db8::1", "2001:db8::2")] {
            var original = try segment(source, destination)
            original.segment.payloadLength = length
            let copy = try #require(try copies(of: [original]).segments.first)
            #expect(copy.segment.payloadLength == min(length, .max - UInt32(source.contains(":") ? 60 : 40)))
        }
    }

    @Test func anInterfaceOfAPacketStays() throws {
        var original = try segment("10.0.0.1", "10.0.0.2")
        original.ifindex = 3
        original.direction = .outbound
        let copy = try #require(try copies(of: [original], linkType: 276).segments.first)
        #expect(copy.ifindex == 3)
        #expect(copy.direction == .outbound)
    }

    @Test func alertsAndLastWordsAreRecognisedAsBefore() throws {
        for (length, alert, last) in [
            (7, 40, .alert), (60, 40, .unknown), (31, 0, .alert), (7, 0, .unanswered), (10, 0, .unanswered),
            (16, 0, .unanswered), (700, 0, .unanswered),
        ] as [(UInt32, UInt8, TCPSegment.LastWord)] {
            var original = try segment("10.0.0.1", "10.0.0.2")
            original.segment.payloadLength = length
            original.segment.payloadOffset = 54
            original.segment.fatalAlert = alert
            original.segment.last = last
            let copy = try #require(try copies(of: [original]).segments.first).segment
            #expect(copy.fatalAlert == alert && copy.last == last && copy.payloadLength == length, "\(length) \(last)")
        }
    }

    @Test func checksumsAreRight() throws {
        for (source, destination) in [("10.0.0.1", "192.0.2.7"), ("2001:db8::1", "2001:db8::2")] {
            var original = try segment(source, destination)
            original.segment.payloadLength = 0
            let bytes = try copies(of: [original]).bytes
            let length = source.contains(":") ? 60 : 40
            let start = try #require(
                bytes.indices.first { place in
                    place + length <= bytes.count
                        && Array(bytes[(place + length - 16)..<(place + length - 12)]) == [0xde, 0xad, 0xbe, 0xef]
                })
            let packet = Array(bytes[start..<start + length])
            func sum(_ bytes: some Collection<UInt8>) -> UInt64 {
                stride(from: 0, to: bytes.count, by: 2).reduce(0) { sum, at in
                    let bytes = Array(bytes)
                    return sum + UInt64(bytes[at]) << 8 + UInt64(bytes[at + 1])
                }
            }
            func folded(_ sum: UInt64) -> UInt64 { sum >> 16 == 0 ? sum : folded(sum & 0xffff + sum >> 16) }
            if length == 40 { #expect(folded(sum(packet[..<20])) == 0xffff) }
            let addresses = length == 40 ? packet[12..<20] : packet[8..<40]
            #expect(folded(sum(addresses) + 6 + 20 + sum(packet[(length - 20)...])) == 0xffff)
        }
    }

    @Test func icmpErrorsStay() throws {
        for (flags, isVersion6) in [(nil, false), (.syn, false), (.syn, true)] as [(TCPFlags?, Bool)] {
            let tuple = try segment(isVersion6 ? "2001:db8::1" : "10.0.0.1", isVersion6 ? "2001:db8::2" : "10.0.0.2")
                .segment.tuple
            let error = ICMPError(
                packet: 1, time: 5, sender: try #require(IPAddress(isVersion6 ? "2001:db8:7::1" : "10.9.9.9")),
                isVersion6: isVersion6, type: isVersion6 ? 1 : 3, code: 1, tuple: tuple, seq: 99, flags: flags)
            let copy = try #require(try copies(of: [], errors: [error]).summary.icmpErrors.first)
            var expected = error
            var pseudonyms = try samplePseudonyms()
            expected.sender = pseudonyms.address(error.sender)
            expected.tuple = pseudonyms.tuple(tuple)
            #expect(copy == expected)
        }
    }

    @Test(arguments: [
        "host 10.0.0.1", "tcp and host 10.0.0.1", "(tcp[tcpflags] & (tcp-syn|tcp-rst) != 0) and net 10.0.0.0/8",
        "(\(RecordingFilter.standard)) and host 10.0.0.1", "ether host 00:11:22:33:44:55",
    ])
    func filtersNameNoAddressAndMeanTheSame(_ filter: String) throws {
        let copy = try #require(try copies(of: [], filter: filter).summary.interfaces.first?.filter)
        #expect(!copy.contains("10.0") && !copy.contains("net") && !copy.contains("host"))
        for isIPv4 in [true, false] {
            let (before, after) = (
                CaptureFilter(filter).effect(isIPv4: isIPv4), CaptureFilter(copy).effect(isIPv4: isIPv4)
            )
            #expect(
                (before.leavesOutSegments, before.takesSyns, before.takesFins)
                    == (after.leavesOutSegments, after.takesSyns, after.takesFins), "\(copy)")
        }
    }

    @Test func losesNoLossAndKeepsNoRemark() throws {
        let copy = try copies(of: [try segment("10.0.0.1", "10.0.0.2")])
        #expect(copy.summary.dropped == 7)
        #expect(copy.summary.comments.isEmpty && copy.summary.names.isEmpty)
        #expect(copy.summary.interfaces.first?.name == "eth0")
        // Each of the twelve reasons once, six of which may be a lost RST.
        let poor = try copies(of: [], unread: [Int](repeating: 1, count: Undecoded.allCases.count))
        #expect(poor.summary.dropped == 7 + UInt64(Undecoded.allCases.filter(\.isLoss).count))
    }
}

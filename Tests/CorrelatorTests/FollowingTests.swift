import NetworkTypes
import PcapReader
import Testing

@testable import Correlator

@Suite struct FollowingTests {
    /// Deterministic random numbers (splitmix64), so that a failure can be repeated.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            let mixed = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
            return mixed ^ mixed >> 29
        }
    }

    /// Segments of a few connections, both directions, at three interfaces.
    ///
    /// - Parameter flags: each as likely as any other.
    private static func segments(_ count: Int, of flags: [TCPFlags], seed: UInt64) -> [CapturedSegment] {
        var generator = Generator(state: seed)
        return (1...count).map { number in
            let tuple = FourTuple(
                source: IPAddress(ipv4: 0x0a00_0001), sourcePort: 80, destination: IPAddress(ipv4: 0x0a00_0002),
                destinationPort: UInt16.random(in: 1000..<1012, using: &generator))
            var segment = TCPSegment(tuple: Bool.random(using: &generator) ? tuple : tuple.reversed)
            segment.flags = flags.randomElement(using: &generator) ?? .ack
            segment.seq = UInt32.random(in: 0..<5000, using: &generator)
            segment.ack = UInt32.random(in: 0..<5000, using: &generator)
            if !segment.flags.contains(.rst), Bool.random(using: &generator) { segment.payloadLength = 10 }
            segment.ttl = 64
            segment.ipID = UInt16(number)
            var captured = CapturedSegment(
                segment: segment, number: number, offset: 0, time: Int64(number) * 1000,
                interface: Int32.random(in: 0..<2, using: &generator))
            captured.ifindex = captured.interface == 0 ? 0 : Int32.random(in: 1...2, using: &generator)
            return captured
        }
    }

    private static func table(_ segments: [CapturedSegment], cutAt cuts: [Int]) -> FlowTable {
        let filter = FlowFilter(segments.map(\.segment.tuple))
        // Some of the parts are followed at once, some later with others.
        var builder = FlowTable.Builder(filter, resets: 0, followedTogether: 8)
        var start = 0
        for end in cuts + [segments.count] {
            var batch = FlowTable.Builder.emptyBatch
            for var segment in segments[start..<end] {
                guard let place = filter.number(of: segment.segment.tuple) else { continue }
                (segment.connection, segment.isReversed) = place
                segment.number -= start
                FlowTable.Builder.add(segment, to: &batch)
            }
            builder.take([(batch, start)])
            start = end
        }
        return builder.finish()
    }

    @Test(arguments: 1...20)
    func whereACaptureIsCutMakesNoDifference(seed: UInt64) throws {
        let segments = Self.segments(1000, of: [.ack, [.psh, .ack], .syn, [.fin, .ack], .rst], seed: seed)
        let whole = FlowTable(segments)
        var generator = Generator(state: seed << 8)
        let cuts = (0..<30).map { _ in Int.random(in: 0...1000, using: &generator) }.sorted()
        let cut = Self.table(segments, cutAt: cuts)
        for reset in segments where reset.segment.flags.contains(.rst) {
            let one = try #require(whole.context(ofPacket: reset.number))
            let other = try #require(cut.context(ofPacket: reset.number))
            #expect(one.own == other.own && one.peer == other.peer && one.after == other.after)
            #expect(one.recollection == other.recollection && one.final.sides == other.final.sides)
            #expect(one.zeek == other.zeek)
            #expect(one.previous?.number == other.previous?.number && one.duplicates == other.duplicates)
        }
    }

    /// What follows each RST, against a search through all that comes after it.
    @Test(arguments: 1...10)
    func whatFollowsIsWhatComesAfter(seed: UInt64) throws {
        let segments = Self.segments(600, of: [.ack, [.psh, .ack], .rst], seed: seed)
        let table = FlowTable(segments)
        for (place, reset) in segments.enumerated() where reset.segment.flags.contains(.rst) {
            let later = segments[(place + 1)...].filter {
                $0.interface == reset.interface && $0.ifindex == reset.ifindex
                    && ($0.segment.tuple == reset.segment.tuple || $0.segment.tuple == reset.segment.tuple.reversed)
            }
            let mine = later.filter { $0.segment.tuple == reset.segment.tuple }
            let theirs = later.filter { $0.segment.tuple != reset.segment.tuple }
            func others(_ segments: [CapturedSegment]) -> [CapturedSegment] {
                segments.filter { !$0.segment.flags.contains(.rst) }
            }
            func resets(_ segments: [CapturedSegment]) -> [CapturedSegment] {
                segments.filter { $0.segment.flags.contains(.rst) }
            }
            let after = try #require(table.context(ofPacket: reset.number)).after
            #expect(after.fromSender == others(mine).count)
            #expect(after.senderFirst?.number == others(mine).first?.number)
            #expect(after.senderFirstData?.number == others(mine).first { $0.segment.payloadLength > 0 }?.number)
            #expect(after.fromPeer == others(theirs).count)
            #expect(after.peerFirst?.number == others(theirs).first?.number)
            #expect(after.resets == resets(mine).count)
            #expect(after.nextReset?.number == resets(mine).first?.number)
            #expect(after.peerResets == resets(theirs).count)
            #expect(after.peerReset?.number == resets(theirs).first?.number)
        }
    }
}

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

    private static func table(_ segments: [CapturedSegment], cutAt cuts: [Int]) -> ConnectionTable {
        let filter = ConnectionFilter(segments.map(\.segment.tuple))
        var builder = ConnectionTable.Builder(filter)
        var start = 0
        for end in cuts + [segments.count] {
            var batch = ConnectionTable.Builder.emptyBatch
            for var segment in segments[start..<end] {
                guard let place = filter.number(of: segment.segment.tuple) else { continue }
                (segment.connection, segment.isReversed) = place
                segment.number -= start
                ConnectionTable.Builder.add(segment, to: &batch)
            }
            builder.take([(batch, start)])
            start = end
        }
        return builder.finish()
    }

    @Test(arguments: 1...20)
    func whereACaptureIsCutMakesNoDifference(seed: UInt64) throws {
        let segments = Self.segments(1000, of: [.ack, [.psh, .ack], .syn, [.fin, .ack], .rst], seed: seed)
        let whole = ConnectionTable(segments)
        var generator = Generator(state: seed << 8)
        let cuts = (0..<30).map { _ in Int.random(in: 0...1000, using: &generator) }.sorted()
        let cut = Self.table(segments, cutAt: cuts)
        for reset in segments where reset.segment.flags.contains(.rst) {
            let one = try #require(whole.context(ofPacket: reset.number))
            let other = try #require(cut.context(ofPacket: reset.number))
            #expect(one.own == other.own && one.peer == other.peer && one.after == other.after)
            #expect(one.answerHistory == other.answerHistory && one.final.sides == other.final.sides)
            #expect(one.zeek == other.zeek)
            #expect(one.previous?.number == other.previous?.number && one.duplicates == other.duplicates)
        }
    }

    /// A capture that is read once is followed as one is whose connections with a RST are known.
    @Test(arguments: 1...20)
    func allConnectionsAreFollowedAsSomeAre(seed: UInt64) throws {
        let segments = Self.segments(1000, of: [.ack, [.psh, .ack], .syn, [.fin, .ack], .rst], seed: seed)
        let some = ConnectionTable(segments)
        let all = Self.follow(segments, mostConnections: 1000, inPiecesOf: 37).table
        for reset in segments where reset.segment.flags.contains(.rst) {
            let one = try #require(some.context(ofPacket: reset.number))
            let other = try #require(all.context(ofPacket: reset.number))
            #expect(one.own == other.own && one.peer == other.peer && one.after == other.after)
            #expect(one.answerHistory == other.answerHistory && one.final.sides == other.final.sides)
            #expect(one.zeek == other.zeek && !other.lacksPast)
        }
    }

    private static func follow(
        _ segments: [CapturedSegment], mostConnections: Int, inPiecesOf size: Int
    ) -> CapturedConnections {
        var follower = ConnectionFollower(
            memory: mostConnections * ConnectionShard.bytesOfShortConnection, evictingAfter: size)
        for start in stride(from: 0, to: segments.count, by: 101) {
            var batch = ConnectionFollower.emptyBatch
            for var segment in segments[start..<min(start + 101, segments.count)] {
                segment.number -= start
                ConnectionFollower.add(segment, to: &batch)
            }
            follower.take([(batch, start)])
        }
        return follower.finish()
    }

    private static func segment(_ number: Int, port: Int, _ flags: TCPFlags, fromServer: Bool = false)
        -> CapturedSegment
    {
        let tuple = FourTuple(
            source: IPAddress(ipv4: 0x0a00_0001), sourcePort: UInt16(port % 60_000),
            destination: IPAddress(ipv4: 0x0a00_0002 + UInt32(port / 60_000)), destinationPort: 80)
        var segment = TCPSegment(tuple: fromServer ? tuple.reversed : tuple)
        segment.flags = flags
        segment.seq = UInt32(number)
        return CapturedSegment(segment: segment, number: number, offset: 0, time: Int64(number) * 1000, interface: 0)
    }

    /// A scan in between: what has a RST stays, what is over goes before what is open, and a RST of what is gone says so.
    @Test func whatIsLetGoIsToldOf() throws {
        var segments: [CapturedSegment] = []
        func add(_ port: Int, _ flags: TCPFlags, fromServer: Bool = false) {
            segments.append(Self.segment(segments.count + 1, port: port, flags, fromServer: fromServer))
        }
        add(1, [.ack])
        add(1, [.rst], fromServer: true)
        add(2, [.ack])
        for port in 1000..<5000 { add(port, [.syn]) }
        add(1, [.rst], fromServer: true)
        add(2, [.rst], fromServer: true)
        add(3, [.rst], fromServer: true)
        // A connection that begins has no past to lack.
        add(4, [.syn])
        add(4, [.rst, .ack], fromServer: true)
        let followed = Self.follow(segments, mostConnections: 400, inPiecesOf: 10)
        #expect(followed.evicted > 3000)
        let packets = segments.filter { $0.segment.flags.contains(.rst) }.map(\.number)
        let contexts = try packets.map { try #require(followed.table.context(ofPacket: $0)) }
        #expect(contexts.map(\.lacksPast) == [false, false, true, false, false])
        #expect(contexts.map { $0.peer.segments } == [1, 1, 0, 0, 1])
        #expect(contexts[1].own.resetCount == 1)
    }

    /// The rest of a capture: any connection may have had segments before, but for those that begin in it.
    @Test func theRestOfACaptureLacksThePast() throws {
        var follower = ConnectionFollower(memory: 1 << 20, evictingAfter: 10, lacksAllPast: true)
        var batch = ConnectionFollower.emptyBatch
        let segments = [
            Self.segment(1, port: 1, [.ack]), Self.segment(2, port: 1, [.rst], fromServer: true),
            Self.segment(3, port: 2, [.syn]), Self.segment(4, port: 2, [.rst, .ack], fromServer: true),
        ]
        for segment in segments { ConnectionFollower.add(segment, to: &batch) }
        follower.take([(batch, 0)])
        let flows = follower.snapshot().table
        #expect(try #require(flows.context(ofPacket: 2)).lacksPast)
        #expect(try !#require(flows.context(ofPacket: 4)).lacksPast)
    }

    @Test func connectionsThatAreOverGoFirst() throws {
        var segments: [CapturedSegment] = []
        func add(_ port: Int, _ flags: TCPFlags, fromServer: Bool = false) {
            segments.append(Self.segment(segments.count + 1, port: port, flags, fromServer: fromServer))
        }
        for port in 0..<100 { add(port, [.ack]) }
        for port in 1000..<1900 {
            add(port, [.fin, .ack])
            add(port, [.fin, .ack], fromServer: true)
        }
        for port in 0..<100 { add(port, [.rst], fromServer: true) }
        let followed = Self.follow(segments, mostConnections: 400, inPiecesOf: 10)
        #expect(followed.evicted > 0)
        for reset in segments.suffix(100) {
            let context = try #require(followed.table.context(ofPacket: reset.number))
            #expect(context.peer.segments == 1 && !context.lacksPast)
        }
    }

    /// What a table of numbers holds, against a dictionary.
    @Test(arguments: 1...5)
    func numbersAreThoseOfTheirConnections(seed: UInt64) {
        var generator = Generator(state: seed)
        var numbers = ConnectionNumbers()
        var known: [FourTuple: Int32] = [:]
        for _ in 0..<20_000 {
            let port = Int.random(in: 1000..<1700, using: &generator)
            let tuple = Self.segment(1, port: port, [], fromServer: Bool.random(using: &generator)).segment.tuple
            // Few tags, so that many connections meet in the table.
            let tag = UInt32(port % 50)
            let key = tuple.sourcePort == 80 ? tuple.reversed : tuple
            if Int.random(in: 0..<3, using: &generator) == 0, let number = known.removeValue(forKey: key) {
                numbers.remove(number)
                #expect(numbers.number(of: tuple, tag: tag) == nil)
            } else {
                let found = numbers.number(of: tuple, tag: tag, begins: true)
                #expect(known[key] ?? found.number == found.number)
                #expect(numbers.tuple(found.number) == (found.isReversed ? tuple.reversed : tuple))
                known[key] = found.number
            }
            #expect(numbers.count == known.count)
        }
        #expect(Set(known.values).count == known.count)
    }

    /// What follows each RST, against a search through all that comes after it.
    @Test(arguments: 1...10)
    func whatFollowsIsWhatComesAfter(seed: UInt64) throws {
        let segments = Self.segments(600, of: [.ack, [.psh, .ack], .rst], seed: seed)
        let table = ConnectionTable(segments)
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

import Testing

@testable import Correlator

/// Which of many RSTs that are equal to the last bit are one, against the plain search that says it in the fewest words.
@Suite struct EqualResetsTests {
    /// Deterministic, so that a failure can be repeated.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 33
        }
    }

    private struct Packet {
        let number: Int
        /// Milliseconds.
        let time: Int
        let interface: Int
    }

    /// Each packet joins the nearest one, of those within a second, that its interface has not seen yet, nor any after it.
    private static func plainly(_ packets: [Packet]) -> Set<[Int]> {
        var groups: [[Packet]] = []
        for packet in packets.sorted(by: { ($0.time, $0.number) < ($1.time, $1.number) }) {
            let seen = groups.lastIndex { $0.contains { $0.interface == packet.interface } } ?? -1
            let open = groups.indices.filter { $0 > seen && packet.time - groups[$0][0].time <= 1000 }
            if let nearest = open.min(by: { groups[$0][0].time > groups[$1][0].time }) {
                groups[nearest].append(packet)
            } else {
                groups.append([packet])
            }
        }
        return Set(groups.map { $0.map(\.number).sorted() })
    }

    @Test(arguments: 1...40)
    func theNearestAreOne(seed: UInt64) {
        var generator = Generator(state: seed)
        var world = World()
        var packets: [Packet] = []
        for number in 1...60 {
            let packet = Packet(
                number: number, time: Int.random(in: 0...4000, using: &generator) / 100 * 100,
                interface: Int.random(in: 0..<3, using: &generator))
            packets.append(packet)
            world.packet(at: Double(packet.time), interface: Int32(packet.interface))
        }
        let found = world.report().resets.map { $0.sightings.map(\.packet).sorted() }
        #expect(Set(found) == Self.plainly(packets))
        #expect(found.count == Set(found).count)
    }
}

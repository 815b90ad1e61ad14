import KernelEvents
import NetworkTypes
import PcapReader
import Testing

@testable import Correlator

@Suite struct LiveCorrelatorTests {
    private static func rst(_ number: Int, port: UInt16, seq: UInt32 = 1) -> CapturedSegment {
        let tuple = FourTuple(
            source: IPAddress(ipv4: 0x0a00_0001), sourcePort: 80, destination: IPAddress(ipv4: 0x0a00_0002),
            destinationPort: port)
        var segment = TCPSegment(tuple: tuple)
        segment.flags = .rst
        segment.seq = seq
        segment.ttl = 64
        return CapturedSegment(segment: segment, number: number, offset: 0, time: 1_000_000_000, interface: 0)
    }

    private static func base(_ file: String) -> CaptureInput {
        CaptureInput(file: file, packets: 0, interfaces: ["eth0"], resets: [])
    }

    private let second: Int64 = 1_000_000_000

    @Test func aRSTIsGivenOutOnceWhenItIsSettled() {
        var live = LiveCorrelator(settlingTime: second)
        let capture = live.addCapture(Self.base("a"))
        live.take([Self.rst(1, port: 1)], of: capture, Self.base("a"), at: 10 * second)
        #expect(live.settled(at: 11 * second - 1) { _ in nil }.isEmpty)
        live.take([Self.rst(2, port: 2)], of: capture, Self.base("a"), at: 11 * second - 1)
        #expect(live.settled(at: 11 * second) { _ in nil }.map(\.tuple.destinationPort) == [1])
        #expect(live.settled(at: 11 * second) { _ in nil }.isEmpty)
        #expect(live.settled(at: nil) { _ in nil }.map(\.id) == [2])
        #expect(live.count == 2 && live.lateSightings == 0 && !live.isWaiting)
    }

    /// What another capture shows of it later is no RST of its own; what comes long after is.
    @Test func aLateSightingFindsItsRST() {
        var live = LiveCorrelator(settlingTime: second)
        let (one, other) = (live.addCapture(Self.base("a")), live.addCapture(Self.base("b")))
        live.take([Self.rst(1, port: 1)], of: one, Self.base("a"), at: 10 * second)
        #expect(live.settled(at: 11 * second) { _ in nil }.count == 1)
        live.take([Self.rst(7, port: 1)], of: other, Self.base("b"), at: 12 * second)
        #expect(live.settled(at: 13 * second) { _ in nil }.isEmpty)
        #expect(live.lateSightings == 1)
        live.take([Self.rst(8, port: 1)], of: one, Self.base("a"), at: 30 * second)
        #expect(live.settled(at: 31 * second) { _ in nil }.map(\.id) == [2])
    }

    /// What was given out goes in the end, whatever else waits.
    @Test func memoryDoesNotGrow() {
        var window = SourceWindow<Int>()
        for round in 0..<100 {
            window.add([round, round], at: Int64(round))
            for place in window.elements.indices where window.ids[place] == 0 && window.elements[place] < round {
                window.give(1, to: place)
            }
            window.prune(before: Int64(round) - 3)
            #expect(window.elements.count <= 10)
            #expect(window.elements.count == window.arrivals.count && window.elements.count == window.ids.count)
        }
        #expect(window.elements.last == 99 && window.ids.last == 0)
    }
}

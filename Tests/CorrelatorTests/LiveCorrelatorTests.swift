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
        #expect(live.settled(at: 11 * second - 1) { _ in nil }.resets.isEmpty)
        live.take([Self.rst(2, port: 2)], of: capture, Self.base("a"), at: 11 * second - 1)
        #expect(live.settled(at: 11 * second) { _ in nil }.resets.map(\.tuple.destinationPort) == [1])
        #expect(live.settled(at: 11 * second) { _ in nil }.resets.isEmpty)
        #expect(live.settled(at: nil) { _ in nil }.resets.map(\.id) == [2])
        #expect(live.count == 2 && live.lateSightings == 0 && !live.isWaiting)
    }

    /// What another capture shows of it later is no RST of its own; what comes long after is.
    @Test func aLateSightingFindsItsRST() {
        var live = LiveCorrelator(settlingTime: second)
        let (one, other) = (live.addCapture(Self.base("a")), live.addCapture(Self.base("b")))
        live.take([Self.rst(1, port: 1)], of: one, Self.base("a"), at: 10 * second)
        #expect(live.settled(at: 11 * second) { _ in nil }.resets.count == 1)
        live.take([Self.rst(7, port: 1)], of: other, Self.base("b"), at: 12 * second)
        #expect(live.settled(at: 13 * second) { _ in nil }.resets.isEmpty)
        #expect(live.lateSightings == 1)
        live.take([Self.rst(8, port: 1)], of: one, Self.base("a"), at: 30 * second)
        #expect(live.settled(at: 31 * second) { _ in nil }.resets.map(\.id) == [2])
    }

    private static func followed(_ flow: Conversation) -> CapturedConnections {
        var follower = ConnectionFollower(memory: 1 << 20)
        var batch = ConnectionFollower.emptyBatch
        for segment in flow.segments { ConnectionFollower.add(segment, to: &batch) }
        follower.take([(batch, 0)])
        return follower.finish()
    }

    /// The SYN that a RST refuses is accepted after the RST was given out: somebody else had sent it.
    @Test func whatComesLaterCorrectsAVerdict() throws {
        var live = LiveCorrelator(settlingTime: second)
        let capture = live.addCapture(Self.base("a"))
        var flow = Conversation()
        flow.send(.client, .syn)
        flow.answer(from: .server, to: flow.last)
        let refused = flow
        live.take([flow.segments[1]], of: capture, Self.base("a"), at: 10 * second)
        let first = live.settled(at: 11 * second) { _ in Self.followed(refused) }
        let reset = try #require(first.resets.first)
        #expect(first.resets.count == 1 && first.corrections.isEmpty)
        #expect(reset.cause != .injected && !reset.open.isEmpty && reset.revision == 0)
        flow.send(.server, [.syn, .ack])
        let accepted = flow
        #expect(live.settled(at: 11 * second + 1) { _ in Self.followed(accepted) }.isEmpty, "no look so soon")
        let later = live.settled(at: 12 * second) { _ in Self.followed(accepted) }
        let corrected = try #require(later.corrections.first)
        #expect(later.resets.isEmpty && later.corrections.count == 1)
        #expect(corrected.id == reset.id && corrected.cause == .injected && corrected.revision == 1)
        #expect(corrected.time == reset.time && corrected.monotonic == reset.monotonic)
        // That less is known of it later corrects nothing, and what was said is not said again.
        #expect(live.settled(at: 14 * second) { _ in Self.followed(accepted) }.isEmpty)
        #expect(live.settled(at: 15 * second) { _ in Self.followed(refused) }.isEmpty)
        #expect(live.settled(at: nil) { _ in nil }.isEmpty && live.count == 1)
    }

    /// With a source that is behind, RSTs of the other wait for it.
    @Test func aSourceThatIsBehindIsWaitedFor() {
        var live = LiveCorrelator(settlingTime: second)
        let capture = live.addCapture(Self.base("a"))
        live.take([Self.rst(1, port: 1)], of: capture, Self.base("a"), at: 10 * second)
        #expect(live.settled(at: 11 * second, behind: 2 * second) { _ in nil }.isEmpty)
        #expect(live.settled(at: 13 * second, behind: 2 * second) { _ in nil }.resets.count == 1)
    }

    /// In a flood only the latest stay.
    @Test func aFloodIsBounded() {
        var window = SourceWindow<Int>()
        window.add(Array(0..<1000), at: 1)
        for place in 0..<900 { window.give(place + 1, to: place) }
        window.prune(before: 0, keeping: 50)
        #expect(window.elements == Array(850..<1000))
        #expect(window.oldestID == 851)
    }

    /// What was given out goes in the end, whatever else waits.
    @Test func memoryDoesNotGrow() {
        var window = SourceWindow<Int>()
        for round in 0..<100 {
            window.add([round, round], at: Int64(round))
            for place in window.elements.indices where window.ids[place] == 0 && window.elements[place] < round {
                window.give(1, to: place)
            }
            window.prune(before: Int64(round) - 3, keeping: 100)
            #expect(window.elements.count <= 10)
            #expect(window.elements.count == window.arrivals.count && window.elements.count == window.ids.count)
        }
        #expect(window.elements.last == 99 && window.ids.last == 0)
    }
}

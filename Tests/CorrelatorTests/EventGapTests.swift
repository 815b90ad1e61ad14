import KernelEvents
import NetworkTypes
import Testing

@testable import Correlator

/// RSTs that were captured, or sent, while not both were there: the hooks and the capture.
@Suite struct EventGapTests {
    private static let other = FourTuple(
        source: World.tuple.source, sourcePort: 81, destination: World.tuple.destination, destinationPort: 40001)

    private func facts(_ reset: Reset) -> String { reset.evidence.map(\.fact).joined(separator: "\n") }

    @Test(arguments: [(50.0, EventGapSide?.some(.before)), (150, nil), (1050, .after)])
    func aCapturedResetOutsideOfTheHooksSaysSo(_ time: Double, _ side: EventGapSide?) throws {
        var world = World()
        world.hooks = (100, 1000)
        world.packet(at: time)
        for addresses in [[], [World.tuple.source]] {
            let report = world.report(addresses: addresses)
            let reset = try #require(report.resets.first)
            #expect(reset.outsideEvents == side && report.resets.rows[0].outsideEvents == side)
            #expect(reset.outcome == .wireOnly && reset.certainty != .proven)
            #expect(facts(reset).contains("they say nothing about this RST") == (side != nil))
            // Where no hook was, its silence means nothing.
            let isHeld = facts(reset).contains("it has no kernel event")
            #expect(isHeld == (side == nil && !addresses.isEmpty))
            #expect(report.count(outsideEvents: .before) == (side == .before ? 1 : 0))
            #expect(report.count(outsideEvents: .after) == (side == .after ? 1 : 0))
        }
        // It came to the host: no hook reports those.
        let received = world.report(addresses: [World.tuple.destination])
        #expect(received.resets.first?.outsideEvents == nil)
    }

    @Test func theDistanceIsNamed() throws {
        var world = World()
        world.hooks = (187, 1000)
        world.packet(at: 50)
        world.packet(at: 1020, Self.other)
        let report = world.report()
        #expect(facts(report.resets[0]).contains("which begin 137 ms later"))
        #expect(facts(report.resets[1]).contains("which ended 20 ms earlier"))
        // An older recorder says neither; its header is written when the hooks are there.
        world.hooks = nil
        world.emit(at: 1000, seq: 9)
        let older = world.report()
        #expect(older.resets.map(\.outsideEvents) == [nil, nil, .after])
        #expect(facts(older.resets[2]).contains("known to continue only until 20 ms earlier"))
    }

    /// Of two recorders the one whose host has the address of the sender would know; else either.
    @Test func anotherRecorderMayHaveBeenThere() {
        var late = World()
        late.hooks = (100, 1000)
        late.packet(at: 50)
        #expect(late.report(others: [late]).resets.first?.outsideEvents == .before)
        var early = World()
        early.hooks = (0, 200)
        #expect(late.report(others: [early]).resets.first?.outsideEvents == nil)
    }

    @Test(arguments: [
        (50.0, "before the capture began"), (1050, "after the capture ended"), (500, "not in any capture"),
    ])
    func anEventOutsideOfTheCaptureSaysSo(_ time: Double, _ words: String) throws {
        var world = World()
        world.capture = (100, 1000)
        world.emit(at: time, ifindex: 9)
        let reset = try #require(world.report().resets.first)
        #expect(reset.outcome == .kernelOnly)
        #expect(facts(reset).contains(words), "\(facts(reset))")
    }

    /// That nothing left is only said where the hook that would have seen it was there.
    @Test(arguments: [(102.0, false), (500, true), (998, false)])
    func aDecisionAloneAtTheEdgeProvesNoDrop(_ time: Double, _ isKnown: Bool) throws {
        var world = World()
        world.hooks = (100, 1000)
        world.decide(at: time)
        let reset = try #require(
            world.report(attached: [.init(name: ResetEvent.emitHook, status: "attached")]).resets.first)
        #expect(facts(reset).contains("no device was given it") == isKnown, "\(facts(reset))")
    }
}

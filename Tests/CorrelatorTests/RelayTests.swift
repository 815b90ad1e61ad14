import NetworkTypes
import Testing

@testable import Correlator

/// A program that writes again what it has read made none of it: never proven to be `user-space`.
@Suite struct RelayTests {
    private static let written = 8

    private static let hidden = FourTuple(
        source: World.tuple.source, sourcePort: World.tuple.sourcePort, destination: IPAddress(ipv4: 0xc0a8_0009),
        destinationPort: 61000)

    /// The kernel's own, and 30 ms later the copies of the relay behind them, each captured where it is sent.
    private static func relayed(_ times: [Double], delay: Double = 30, to tuple: FourTuple = World.tuple) -> World {
        var world = World()
        for time in times {
            world.decide(at: time - 0.01)
            world.emit(at: time)
            world.packet(at: time + 0.01, interface: 0)
            world.emit(at: time + delay, tuple, ifindex: 2, stack: written)
            world.packet(at: time + delay + 0.01, tuple, interface: 1)
        }
        return world
    }

    @Test(
        arguments: [[0], [0, 10], [0, 0.04], [0, 10, 20], [0, 29, 31, 80], [0, 900, 1800, 2700]], [0.02, 30, 800])
    func copiesAreSightings(times: [Double], delay: Double) {
        let resets = Self.relayed(times, delay: delay).report().resets
        #expect(resets.count == times.count)
        #expect(resets.allSatisfy { $0.cause == .staleConnection && $0.certainty == .proven })
        #expect(resets.allSatisfy { $0.sightings.count == 2 && $0.outcome == .matched })
        #expect(
            resets.allSatisfy { $0.evidence.contains { $0.fact == "relay (pid 7) passed it on to another device" } })
    }

    @Test(arguments: [[0], [0, 10], [0, 10, 20]], [0.02, 30, 800])
    func copiesWithAnotherAddressAreSightings(times: [Double], delay: Double) {
        let resets = Self.relayed(times, delay: delay, to: Self.hidden).report().resets
        #expect(resets.count == times.count)
        #expect(
            resets.allSatisfy { $0.cause == .staleConnection && $0.certainty == .proven && $0.sightings.count == 2 })
    }

    @Test func aRelayThatWritesTwiceMakesNone() {
        var world = Self.relayed([0])
        world.emit(at: 31, ifindex: 2, stack: Self.written)
        world.packet(at: 31.01, interface: 1)
        let resets = world.report().resets
        #expect(resets.map(\.cause) == [.staleConnection])
        #expect(resets.first?.sightings.count == 3)
    }

    /// Who made it is not recorded, only that it came.
    @Test(arguments: [World.tuple, hidden])
    func whatCameBeforeItWasWrittenIsPassedOn(tuple: FourTuple) {
        var world = World()
        for time in [0.0, 5] {
            world.packet(at: time, interface: 0)
            world.emit(at: time + 30, tuple, ifindex: 2, stack: Self.written)
            world.packet(at: time + 30.01, tuple, interface: 1)
        }
        let resets = world.report().resets
        #expect(resets.count == 2)
        #expect(resets.allSatisfy { $0.cause == .forwarded && $0.certainty == .inferred && $0.direction == .forwarded })
        #expect(resets.allSatisfy { $0.candidates == [.forwarded, .userSpace] })
    }

    /// Both addresses differ, or the segment was not seen, only the decision: it may be a copy.
    @Test func whatMayBeACopyIsNotProven() {
        var tunnel = World()
        tunnel.emit(at: 0)
        tunnel.emit(at: 30, Self.hidden.reversed, ifindex: 2, stack: Self.written)
        var unseen = World()
        unseen.decide(at: 0)
        unseen.emit(at: 30, ifindex: 2, stack: Self.written)
        var relays = World()
        relays.emit(at: 0, Self.hidden, ifindex: 1, stack: Self.written, pid: 8)
        relays.emit(at: 30, ifindex: 2, stack: Self.written)
        for world in [tunnel, unseen, relays] {
            let resets = world.report(addresses: [World.tuple.source, Self.hidden.destination]).resets
            #expect(resets.count == 2)
            #expect(resets.last?.cause == .userSpace && resets.last?.certainty == .inferred)
        }
    }

    /// Where it could have come without being captured, nobody knows.
    @Test func aForeignSourceIsNotProven() {
        var world = World()
        world.emit(at: 0, stack: Self.written)
        world.packet(at: 0.01)
        #expect(world.report(addresses: [World.tuple.source]).resets[0].certainty == .proven)
        #expect(world.report().resets[0].certainty == .proven)
        let reset = world.report(isCaptured: false).resets[0]
        #expect(reset.cause == .userSpace && reset.certainty == .inferred)
    }

    @Test func aProgramThatRepeatsItselfMadeThemAll() {
        var world = World()
        for (index, time) in [0.0, 20, 40].enumerated() {
            world.emit(at: time, stack: Self.written)
            world.packet(at: time + 0.01)
            // Many connections, one number.
            let other = FourTuple(
                source: World.tuple.source, sourcePort: UInt16(1000 + index), destination: World.tuple.destination,
                destinationPort: World.tuple.destinationPort)
            world.emit(at: time + 1, other, stack: Self.written)
        }
        let resets = world.report(addresses: [World.tuple.source]).resets
        #expect(resets.count == 6)
        #expect(resets.allSatisfy { $0.cause == .userSpace && $0.certainty == .proven })
    }

    /// A user-space stack answers, and a rule drops what the kernel would have answered.
    @Test func theKernelsDecisionIsNotTheProgramsSegment() {
        var world = World()
        world.decide(at: 0)
        world.emit(at: 0.1, stack: Self.written)
        let resets = world.report(addresses: [World.tuple.source]).resets
        #expect(resets.map(\.cause) == [.staleConnection, .userSpace])
        #expect(resets.map(\.outcome) == [.kernelOnly, .kernelOnly])
    }

    /// A queue in a router holds segments as a program does.
    @Test func aSlowRouterMakesNone() {
        var world = World()
        for time in [0.0, 10, 20] {
            world.decide(at: time - 0.01)
            world.emit(at: time)
            world.emit(at: time + 30, ifindex: 2, stack: 3)
        }
        #expect(world.report().resets.map(\.cause) == Array(repeating: .staleConnection, count: 3))
    }
}

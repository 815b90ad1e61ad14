import NetworkTypes
import PcapReader
import Testing

@testable import Correlator

/// What another connection of the capture says of a port.
@Suite struct ListenerTests {
    /// A connection without its handshake, between ports that do not tell which end serves.
    private func stale(_ time: Int64 = 100_000_000_000) -> Conversation {
        var flow = Conversation()
        flow.serverPort = 50_000
        flow.clientPort = 51_000
        flow.time = time
        flow.send(.server, [.psh, .ack], length: 10)
        flow.send(.client, .ack)
        flow.time += 2_000_000_000
        flow.send(.client, [.psh, .ack], length: 20)
        flow.answer(from: .server, to: flow.last)
        return flow
    }

    /// Another connection of the same two hosts, before that one.
    private func other(port: UInt16 = 50_000, _ body: (inout Conversation) -> Void) -> Conversation {
        var flow = Conversation()
        flow.serverPort = port
        flow.clientPort = 52_000
        body(&flow)
        return flow
    }

    private func resets(_ first: Conversation, _ then: Conversation) -> ResetList {
        var all = first.segments + then.segments
        for place in all.indices { all[place].number = place + 1 }
        return resetList(ofCapture: all)
    }

    private func candidates(_ resets: ResetList) throws -> [Cause] {
        let reset = try #require(resets.last)
        return reset.candidates.isEmpty ? [reset.cause] : reset.candidates
    }

    @Test func nothingTells() throws {
        #expect(try candidates(resetList(ofCapture: stale().segments)).first == .staleConnection)
    }

    /// In a connection that was reset, or one that ended in order and is not followed.
    @Test(arguments: [true, false]) func anotherConnectionShowsTheListener(isReset: Bool) throws {
        let before = other {
            $0.open()
            if isReset { $0.send(.server, [.rst, .ack]) }
        }
        let resets = resets(before, stale())
        #expect(try candidates(resets).first == .staleConnectionAtListener)
        #expect(try #require(resets.last?.because).contains("packet 2 accepts"))
    }

    @Test func anotherPortSaysNothing() throws {
        #expect(try candidates(resets(other(port: 50_001) { $0.open() }, stale())).first == .staleConnection)
    }

    /// Whether somebody listened when the segment came is not known.
    @Test func aPortThatRefusedAsWellSaysNothing() throws {
        let before = other {
            $0.open()
            $0.send(.server, [.rst, .ack])
            $0.clientPort = 53_000
            $0.send(.client, .syn)
            $0.answer(from: .server, to: $0.last)
        }
        #expect(try candidates(resets(before, stale())).first == .staleConnection)
    }

    /// The RST comes from another host than the one that listens.
    @Test func anotherHostSpeaksForNoListener() throws {
        let before = other { flow in
            flow.send(.client, .syn)
            flow.send(.server, [.syn, .ack]) { $0.ttl = 63 }
            flow.send(.client, .ack)
        }
        let resets = resets(before, stale())
        #expect(try !#require(resets.last?.because).contains("accepts"))
    }
}

import KernelEvents
import NetworkTypes
import Testing

@testable import Correlator

@Suite struct ConntrackTests {
    private static let inside = FourTuple(
        source: IPAddress(ipv4: 0xc0a8_0002), sourcePort: 5000, destination: World.tuple.destination,
        destinationPort: World.tuple.destinationPort)

    /// A segment of the server to the address that a client behind this host seems to have.
    private static func evidence(_ change: (inout ResetEvent.Conntrack) -> Void) -> Evidence {
        var conntrack = ResetEvent.Conntrack(isAtWork: true, segment: ResetEvent.Conntrack.Segment.none)
        conntrack.original = inside
        conntrack.reply = World.tuple.reversed
        conntrack.isLookedUp = true
        change(&conntrack)
        var evidence = Evidence()
        evidence.path = KernelPath(frames: ["tcp_v4_send_reset", "tcp_v4_rcv", "handle_softirqs"])
        evidence.socket = .absent
        evidence.trigger = Evidence.Trigger(flags: [.psh, .ack], length: 1, seq: 1, ack: 2)
        evidence.tuple = World.tuple
        evidence.conntrack = conntrack
        return evidence
    }

    @Test func whatNATDidNotPassOnIsNamed() {
        let verdict = judge(Self.evidence { _ in })
        #expect(verdict.cause == .staleConnection && verdict.certainty == .proven)
        #expect(verdict.summary.contains("INVALID") && verdict.summary.contains("192.168.0.2:5000"))
        #expect(verdict.advice?.contains("nf_conntrack_tcp_be_liberal") == true)
        #expect(verdict.advice?.contains("ct state invalid drop") == true)
    }

    /// The client's segment to a published service.
    @Test func theOtherDirectionIsNamed() {
        let verdict = judge(
            Self.evidence {
                $0.original = World.tuple.reversed
                $0.reply = Self.inside
            })
        #expect(verdict.summary.contains("192.168.0.2:5000"))
    }

    @Test func anExemptSegmentIsNotCalledInvalid() {
        let verdict = judge(Self.evidence { $0.segment = .untracked })
        #expect(verdict.summary.contains("notrack") && !verdict.summary.contains("INVALID"))
    }

    /// Conntrack is not at work, nobody knows, the segment had its entry, or nothing would have been translated.
    @Test func nothingIsClaimedWithoutProof() {
        let changes: [(inout ResetEvent.Conntrack) -> Void] = [
            { $0.isAtWork = false }, { $0.isAtWork = nil }, { $0.segment = nil }, { $0.segment = .tracked },
            { $0.original = World.tuple }, { $0.original = nil }, { $0.reply = Self.inside },
            { $0.isLookedUp = false },
        ]
        for change in changes {
            let verdict = judge(Self.evidence(change))
            #expect(verdict.cause == .staleConnection && verdict.advice == nil)
            #expect(!verdict.summary.contains("INVALID"))
        }
    }
}

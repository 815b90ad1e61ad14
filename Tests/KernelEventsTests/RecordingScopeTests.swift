import JSONText
import NetworkTypes
import Testing

@testable import KernelEvents

@Suite struct RecordingScopeTests {
    private static let tuple = FourTuple(
        source: IPAddress(ipv4: 0x0a00_0001), sourcePort: 80, destination: IPAddress(ipv4: 0xc0a8_0102),
        destinationPort: 40000)

    private func prefix(_ text: String) throws -> IPPrefix { try #require(IPPrefix(text)) }

    @Test func anEmptyScopeHoldsEverything() {
        let scope = RecordingScope()
        #expect(scope.isEmpty && !scope.asksForEnds)
        #expect(scope.mayHold(Self.tuple, netns: 1) && scope.mayHold(Self.tuple, netns: nil))
        #expect(scope.description == "")
    }

    @Test(arguments: [
        ("10.0.0.1", true), ("192.168.0.0/16", true), ("10.0.0.2", false), ("0.0.0.0/0", true), ("::/0", false),
        ("fd00::/8", false),
    ])
    func eitherEndMayBeTheHost(_ host: String, _ holds: Bool) throws {
        let scope = RecordingScope(hosts: [try prefix(host)])
        #expect(scope.mayHold(Self.tuple, netns: nil) == holds)
        #expect(scope.mayHold(Self.tuple.reversed, netns: nil) == holds)
        #expect(scope.asksForEnds)
    }

    @Test func eachListNeedsOneThatFits() throws {
        let host = try prefix("10.0.0.1")
        #expect(RecordingScope(hosts: [host], ports: [40000, 1]).mayHold(Self.tuple, netns: nil))
        #expect(!RecordingScope(hosts: [host], ports: [81]).mayHold(Self.tuple, netns: nil))
        let scope = RecordingScope(netns: [5, 6], ports: [80])
        #expect(scope.mayHold(Self.tuple, netns: 6) && !scope.mayHold(Self.tuple, netns: 7))
        // Nobody knows in which one it was.
        #expect(scope.mayHold(Self.tuple, netns: nil))
        #expect(!RecordingScope(netns: [5]).asksForEnds)
    }

    /// What a host sends leaves in the namespace that has the address, as far as the header knows the addresses.
    @Test func aHeaderKnowsWhereAddressesAre() {
        var header = RecordingHeader()
        #expect(header.mayHold(Self.tuple))
        header.scope = RecordingScope(netns: [5])
        #expect(header.mayHold(Self.tuple))
        func interface(_ netns: UInt32) -> RecordingHeader.Interface {
            RecordingHeader.Interface(
                name: "eth0", ifindex: 2, netns: netns, addresses: [Self.tuple.source], captured: true)
        }
        header.interfaces = [interface(7)]
        #expect(!header.mayHold(Self.tuple))
        header.interfaces = [interface(7), interface(5)]
        #expect(header.mayHold(Self.tuple))
    }

    @Test func itSaysWhatItIsInWords() throws {
        let scope = RecordingScope(
            netns: [4_026_531_840], hosts: [try prefix("10.0.0.0/8"), try prefix("::/0")], ports: [1, 2, 3])
        #expect(scope.description == "network namespace 4026531840, hosts 10.0.0.0/8 or ::/0, ports 1, 2 or 3")
        var json = JSONWriter()
        json.append(scope: scope)
        #expect(
            String(decoding: json.finish(), as: UTF8.self)
                == #"{"netns":[4026531840],"hosts":["10.0.0.0/8","::/0"],"ports":[1,2,3]}"#)
    }
}

import NetworkTypes
import PcapReader
import Testing

@Suite struct CaptureFilterTests {
    private func takes(_ filter: String, _ flags: TCPFlags, isIPv4: Bool = true) -> Bool {
        CaptureFilter(filter).takes(flags, isIPv4: isIPv4)
    }

    @Test(arguments: [
        "tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0",
        "tcp[13] & 7 != 0", "tcp[0xd]&0x07>0", "tcp[13:1] & 7 != 0 and host 10.0.0.1", "(tcp[tcpflags] & 7) != 0",
        "not (tcp[13] & 7 = 0)", "! tcp[13] & 7 == 0", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 or tcp[13] & 4 == 4",
        "port 80 and (tcp[13] = 2 or tcp[13] = 18 or tcp[13] & 1 != 0 or tcp[13] & tcp-rst != 0)",
        "tcp[1 + 12] & (1 << 1 | 5) != 0",
    ])
    func aFilterOfFlagsLeavesOutData(_ filter: String) {
        for flags in [.syn, [.syn, .ack], [.fin, .ack], [.fin, .psh, .ack], [.rst, .ack]] as [TCPFlags] {
            #expect(takes(filter, flags), "\(filter): \(flags)")
        }
        #expect(!takes(filter, .ack) && !takes(filter, [.psh, .ack]))
        let effect = CaptureFilter(filter).effect(isIPv4: true)
        #expect(effect.leavesOutSegments && effect.takesSyns && effect.takesFins)
    }

    @Test(arguments: [
        "tcp", "host 10.0.0.1", "port 80 or 443", "tcp port 443 and not host fe80::1",
        "net 10.0.0.0/8 and tcp[13] & 0 = 0",
        "portrange 1-1000", "src host tcp-syn.example.com", "vlan 7 and ip", "udp or tcp", "port (80 or 443)",
        "tcp[13] & 7 != 0 or host 10.0.0.1",
    ])
    func aFilterOfHostsLeavesOutNothingOfAConnection(_ filter: String) {
        #expect(!CaptureFilter(filter).effect(isIPv4: true).leavesOutSegments)
    }

    /// Whether a segment with data passes is not known, and that it may not is.
    @Test(arguments: [
        "(((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)", "less 100", "greater 100 and tcp", "len > 60",
        "tcp[((tcp[12]&0xf0)>>2):4] = 0x47455420", "tcp[13", "", "(((", "tcp[13] & 7 != 0)", "host 10.0.0.1 extra (",
    ])
    func whatDependsOnMoreIsNotKnown(_ filter: String) {
        let effect = CaptureFilter(filter).effect(isIPv4: true)
        #expect(effect.leavesOutSegments && !effect.takesSyns)
    }

    @Test func aFilterOfRstsTakesNoSyns() {
        let effect = CaptureFilter("tcp[tcpflags] & tcp-rst != 0").effect(isIPv4: true)
        #expect(effect.leavesOutSegments && !effect.takesSyns && !effect.takesFins)
        #expect(takes("tcp[tcpflags] & tcp-rst != 0", [.rst, .ack]))
    }

    /// pcap-filter(7): tcp[...] reads IPv4 packets only, and `and` binds no tighter than `or`.
    @Test func theGrammarIsThatOfLibpcap() {
        #expect(!takes("tcp[13] & 2 != 0", .syn, isIPv4: false))
        #expect(takes("ip6[6] = 6 and ip6[53] & 2 != 0", .syn, isIPv4: false))
        #expect(!takes("ip6[6] = 6 and ip6[53] & 2 != 0", .ack, isIPv4: false))
        #expect(!takes("tcp[13] & 2 != 0 or tcp[13] & 1 != 0 and udp", .syn))
        #expect(takes("tcp[13] & 2 != 0 or (tcp[13] & 1 != 0 and udp)", .syn))
    }

    @Test func noExpressionUsesUpTheStack() {
        for part in ["(", "not ", "! ", "tcp[", "1+(", "host a and "] {
            let text = String(repeating: part, count: 20_000)
            #expect(!CaptureFilter(text).takes(.ack, isIPv4: true))
        }
    }
}

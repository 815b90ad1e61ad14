import NetworkTypes
import Testing

@testable import Correlator

@Suite struct NamePatternTests {
    @Test(arguments: [
        ("nginx", "nginx", true), ("nginx", "nginx2", false), ("ng*", "nginx", true), ("*x", "nginx", true),
        ("n?inx", "nginx", true), ("n?nx", "nginx", false), ("*", "", true), ("?", "", false),
        ("a*b*c", "aXbXbc", true),
        ("a*b*c", "aXbXb", false), ("", "", true), ("", "a", false),
    ])
    func aPatternMatches(_ pattern: String, _ name: String, _ matches: Bool) {
        #expect(NamePattern(pattern).matches(name) == matches)
    }

    /// Time must not grow with the power of the asterisks.
    @Test func manyAsterisksAreNoTrap() {
        let pattern = NamePattern(String(repeating: "a*", count: 500) + "b")
        #expect(!pattern.matches(String(repeating: "a", count: 5000)))
    }
}

@Suite struct PatternTests {
    private func reset(
        _ id: Int, seconds: Double, _ cause: Cause, port: UInt16 = 80, client: UInt32 = 0x0a00_0002,
        clientPort: UInt16 = 40000, sentByClient: Bool = false, silence: UInt64? = nil, hasData: Bool = true,
        pid: Int32? = nil
    ) -> Reset {
        let server = FourTuple(
            source: IPAddress(ipv4: 0x0a00_0001), sourcePort: port, destination: IPAddress(ipv4: client),
            destinationPort: clientPort)
        var reset = Reset(
            time: Int64(seconds * 1e9), tuple: sentByClient ? server.reversed : server, direction: .sent,
            outcome: .wireOnly, sightings: [], cause: cause, category: Catalogue.rule(for: cause)?.category ?? .unknown,
            certainty: .inferred, summary: "s.", evidence: [])
        reset.id = id
        var flow = ConnectionSummary(opener: sentByClient ? .sender : .receiver, acceptance: "unknown")
        flow.silence = silence
        flow.sender.bytes = hasData ? 1 : 0
        reset.flow = flow
        if let pid { reset.process = Reset.Process(pid: pid, comm: "app", role: .owner) }
        return reset
    }

    private func patterns(_ resets: [Reset]) -> [Answer.Pattern?] {
        let groups = AnswerGroups(ResetList(resets.sorted { $0.time < $1.time }))
        return (0..<groups.count).map { groups.answer($0).pattern }
    }

    @Test func anIdleLimitIsASilenceThatRecurs() {
        let limit = (1...6).map {
            reset($0, seconds: Double($0 * 1000), .idleTimeout, silence: 900_000_000_000 + UInt64($0) * 1_000_000_000)
        }
        #expect(patterns(limit) == [.idleLimit(silence: 904_000_000_000, count: 6)])
        let none = (1...6).map {
            reset($0, seconds: Double($0 * 1000), .idleTimeout, silence: UInt64($0) * 120_000_000_000)
        }
        #expect(patterns(none) == [nil])
    }

    @Test func aHealthCheckIsRegular() {
        let regular = (1...6).map {
            reset(
                $0, seconds: Double($0) * 5, .lingerZero, clientPort: 40000 + UInt16($0), sentByClient: true,
                hasData: false)
        }
        #expect(patterns(regular) == [.healthCheck(every: 5_000_000_000)])
        let irregular = (1...6).map {
            reset(
                $0, seconds: Double($0 * $0) * 5, .lingerZero, clientPort: 40000 + UInt16($0), sentByClient: true,
                hasData: false)
        }
        #expect(patterns(irregular) == [nil])
    }

    @Test func aCrashLoopGoesDownAgainAndAgain() {
        var resets: [Reset] = []
        for turn in 0..<5 {
            for place in 0..<4 {
                resets.append(
                    reset(
                        resets.count + 1, seconds: Double(turn * 100 + place), .abortOnClose,
                        clientPort: UInt16(41000 + place)))
                resets.append(
                    reset(
                        resets.count + 1, seconds: Double(turn * 100 + 20 + place), .connectionRefused,
                        clientPort: UInt16(42000 + place)))
            }
        }
        #expect(patterns(resets) == [.crashLoop(times: 5), .crashLoop(times: 5)])
        #expect(findings(in: ResetList(resets.sorted { $0.time < $1.time })).map(\.count) == [40])
        // Two hosts behind one address, one of which is down: both come in no order.
        let mixed = (1...40).map {
            reset($0, seconds: Double($0), $0 * 7919 % 11 % 2 == 0 ? .abortOnClose : .connectionRefused)
        }
        #expect(patterns(mixed).allSatisfy { if case .crashLoop = $0 { false } else { true } })
    }

    @Test func processesThatReplaceEachOtherAreALoop() {
        let loop = (0..<12).map { reset($0 + 1, seconds: Double($0), .abortOnClose, pid: Int32(100 + $0 / 3)) }
        #expect(patterns(loop) == [.crashLoop(times: 4)])
        let workers = (0..<12).map { reset($0 + 1, seconds: Double($0), .abortOnClose, pid: Int32(100 + $0 % 3)) }
        #expect(patterns(workers) == [nil])
    }

    @Test func aDeadBackendLetsNobodyIn() {
        let dead = (1...4).map {
            reset($0, seconds: Double($0 * $0), .connectionRefused, clientPort: UInt16(40000 + $0))
        }
        #expect(patterns(dead) == [.deadBackend])
    }

    /// 1,478 RSTs of one incident are few answers, however many clients and backends there are.
    @Test func oneIncidentIsFewAnswers() {
        var resets: [Reset] = []
        for number in 0..<1478 {
            var reset = reset(
                number + 1, seconds: Double(number), [.abortOnClose, .lingerZero, .connectionRefused][number % 3],
                port: 8080, client: 0x0a00_0100 + UInt32(number % 700), clientPort: UInt16(20000 + number))
            if number % 2 == 0 {
                // Fourteen backends of one load balancer.
                reset.tuple = FourTuple(
                    source: IPAddress(ipv4: 0x0a01_0000 + UInt32(number % 14)), sourcePort: 8080,
                    destination: IPAddress(ipv4: 0x0a00_0099), destinationPort: UInt16(20000 + number))
            }
            resets.append(reset)
        }
        #expect(patterns(resets).count <= 10)
    }
}

@Suite struct PrefixTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.255.1.2", true), ("10.0.0.0/8", "11.0.0.1", false), ("10.1.2.3", "10.1.2.3", true),
        ("0.0.0.0/0", "1.2.3.4", true), ("0.0.0.0/0", "fd00::1", false), ("::/0", "fd00::1", true),
        ("::/0", "1.2.3.4", false), ("::/95", "1.2.3.4", false), ("::ffff:0:0/96", "1.2.3.4", true),
        ("::ffff:10.0.0.0/104", "10.1.2.3", true), ("::/0", "::ffff:1.2.3.4", false), ("::/0", "::1", true),
        ("fd00::/8", "fdff::1", true), ("fd00::/65", "fd00::8000:0:0:1", false),
        ("192.168.1.128/25", "192.168.1.127", false),
    ])
    func aPrefixContains(_ prefix: String, _ address: String, _ contains: Bool) throws {
        let address = try #require(IPAddress(address))
        #expect(try #require(IPPrefix(prefix)).contains(address) == contains)
    }

    @Test(arguments: [
        "", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "/8", "fd00::/129", "10.0.0.0/+8", "x/8", "10.0.0.0/8/8",
    ])
    func whatIsNoPrefixIsNone(_ text: String) { #expect(IPPrefix(text) == nil) }
}

import KernelEvents
import NetworkTypes
import PcapReader
import Testing

@testable import Correlator

/// A host as its recorder saw it: 10.0.0.1 or 10.0.0.2, with a clock of its own.
private struct RecordedHost {
    let address: IPAddress
    let name: String
    /// Milliseconds that its clock is ahead.
    var ahead: Double = 0
    /// How much faster it goes.
    var drift: Double = 0
    var events: [ResetEvent] = []
    var packets: [CapturedSegment] = []
    var adjust: (inout Recording) -> Void = { _ in }

    static func port(_ number: Int) -> UInt16 { UInt16(40_000 + number) }

    /// - Parameter time: milliseconds of true time.
    mutating func emit(at time: Double, _ tuple: FourTuple, seq: UInt32) {
        var event = ResetEvent(kind: .emit, hook: ResetEvent.emitHook, monotonic: Int64(time * 1e6), tuple: tuple)
        (event.seq, event.ack, event.flags, event.ipID, event.ttl, event.window) = (seq, 7, [.rst, .ack], 9, 64, 1)
        (event.stack, event.cpu, event.ifindex, event.netns) = (1, 0, 1, 5)
        events.append(event)
    }

    mutating func receive(at time: Double, _ tuple: FourTuple, seq: UInt32) {
        var event = ResetEvent(kind: .receive, hook: ResetEvent.receiveHook, monotonic: Int64(time * 1e6), tuple: tuple)
        (event.seq, event.state, event.netns) = (seq, .established, 5)
        event.reception = ResetEvent.Reception()
        event.reception?.errno = 104
        event.socket = ResetEvent.Socket()
        event.socket?.owner = ResetEvent.Owner(pid: 9, comm: name)
        events.append(event)
    }

    /// A RST that met no socket.
    mutating func ignore(at time: Double, _ tuple: FourTuple, seq: UInt32) {
        var event = ResetEvent(kind: .receive, hook: ResetEvent.receiveHook, monotonic: Int64(time * 1e6), tuple: tuple)
        (event.seq, event.ack, event.flags, event.ipID, event.ttl, event.window) = (seq, 7, [.rst, .ack], 9, 64, 1)
        (event.netns, event.reason) = (5, "NO_SOCKET")
        event.reception = ResetEvent.Reception()
        event.reception?.fate = .ignored
        events.append(event)
    }

    func input(from since: Double = 0, to until: Double = 100_000) -> EventInput {
        var recording = Recording()
        var header = RecordingHeader()
        (header.host, header.bootID) = (name, name)
        header.clock = ClockSample(monotonic: 0, realtime: 1_000_000_000_000 + Int64(ahead * 1e6), uncertainty: 0)
        header.marksClockSteps = true
        header.hooks = [
            .init(name: ResetEvent.emitHook, status: "attached"),
            .init(name: ResetEvent.decideHook, status: "attached", reason: true),
            .init(name: ResetEvent.receiveHook, status: "attached"),
        ]
        header.interfaces = [.init(name: "eth0", ifindex: 1, netns: 5, addresses: [address], captured: true)]
        header.since = RecordingTimes(hooks: Int64(since * 1e6), capture: Int64(since * 1e6))
        recording.header = header
        if drift != 0 {
            recording.clocks = stride(from: since, to: until, by: 1_000_000).map { time in
                ClockSample(
                    monotonic: Int64(time * 1e6),
                    realtime: 1_000_000_000_000 + Int64((ahead + time * (1 + drift)) * 1e6), uncertainty: 0)
            }
        }
        recording.stacks[1] = ["tcp_send_active_reset+0x1", "tcp_disconnect+0x1", "__tcp_close+0x1"]
        recording.events = events
        var footer = RecordingFooter(
            monotonic: Int64(until * 1e6), events: events.count, lost: 0, captured: 0, kernelDropped: 0)
        footer.until = RecordingTimes(hooks: Int64(until * 1e6), capture: Int64(until * 1e6))
        recording.footer = footer
        adjust(&recording)
        return EventInput(file: "\(name)/events.jsonl", recording: recording)
    }
}

@Suite struct TwoRecordingsTests {
    private static let one = IPAddress(ipv4: 0x0a00_0001)
    private static let other = IPAddress(ipv4: 0x0a00_0002)

    private static func tuple(
        _ number: Int, from source: IPAddress = one, to destination: IPAddress = other
    ) -> FourTuple {
        source == one
            ? FourTuple(
                source: source, sourcePort: 80, destination: destination,
                destinationPort: RecordedHost.port(number))
            : FourTuple(
                source: source, sourcePort: RecordedHost.port(number), destination: destination, destinationPort: 80)
    }

    /// RSTs of one host that arrive at the other, a second apart from 10 s on.
    private static func hosts(_ count: Int, ahead: Double, translated: IPAddress? = nil) -> [RecordedHost] {
        var sender = RecordedHost(address: one, name: "a")
        var receiver = RecordedHost(address: other, name: "b", ahead: ahead)
        for number in 0..<count {
            let time = 10_000 + 1000 * Double(number)
            sender.emit(at: time, tuple(number, to: translated ?? other), seq: UInt32(1_000_000 + number * 77))
            receiver.receive(at: time + 1, tuple(number), seq: UInt32(1_000_000 + number * 77))
        }
        return [sender, receiver]
    }

    private static func report(_ hosts: [RecordedHost]) -> Report {
        correlate(captures: [], recordings: hosts.map { $0.input() })
    }

    @Test(arguments: [3000.0, -86_400_000, 0, 450])
    func clocksApartMakeNoSecondEntry(ahead: Double) throws {
        for translated in [nil, IPAddress(ipv4: 0xc000_0201)] {
            let report = Self.report(Self.hosts(5, ahead: ahead, translated: translated))
            #expect(report.resets.count == 5)
            #expect(report.resets.allSatisfy { $0.certainty == .proven && $0.receiver?.process?.comm == "b" })
            let clock = try #require(report.clocks.first)
            let difference = clock.offset.distance(from: Int64(ahead * 1e6))
            #expect(difference <= 1_000_000)
            #expect(clock.segments == 5)
            #expect(report.inputs.allSatisfy { $0.notes.isEmpty })
        }
    }

    /// A recorder that cannot read the boot ID: the clocks are two all the same, and one may be a little late.
    @Test func hostsWithoutBootIDsAreTwo() {
        var hosts = Self.hosts(5, ahead: -20)
        for place in hosts.indices { hosts[place].adjust = { $0.header?.bootID = "" } }
        let report = Self.report(hosts)
        #expect(report.resets.count == 5)
        #expect(report.resets.allSatisfy { $0.receiver != nil })
    }

    @Test func fewRSTsSayNothingOfClocks() {
        let report = Self.report(Self.hosts(2, ahead: 3000))
        #expect(report.resets.count == 4)
        #expect(report.clocks.isEmpty)
        #expect(report.inputs.contains { $0.notes.contains { $0.contains("cannot be compared") } })
    }

    @Test func outliersDoNotMoveTheClock() throws {
        var hosts = Self.hosts(6, ahead: 3000)
        for number in 20..<24 {
            hosts[0].emit(at: 20_000, Self.tuple(number), seq: UInt32(number * 1001))
            hosts[1].receive(at: 40_000 + 3000 * Double(number), Self.tuple(number), seq: UInt32(number * 1001))
        }
        let report = Self.report(hosts)
        #expect(report.clocks.first?.offset.distance(from: 3_001_000_000) ?? .max <= 1_000_000)
        #expect(report.resets.count == 6 + 8)
    }

    @Test func disagreeingRSTsAreNotUsed() {
        var hosts = Self.hosts(0, ahead: 0)
        for number in 0..<8 {
            hosts[0].emit(at: 20_000, Self.tuple(number), seq: UInt32(number * 1001))
            hosts[1].receive(at: 20_000 + 5000 * Double(number), Self.tuple(number), seq: UInt32(number * 1001))
        }
        #expect(Self.report(hosts).clocks.isEmpty)
    }

    // MARK: - Third parties

    /// A RST that host b received in the name of host a, and a later segment of the connection that b refused.
    private static func forged(ahead: Double = 3000, isAnswered: Bool = true) -> [RecordedHost] {
        var hosts = hosts(5, ahead: ahead)
        hosts[1].receive(at: 30_000, tuple(50), seq: 4242)
        if isAnswered {
            hosts[1].emit(at: 31_000, tuple(50, from: other, to: one), seq: 777)
            hosts[0].receive(at: 31_001, tuple(50, from: other, to: one), seq: 777)
        }
        return hosts
    }

    private static func verdict(_ hosts: [RecordedHost]) throws -> Reset {
        try #require(report(hosts).resets.first { $0.seq == 4242 })
    }

    @Test func whatTheOtherHostDidNotSendIsAThirdPartys() throws {
        let reset = try Self.verdict(Self.forged())
        #expect(reset.cause == .injected)
        #expect(reset.certainty == .proven)
        #expect(reset.receiver?.process?.comm == "b")
        #expect(Self.report(Self.forged()).resets.filter { $0.cause == .injected }.count == 1)
    }

    enum Doubt: CaseIterable {
        case lossInRing, noEnd, damage, endedEarly, begunLate, noHook, otherPort, unknownClock, notTheEnd,
            anotherNumber,
            anotherAddress
    }

    @Test(arguments: Doubt.allCases)
    func whatIsNotCoveredIsNotProven(_ doubt: Doubt) throws {
        var hosts = doubt == .notTheEnd ? Self.forged(isAnswered: false) : Self.forged()
        switch doubt {
        case .lossInRing: hosts[0].adjust = { $0.losses = [Loss(monotonic: 5, place: "ring", count: 1)] }
        case .noEnd: hosts[0].adjust = { $0.footer = nil }
        case .damage: hosts[0].adjust = { $0.damagedLines = 1 }
        case .endedEarly: hosts[0].adjust = { $0.footer?.until?.hooks = 30_500_000_000 }
        case .begunLate: hosts[0].adjust = { $0.header?.since?.hooks = 28_500_000_000 }
        case .noHook: hosts[0].adjust = { $0.header?.hooks[0].status = "failed" }
        case .otherPort: hosts[0].adjust = { $0.header?.scope = RecordingScope(ports: [443]) }
        case .unknownClock: hosts[0].events.removeAll { $0.kind == .emit }
        case .notTheEnd: break
        case .anotherNumber: hosts[0].emit(at: 29_999, Self.tuple(50), seq: 4242 &- 1_000_000)
        case .anotherAddress: hosts[0].adjust = { $0.header?.interfaces[0].addresses = [IPAddress(ipv4: 0x0a00_0009)] }
        }
        let reset = try Self.verdict(hosts)
        #expect(reset.certainty != .proven)
        #expect(reset.cause != .injected || reset.certainty != .proven)
    }

    @Test func whatIsMissingIsSaid() throws {
        let reset = try Self.verdict(Self.forged(isAnswered: false))
        #expect(reset.missing.contains { $0.contains("whether a sent it") })
    }

    // MARK: - Lost on the way

    @Test func whatDidNotArriveIsSaid() throws {
        var hosts = Self.forged()
        // In the connection that both are known to have.
        hosts[1].events.removeAll { $0.seq == 4242 }
        hosts[0].emit(at: 32_000, Self.tuple(50), seq: 5555)
        let reset = try #require(Self.report(hosts).resets.first { $0.seq == 5555 })
        #expect(reset.certainty == .proven)
        #expect(reset.delivery == .withoutEffect)
        #expect(reset.evidence.contains { $0.fact.contains("without effect on b") })
        hosts[1].adjust = { $0.losses = [Loss(monotonic: 5, place: "ring", count: 1)] }
        #expect(Self.report(hosts).resets.first { $0.seq == 5555 }?.delivery == nil)
    }

    @Test func whatArrivedIsNotLost() {
        #expect(Self.report(Self.forged()).resets.allSatisfy { $0.delivery == nil })
    }

    // MARK: - What looks like a third party's

    /// The network may deliver one RST twice: the copy meets no socket any more.
    @Test func whatArrivesTwiceWasSentOnce() throws {
        for first in [30_000.5, 30_000.9] {
            var hosts = Self.forged()
            hosts[0].emit(at: 29_999.9, Self.tuple(50), seq: 4242)
            hosts[1].ignore(at: first == 30_000.5 ? 30_000.9 : 29_999.95, Self.tuple(50), seq: 4242)
            let resets = Self.report(hosts).resets.filter { $0.seq == 4242 }
            #expect(resets.allSatisfy { $0.cause != .injected })
        }
    }

    @Test func aCopyLaterIsNotAThirdPartys() throws {
        var hosts = Self.forged()
        hosts[0].emit(at: 27_500, Self.tuple(50), seq: 4242)
        hosts[1].ignore(at: 27_501, Self.tuple(50), seq: 4242)
        let resets = Self.report(hosts).resets.filter { $0.seq == 4242 }
        #expect(resets.count == 2)
        #expect(resets.allSatisfy { $0.cause != .injected })
    }

    /// The sender knows the receiver by another address, and sent two RSTs of which nobody knows which one arrived.
    @Test(arguments: [1, 2]) func whatWasSentToAnotherAddressIsNotAThirdPartys(copies: Int) throws {
        let translated = IPAddress(ipv4: 0xc000_0201)
        func hosts() -> [RecordedHost] {
            var hosts = Self.hosts(5, ahead: 3000, translated: translated)
            hosts[1].receive(at: 30_000, Self.tuple(50), seq: 4242)
            hosts[1].emit(at: 31_000, Self.tuple(50, from: Self.other, to: Self.one), seq: 777)
            hosts[0].receive(at: 31_001, Self.tuple(50, from: translated, to: Self.one), seq: 777)
            return hosts
        }
        #expect(try Self.verdict(hosts()).cause == .injected)
        var sent = hosts()
        for copy in 0..<copies {
            // One that arrives late is not matched either.
            let time = copies == 1 ? 28_000.0 : 29_999 - Double(copy)
            sent[0].emit(at: time, Self.tuple(50, to: translated), seq: 4242)
        }
        #expect(Self.report(sent).resets.allSatisfy { $0.cause != .injected })
    }

    /// The second host hands connections to another port (REDIRECT), and the first one sends two equal RSTs, of which nobody knows
    /// which one the second host accepted.
    @Test func aRedirectedCopyIsNotAThirdPartys() throws {
        var hosts = Self.hosts(5, ahead: 3000)
        let sent = FourTuple(source: Self.one, sourcePort: 50_000, destination: Self.other, destinationPort: 80)
        let redirected = FourTuple(source: Self.one, sourcePort: 50_000, destination: Self.other, destinationPort: 8080)
        for (number, seq) in [UInt32(500), 900, 900].enumerated() {
            hosts[0].emit(at: 30_000 + 50 * Double(number), sent, seq: seq)
            hosts[0].events[hosts[0].events.count - 1].ipID = UInt16(100 + number)
        }
        hosts[1].receive(at: 30_001, redirected, seq: 500)
        hosts[1].receive(at: 30_101, redirected, seq: 900)
        let report = Self.report(hosts)
        #expect(report.resets.filter { $0.receiver != nil }.count == 7)
        #expect(report.resets.allSatisfy { $0.cause != .injected && $0.delivery == nil })
    }

    /// Of a connection with more RSTs than are kept, nothing is proven: a RST that is not kept may be the one that is missing.
    @Test func whatIsNotLookedAtProvesNothing() {
        var hosts = Self.forged()
        for number in 0..<300 {
            hosts[0].emit(at: 25_000 + Double(number), Self.tuple(50), seq: UInt32(900_000 + number))
            hosts[1].ignore(at: 25_000.5 + Double(number), Self.tuple(50), seq: UInt32(900_000 + number))
        }
        hosts[0].emit(at: 29_999.5, Self.tuple(50), seq: 4242 &- 100_000)
        let resets = Self.report(hosts).resets
        #expect(resets.allSatisfy { $0.cause != .injected && $0.delivery == nil })
    }

    /// Another recording of the host is lossy, and this one is of a namespace that does not have the address.
    @Test func anotherNamespaceProvesNothing() throws {
        let hosts = Self.forged()
        var lossy = hosts[0].input()
        lossy.recording.losses = [Loss(monotonic: 5, place: "ring", count: 1)]
        var scoped = hosts[0]
        scoped.events = []
        var other = scoped.input()
        other.file = "a/namespace.jsonl"
        other.recording.header?.scope = RecordingScope(netns: [6])
        other.recording.header?.interfaces = [
            .init(name: "eth0", ifindex: 1, netns: 6, addresses: [IPAddress(ipv4: 0x0a00_0063)], captured: true)
        ]
        let report = correlate(captures: [], recordings: [lossy, other, hosts[1].input()])
        #expect(report.resets.allSatisfy { $0.cause != .injected })
    }

    /// What came by an interface where nothing was captured, or is in a file that is not among the inputs, was not lost.
    @Test(arguments: [Absent.nothing, .interface, .file, .interfaceMeanwhile])
    func onlyAWholeCaptureShowsALoss(_ absent: Absent) throws {
        var hosts = Self.forged()
        hosts[1].events.removeAll { $0.seq == 4242 }
        hosts[0].emit(at: 32_000, Self.tuple(50), seq: 5555)
        hosts[1].adjust = { recording in
            recording.footer?.captured = absent == .file ? 11 : 10
            if absent == .interface {
                recording.header?.interfaces.append(
                    .init(name: "eth1", ifindex: 2, netns: 5, addresses: [], captured: false))
            }
            if absent == .interfaceMeanwhile {
                recording.interfaceChanges = [InterfaceChange(monotonic: 9, status: .lost, name: "eth1")]
            }
        }
        var summary = CaptureSummary(
            format: CaptureFormat(container: .pcapng, byteOrder: .little, fractionalDigits: 9))
        summary.packets = 10
        let capture = CaptureInput(file: "b/capture.pcapng", summary: summary, resets: [])
        let report = correlate(captures: [capture], recordings: hosts.map { $0.input() })
        let reset = try #require(report.resets.first { $0.seq == 5555 })
        #expect(reset.delivery == (absent == .nothing ? .lost : .withoutEffect))
    }

    enum Absent { case nothing, interface, file, interfaceMeanwhile }

    // MARK: - Drift

    /// Clocks that nobody disciplines drift apart: 200 ppm for three hours.
    @Test(arguments: [200.0, -80])
    func driftMakesNoSecondEntry(partsPerMillion: Double) {
        var hosts = Self.hosts(0, ahead: 3000)
        hosts[1].drift = partsPerMillion * 1e-6
        for number in 0..<200 {
            let time = 10_000 + 54_000 * Double(number)
            hosts[0].emit(at: time, Self.tuple(number), seq: UInt32(1_000_000 + number * 77))
            hosts[1].receive(at: time + 1, Self.tuple(number), seq: UInt32(1_000_000 + number * 77))
        }
        let report = correlate(captures: [], recordings: hosts.map { $0.input(to: 11_000_000) })
        #expect(report.resets.count == 200)
        #expect(report.resets.allSatisfy { $0.certainty == .proven && $0.receiver != nil })
    }
}

import KernelEvents
import NetworkTypes
import PcapReader
import Testing

@testable import Correlator

/// Small worlds of packets and events, with times in milliseconds.
struct World {
    static let tuple = FourTuple(
        source: IPAddress(ipv4: 0x0a00_0001), sourcePort: 80, destination: IPAddress(ipv4: 0x0a00_0002),
        destinationPort: 40000)

    /// When the hooks were there, and the capture was taken; nil of a recorder that does not say.
    var hooks: (since: Double, until: Double)? = (-1e6, 1e6)
    var capture: (since: Double, until: Double)?

    private var packets: [CapturedSegment] = []
    private var recording: Recording = {
        var recording = Recording()
        var header = RecordingHeader()
        header.clock = ClockSample(monotonic: 0, realtime: 1_000_000_000_000, uncertainty: 10)
        recording.header = header
        recording.footer = RecordingFooter(monotonic: 0, events: 0, lost: 0, captured: 0, kernelDropped: 0)
        recording.stacks = [
            1: ["ip_output", "tcp_v4_send_reset", "tcp_v4_rcv", "handle_softirqs"],
            2: ["tcp_v4_send_reset", "tcp_v4_rcv", "handle_softirqs"],
            4: ["ip_output", "tcp_v4_send_reset", "tcp_v4_rcv+0x8c2", "handle_softirqs"],
            5: ["tcp_v4_send_reset", "tcp_v4_rcv+0xcb1", "handle_softirqs"],
            6: ["tcp_v4_send_reset", "tcp_v4_rcv+0x8c2", "handle_softirqs"],
            7: ["tcp_send_active_reset", "__tcp_close", "do_syscall_64"],
            3: ["ip_output", "ip_forward", "ip_rcv", "handle_softirqs"],
            9: [
                "__dev_queue_xmit", "__neigh_update", "arp_process", "__netif_receive_skb_one_core", "handle_softirqs",
            ],
            8: ["__dev_queue_xmit", "packet_sendmsg", "__x64_sys_sendto", "do_syscall_64"],
        ]
        return recording
    }()

    mutating func packet(at time: Double, _ tuple: FourTuple = tuple, seq: UInt32 = 1, interface: Int32 = 0) {
        var segment = TCPSegment(tuple: tuple)
        segment.flags = .rst
        segment.seq = seq
        packets.append(
            CapturedSegment(
                segment: segment, number: packets.count + 1, offset: 0, time: 1_000_000_000_000 + Int64(time * 1e6),
                interface: interface))
    }

    mutating func emit(
        at time: Double, _ tuple: FourTuple = tuple, seq: UInt32 = 1, ifindex: Int32 = 1, stack: Int = 1,
        skb: UInt64? = nil, pid: Int32 = 7
    ) {
        var event = ResetEvent(kind: .emit, hook: ResetEvent.emitHook, monotonic: Int64(time * 1e6), tuple: tuple)
        event.seq = seq
        event.ack = 0
        event.flags = .rst
        event.ipID = 0
        event.window = 0
        event.ifindex = ifindex
        event.skb = skb
        event.cpu = 0
        event.stack = stack
        event.task = ResetEvent.Task(pid: pid, tid: pid, uid: 0, comm: "relay", context: .process)
        recording.events.append(event)
    }

    mutating func decide(
        at time: Double, _ tuple: FourTuple = tuple, seq: UInt32 = 1, trigger: TCPFlags = .ack, stack: Int = 2
    ) {
        var event = ResetEvent(kind: .decide, hook: ResetEvent.decideHook, monotonic: Int64(time * 1e6), tuple: tuple)
        event.seq = seq
        event.ack = 0
        event.flags = .rst
        event.cpu = 0
        event.stack = stack
        event.trigger = ResetEvent.Trigger(flags: trigger, seq: 0, ack: seq, length: 0)
        recording.events.append(event)
    }

    /// - Parameter seq: what the receiver expects next.
    mutating func receive(
        at time: Double, _ tuple: FourTuple = tuple, seq: UInt32 = 1, state: TCPState = .established, pid: Int32? = 9,
        netns: UInt32 = 5, adjust: (inout ResetEvent) -> Void = { _ in }
    ) {
        var event = ResetEvent(
            kind: .receive, hook: ResetEvent.receiveHook, monotonic: Int64(time * 1e6), tuple: tuple)
        if state == .synSent { event.ack = seq } else { event.seq = seq }
        event.state = state
        event.netns = netns
        event.reception = ResetEvent.Reception()
        event.reception?.errno = 104
        event.reception?.wait = .nobody
        event.socket = ResetEvent.Socket()
        event.socket?.owner = pid.map { ResetEvent.Owner(pid: $0, comm: "curl") }
        adjust(&event)
        recording.events.append(event)
    }

    /// - Parameters:
    ///   - others: recorded at the same time on the same host.
    ///   - addresses: of the host.
    ///   - isCaptured: packets were captured on its only interface.
    ///   - attached: hooks, as its header names them.
    func report(
        others: [World] = [], addresses: [IPAddress] = [], isCaptured: Bool = true,
        attached: [RecordingHeader.Hook] = []
    ) -> Report {
        let recordings = ([self] + others).map { world in
            var recording = world.recording
            recording.header?.bootID = "5e7d"
            recording.header?.hooks = attached
            recording.footer?.events = recording.events.count
            func times(_ hooks: Double?, _ capture: Double?) -> RecordingTimes {
                RecordingTimes(hooks: hooks.map { Int64($0 * 1e6) }, capture: capture.map { Int64($0 * 1e6) })
            }
            recording.header?.since = world.hooks.map { times($0.since, world.capture?.since) }
            recording.footer?.until = world.hooks.map { times($0.until, world.capture?.until) }
            recording.header?.interfaces = [
                RecordingHeader.Interface(name: "a", ifindex: 1, netns: nil, addresses: addresses, captured: isCaptured)
            ]
            return EventInput(file: "e", recording: recording)
        }
        return correlate(
            captures: [CaptureInput(file: "c", packets: packets.count, interfaces: ["a", "b", "c"], resets: packets)],
            recordings: recordings)
    }
}

@Suite struct MatchingTests {
    @Test func decisionSegmentAndPacketAreOneEntry() {
        var world = World()
        world.decide(at: 0.99)
        world.emit(at: 1)
        world.packet(at: 1.01)
        let report = world.report()
        #expect(report.resets.count == 1)
        #expect(report.resets[0].outcome == .matched)
        #expect(report.resets[0].cause == .staleConnection)
        #expect(report.resets[0].certainty == .proven)
        #expect(report.resets[0].match == Reset.Match(by: .exact, delta: 10_000))
    }

    /// Two recorders on one host, or a recording that is given twice.
    @Test func twoRecordingsOfOneResetAreOneEntry() {
        var world = World()
        world.decide(at: 0.99)
        world.emit(at: 1)
        world.packet(at: 1.01)
        let reset = world.report().resets[0]
        let report = world.report(others: [world, world])
        #expect(report.resets.count == 1)
        #expect(report.resets[0].cause == reset.cause && report.resets[0].certainty == .proven)
        #expect(report.resets[0].evidence == reset.evidence)
        // Also where nothing left.
        var lone = World()
        lone.decide(at: 0.99)
        lone.decide(at: 5)
        #expect(lone.report(others: [lone, lone]).resets.count == 2)
    }

    /// What no event reports, by the addresses of the host that recorded.
    @Test(arguments: [
        (true, false, Direction.sent), (false, true, .received), (true, true, .unknown), (false, false, .unknown),
    ])
    func theDirectionOfAPacketAlone(isFromHere: Bool, isToHere: Bool, direction: Direction) {
        var world = World()
        world.packet(at: 1)
        let ends = [isFromHere ? [World.tuple.source] : [], isToHere ? [World.tuple.destination] : []]
        let reset = world.report(addresses: ends.flatMap(\.self)).resets[0]
        #expect(reset.direction == direction)
        #expect((reset.cause == .received) == (direction == .received))
        #expect(reset.evidence.contains { $0.fact.contains("it has no kernel event") } == (direction == .sent))
    }

    @Test func manyInterfacesAreSightingsOfOneEntry() {
        var world = World()
        world.emit(at: 1)
        for interface in 0..<3 { world.packet(at: 1.01 + Double(interface) / 100, interface: Int32(interface)) }
        let report = world.report()
        #expect(report.resets.map(\.sightings.count) == [3])
    }

    /// A SYN to a closed port that is sent again gets a RST that is the same to the last bit.
    @Test func equalResetsOnOneInterfaceAreSeveral() {
        var world = World()
        for time in [0.0, 1000, 3000] {
            world.emit(at: time)
            world.packet(at: time + 0.01)
        }
        let report = world.report()
        #expect(report.resets.count == 3)
        #expect(report.resets.allSatisfy { $0.outcome == .matched && $0.match?.delta == 10_000 })
    }

    @Test func ofEqualResetsTheOneTheCaptureMissedIsKernelOnly() {
        var world = World()
        world.emit(at: 0)
        world.emit(at: 900)
        world.packet(at: 900.01)
        let report = world.report()
        #expect(report.resets.map(\.outcome) == [.kernelOnly, .matched])
    }

    @Test func otherSequenceNumbersAreOtherResets() {
        var world = World()
        world.emit(at: 1, seq: 1)
        world.packet(at: 1.01, seq: 2)
        #expect(world.report().resets.map(\.outcome) == [.kernelOnly, .wireOnly])
    }

    @Test func farApartInTimeIsNotOne() {
        var world = World()
        world.emit(at: 0)
        world.packet(at: 5000)
        #expect(world.report().resets.map(\.outcome) == [.kernelOnly, .wireOnly])
    }

    @Test func aPassiveDecisionDoesNotJoinAnotherSegment() {
        var world = World()
        world.decide(at: 0.99, seq: 7)
        world.emit(at: 1, seq: 8)
        #expect(world.report().resets.count == 2)
    }

    /// The first answer was dropped on its way out, and is equal to the second but for the place it was sent from.
    @Test func aDecisionJoinsWhatWasSentFromItsPlace() {
        var world = World()
        world.decide(at: 1, stack: 5)
        world.decide(at: 1.085, stack: 6)
        world.emit(at: 1.1, stack: 4)
        let resets = world.report().resets
        #expect(resets.count == 2)
        #expect(
            resets.filter { $0.evidence.contains { $0.fact.hasPrefix("decided") } }.map(\.time).min()
                == resets.map(\.time).min())
    }

    /// The end of a connection is reported after its segment has left, an answer before.
    @Test func aDecisionJoinsInTheOrderOfTheKernel() {
        var answers = World()
        answers.emit(at: 1)
        answers.decide(at: 1.01)
        #expect(answers.report().resets.count == 2)
        var ends = World()
        ends.emit(at: 1, stack: 7)
        ends.decide(at: 1.01, stack: 7)
        ends.decide(at: 0.995, stack: 7)
        let resets = ends.report().resets
        #expect(resets.count == 2)
        #expect(resets.last?.evidence.contains { $0.fact.hasPrefix("decided") } == false)
    }

    /// Whoever sends may have to wait for the processor between the decision and its segment.
    @Test func aDecisionWaitsForItsSegment() {
        var answer = World()
        answer.decide(at: 1)
        answer.emit(at: 901)
        #expect(answer.report().resets.map(\.cause) == [.staleConnection])
        var end = World()
        end.emit(at: 1, stack: 7)
        end.decide(at: 901, stack: 7)
        #expect(end.report().resets.count == 1)
        var far = World()
        far.decide(at: 1)
        far.emit(at: 5000)
        #expect(far.report().resets.count == 2)
    }

    /// Three equal answers to a SYN that came again: two had waited for the link address of the client, which is asked for a
    /// second apart.
    @Test func segmentsThatWaitedAreOfTheDecisionsBefore() {
        var world = World()
        for time in [0.0, 1000, 2000] { world.decide(at: time, stack: 6) }
        world.emit(at: 2000.1, stack: 4)
        world.packet(at: 2000.11)
        for time in [2000.2, 2000.3] {
            world.emit(at: time, stack: 9)
            world.packet(at: time + 0.01)
        }
        let resets = world.report().resets
        #expect(resets.count == 3)
        #expect(resets.allSatisfy { $0.certainty == .proven && $0.outcome == .matched })
        #expect(
            resets.count { $0.evidence.contains { $0.fact.contains("link address of the next hop was known") } } == 2)
        // Without the decision nothing is known of it, nor whether it was made here.
        var alone = World()
        alone.emit(at: 1, stack: 9)
        let reset = alone.report().resets[0]
        #expect(reset.cause == .unknown && reset.direction == .unknown)
        #expect(
            reset.missing == [
                "what made the RST: it did not leave until the link address of the next hop was known (ARP, neighbour discovery)"
            ])
    }

    /// The end of a connection is reported when its segment is put into the queue.
    @Test func theEndOfAConnectionMayLeaveLater() {
        var world = World()
        world.decide(at: 1, stack: 7)
        world.emit(at: 2001, stack: 9)
        #expect(world.report().resets.count == 1)
        var far = World()
        far.decide(at: 1, stack: 7)
        far.emit(at: 6001, stack: 9)
        #expect(far.report().resets.count == 2)
    }

    /// A router passed it on when it knew the link address of the next hop.
    @Test(arguments: [(nil as UInt64?, 2), (0xffff, 1)])
    func aForwardedSegmentMayHaveWaited(_ buffer: UInt64?, _ count: Int) {
        var plain = World()
        plain.emit(at: 1, ifindex: 1)
        plain.emit(at: 2901, ifindex: 2, stack: 9)
        #expect(plain.report().resets.count == 1)
        plain.packet(at: 1.01, interface: 0)
        #expect(plain.report().resets.map(\.sightings.count) == [1])
        plain.packet(at: 2901.01, interface: 1)
        #expect(plain.report().resets.map(\.sightings.count) == [2])
        var world = World()
        world.decide(at: 0.99)
        world.emit(at: 1, ifindex: 1, skb: 0xffff)
        world.emit(at: 2901, Self.translated, ifindex: 2, stack: 9, skb: buffer)
        #expect(world.report().resets.count == count)
    }

    /// Of two equal answers the first was dropped on its way out: what left a long time later is the second.
    @Test func aSegmentThatWaitedIsOfTheLastDecision() {
        var world = World()
        world.decide(at: 1)
        world.decide(at: 500)
        world.emit(at: 900)
        let resets = world.report().resets
        #expect(resets.map(\.time).map { $0 / 1_000_000 % 1000 } == [1, 900])
        #expect(resets.allSatisfy { $0.certainty == .proven })
    }

    /// A local REDIRECT: the socket has one port, and what leaves has another.
    @Test func aRedirectedAnswerIsOneReset() {
        var world = World()
        world.decide(at: 0.99)
        world.emit(at: 1, Self.redirected)
        world.packet(at: 1.01, Self.redirected)
        let resets = world.report().resets
        #expect(resets.count == 1)
        #expect(resets.first?.outcome == .matched && resets.first?.cause == .staleConnection)
        #expect(resets.first?.tuple == Self.redirected && resets.first?.untranslated == World.tuple)
    }

    @Test func theRedirectedPortIsNamed() {
        var world = World()
        world.decide(at: 0.99, trigger: .syn)
        world.emit(at: 1, Self.redirected)
        let reset = world.report().resets[0]
        #expect(reset.cause == .closedPort && reset.certainty == .proven)
        #expect(reset.summary.contains("10.0.0.1:80") && reset.summary.contains("10.0.0.1:8080"))
    }

    /// A scanner asks several hosts with one port and number: the answer of another host is not ours, though ours was dropped.
    @Test func aDecisionAloneIsNotJoinedByNumbers() {
        var world = World()
        world.decide(at: 0.99)
        world.emit(at: 1, Self.redirected, stack: 3)
        world.packet(at: 1.01, Self.redirected)
        #expect(world.report().resets.count == 2)
        var lone = World()
        lone.decide(at: 0.99)
        lone.packet(at: 1.01, Self.redirected)
        #expect(lone.report().resets.map(\.outcome) == [.kernelOnly, .wireOnly])
    }

    private static let redirected = FourTuple(
        source: World.tuple.source, sourcePort: 8080, destination: World.tuple.destination,
        destinationPort: World.tuple.destinationPort)

    private static let translated = FourTuple(
        source: IPAddress(ipv4: 0xc0a8_0001), sourcePort: 6000, destination: World.tuple.destination,
        destinationPort: World.tuple.destinationPort)

    @Test func theSameBufferBehindATranslationIsTheSameReset() {
        var world = World()
        world.decide(at: 0.99)
        world.emit(at: 1, ifindex: 1, skb: 0xffff)
        world.emit(at: 1.02, Self.translated, ifindex: 2, stack: 3, skb: 0xffff)
        world.packet(at: 1.01, interface: 0)
        world.packet(at: 1.03, Self.translated, interface: 1)
        let report = world.report()
        #expect(report.resets.count == 1)
        #expect(report.resets[0].tuple == World.tuple)
        #expect(report.resets[0].cause == .staleConnection)
        #expect(report.resets[0].sightings.map(\.translated) == [nil, Self.translated])
    }

    /// The router did not know the link address of the next hop.
    @Test(arguments: [(0xffff as UInt64, 1), (0xeeee, 2)])
    func theSameBufferIsTheSameResetForLong(_ buffer: UInt64, _ count: Int) {
        var world = World()
        world.decide(at: 0.99)
        world.emit(at: 1, ifindex: 1, skb: 0xffff)
        world.emit(at: 1900, Self.translated, ifindex: 2, stack: 3, skb: buffer)
        #expect(world.report().resets.count == count)
    }

    /// A scan gives RSTs that agree in every number and in one end; one observer saw them all, so they are several.
    @Test func aScanIsNotATranslation() {
        var world = World()
        for port in 1...20 {
            let tuple = FourTuple(
                source: World.tuple.source, sourcePort: UInt16(port), destination: World.tuple.destination,
                destinationPort: World.tuple.destinationPort)
            world.decide(at: Double(port) - 0.01, tuple)
            world.emit(at: Double(port), tuple, skb: UInt64(port % 2))
            world.packet(at: Double(port) + 0.01, tuple)
        }
        let report = world.report()
        #expect(report.resets.count == 20)
        #expect(report.resets.allSatisfy { $0.sightings.count == 1 && $0.outcome == .matched })
    }

    @Test func anotherHostsPacketWithEqualNumbersIsNotOurs() {
        var world = World()
        world.emit(at: 1)
        let other = FourTuple(
            source: IPAddress(ipv4: 0x0b00_0001), sourcePort: 81, destination: IPAddress(ipv4: 0x0b00_0002),
            destinationPort: 40001)
        world.packet(at: 1.01, other, interface: 1)
        #expect(world.report().resets.count == 2)
    }

    /// A file may claim any number of devices.
    @Test func aResetOnManyDevicesEnds() throws {
        var world = World()
        for device in 1...30_000 as ClosedRange<Int32> { world.emit(at: Double(device) / 1000, ifindex: device) }
        let reset = try #require(world.report().resets.first)
        #expect(reset.evidence.count { $0.fact.hasPrefix("passed on to") } == 29_999)
    }

    @Test func aMillionEqualResetsEnd() {
        var world = World()
        for index in 0..<20_000 { world.packet(at: Double(index) / 1000) }
        #expect(world.report().resets.count == 20_000)
    }
}

@Suite struct ClockModelTests {
    private func clock(_ samples: [(Int64, Int64)]) -> ClockModel? {
        var recording = Recording()
        recording.clocks = samples.map { ClockSample(monotonic: $0.0, realtime: $0.1, uncertainty: nil) }
        return ClockModel(recording)
    }

    @Test func withoutSamplesThereIsNone() { #expect(clock([]) == nil) }

    @Test func driftIsSpreadBetweenSamples() throws {
        let model = try #require(clock([(0, 1000), (100, 1110)]))
        #expect(model.realtime(0) == 1000)
        #expect(model.realtime(50) == 1055)
        #expect(model.realtime(100) == 1110)
        #expect(model.realtime(200) == 1210)
        #expect(model.realtime(-50) == 950)
    }

    @Test func extremesDoNotTrap() throws {
        let hostile: [[(Int64, Int64)]] = [[(.min, .max)], [(.max, .min), (0, .max)], [(0, .min), (0, .max)]]
        for samples in hostile {
            let model = try #require(clock(samples))
            for time in [Int64.min, -1, 0, 1, Int64.max] { _ = model.realtime(time) }
        }
    }
}

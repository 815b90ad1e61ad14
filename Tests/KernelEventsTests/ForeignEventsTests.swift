import KernelEvents
import NetworkTypes
import Testing

private func tuple(_ source: String, _ sourcePort: UInt16, _ destination: String, _ destinationPort: UInt16)
    -> FourTuple
{
    FourTuple(
        source: IPAddress(source)!, sourcePort: sourcePort, destination: IPAddress(destination)!,
        destinationPort: destinationPort)
}

@Suite struct TraceTextTests {
    @Test func traceOf618IsReadWhole() throws {
        let recording = try decode(ForeignSamples.trace618)
        #expect(recording.header == nil && recording.timebase == .traceClock)
        #expect(recording.damagedLines == 0 && recording.ignoredLines == 0 && recording.losses.isEmpty)
        #expect(recording.events.map(\.line) == Array(13...20))
        #expect(recording.events.allSatisfy { $0.kind == .decide && $0.hook == "trace" && $0.cpu == 1 })
        #expect(
            recording.events.map(\.tuple) == [
                tuple("127.0.0.1", 59999, "127.0.0.1", 38446), tuple("::1", 59999, "::1", 38600),
                tuple("127.0.0.1", 59999, "127.0.0.1", 38460), tuple("127.0.0.1", 43384, "127.0.0.1", 32781),
                tuple("127.0.0.1", 32781, "127.0.0.1", 43394), tuple("::1", 33700, "::1", 40925),
                tuple("::1", 40925, "::1", 33712), tuple("0.0.0.0", 60235, "0.0.0.0", 0),
            ])
        #expect(recording.events.map(\.isTupleComplete) == [true, true, true, true, true, true, true, false])
        #expect(recording.events.map(\.monotonic)[0] == 1_857_398_870_000)
        #expect(
            recording.events.map(\.reason) == [
                "NO_SOCKET", "NO_SOCKET", "NO_SOCKET", "TCP_STATE", "TCP_ABORT_ON_CLOSE", "TCP_STATE",
                "TCP_ABORT_ON_CLOSE", "TCP_FLAGS",
            ])
        #expect(recording.events.map(\.state) == [nil, nil, nil, .close, .close, .close, .close, .listen])
        #expect(recording.events.map(\.provoked) == [true, true, true, false, false, false, false, true])
        #expect(recording.events.map { $0.socket != nil } == [false, false, false, true, true, true, true, true])
        // The closed port's reset runs in the client's softirq: the task is not the owner.
        #expect(
            recording.events[0].task
                == .init(
                    pid: 17468, tid: 17468, uid: ResetEvent.Task.unknownUID, comm: "python3", context: .softirq))
        #expect(recording.events[3].task?.context == .process)
    }

    @Test func stacksBelongToTheEventBeforeThem() throws {
        let recording = try decode(ForeignSamples.traceWithStacks)
        #expect(recording.events.count == 2)
        let stack = try #require(recording.events[0].stack)
        #expect(
            recording.stacks[stack] == [
                "tcp_v4_send_reset+0x677", "tcp_v4_rcv+0x8c2", "ip_protocol_deliver_rcu+0x28",
                "entry_SYSCALL_64_after_hwframe+0x76",
            ])
        // The second stack is another task's.
        #expect(recording.events[1].stack == nil && recording.stacks.count == 1)
        #expect(recording.events[0].task?.pid == 19648 && recording.events[1].task?.pid == 17514)
        #expect(recording.losses == [Loss(monotonic: 0, place: "trace buffer", count: 2175)])
    }

    @Test func perfScriptIsReadWithItsStacks() throws {
        let recording = try decode(ForeignSamples.perfWithStacks)
        #expect(recording.events.map(\.state) == [nil, .close])
        #expect(recording.events.map(\.provoked) == [true, false])
        #expect(recording.events.map { $0.socket == nil } == [true, false])
        #expect(
            recording.events.map { recording.stacks[$0.stack ?? -1] } == [
                ["tcp_v4_send_reset+0x677", "tcp_v4_rcv+0x8c2", "entry_SYSCALL_64_after_hwframe+0x76"],
                ["tcp_send_active_reset+0x160", "__tcp_close+0x12b", "tcp_close+0x1f"],
            ])
        #expect(recording.ignoredLines == 0 && recording.damagedLines == 0)
        #expect(recording.events[1].task?.comm == "python3" && recording.events[1].task?.tid == 17916)
    }

    @Test func perfScriptWithOtherFieldsIsRead() throws {
        let recording = try decode(ForeignSamples.perf)
        #expect(recording.events.map(\.monotonic) == [1_860_873_044_000, 1_860_873_150_319, 1_861_075_365_000])
        #expect(recording.events.map { $0.task?.pid } == [17601, 17601, 17601])
        #expect(recording.events.map { $0.task?.comm } == ["python3", "python3", "python3"])
        #expect(recording.events[2].state == .listen && !recording.events[2].isTupleComplete)
        #expect(recording.events[0].task?.context == nil)
    }

    @Test func theLayoutUpTo69HasNoReason() throws {
        let recording = try decode(ForeignSamples.trace61)
        #expect(
            recording.events.map(\.tuple) == [
                tuple("10.0.0.1", 80, "10.0.0.2", 40000), tuple("fd00::1", 80, "fd00::2", 40001),
                tuple("10.0.0.1", 80, "10.0.0.3", 40002), tuple("0.0.0.0", 80, "0.0.0.0", 0),
            ])
        #expect(recording.events.map(\.state) == [.synReceived, .close, .established, .listen])
        #expect(recording.events.map { $0.task?.context } == [.softirq, .process, .hardirq, .softirq])
        #expect(recording.events.allSatisfy { $0.reason == nil && $0.provoked == nil && $0.socket != nil })
        #expect(recording.events[3].task?.comm == "<idle>" && recording.events[3].task?.pid == 0)
        #expect(!recording.events[3].isTupleComplete)
    }

    @Test func olderLayoutsAreRead() throws {
        let recording = try decode(ForeignSamples.trace54)
        #expect(recording.events.map(\.state) == [.established, nil])
        #expect(recording.events.map { $0.task?.comm } == ["", "nginx"])
        #expect(recording.events.map { $0.task?.context } == [.softirq, .process])
    }

    @Test func traceCmdReportIsReadWithItsLosses() throws {
        let recording = try decode(ForeignSamples.traceCmd)
        #expect(recording.events.count == 2)
        #expect(recording.losses.map(\.count) == [775])
        #expect(recording.ignoredLines == 1)
    }

    @Test(arguments: [
        ("CPU:0 [LOST 1400 EVENTS]", 1400), ("perf 22285 [001] 70008.366452: PERF_RECORD_LOST lost 447", 447),
        ("CPU:1 [LOST EVENTS]", 1), ("CPU:1 [EVENTS DROPPED]", 1),
    ])
    func lostEventsAreLosses(line: String, count: Int) throws {
        let recording = try decode(line + "\n" + ForeignSamples.trace618)
        #expect(recording.losses == [Loss(monotonic: 0, place: "trace buffer", count: count)])
    }

    @Test(arguments: [
        "dd", "cafe", "a b", "[001]", "x: y", "1.5:", "tcp_send_reset:", "=> tcp_abort", "a-1", "", "(1)", "漢",
    ])
    func aCommandMayBeCalledAnything(comm: String) throws {
        let line =
            "-812   [003] ..s2.   300.000001: tcp_send_reset: skbaddr=1 skaddr=1 src=10.0.0.1:80 dest=10.0.0.2:4 "
            + "state=TCP_CLOSE reason=TCP_STATE\n"
        let padded = String(repeating: " ", count: max(0, 16 - comm.count)) + comm + line
        let stack = padded.split(separator: "tcp_send_reset: sk")[0] + "<stack trace>\n => tcp_x\n"
        let recording = try decode(padded + stack + padded)
        #expect(recording.events.map { $0.task?.comm } == [comm, comm])
        #expect(recording.events.map { $0.task?.tid } == [812, 812])
        #expect(recording.events.map { $0.stack.map { recording.stacks[$0] } } == [["tcp_x"], nil])
        #expect(recording.damagedLines == 0 && recording.ignoredLines == 0)
    }

    @Test(arguments: [
        "x-1 [0] .....  1857: tcp_send_reset: src=1.1.1.1:1 dest=1.1.1.2:2",  // trace_clock counter: no seconds
        "x-1 [0] .....  5000000000.5: tcp_send_reset: src=1.1.1.1:1 dest=1.1.1.2:2",
        "x-1 [0] .....  1.1234567890: tcp_send_reset: src=1.1.1.1:1 dest=1.1.1.2:2",
        "x-1 [0] .....  1.5: tcp_send_reset: src=1.1.1.1:1",
        "x-1 [0] .....  1.5: tcp_send_reset: sport=80 dport=70000 saddr=1.1.1.1 daddr=1.1.1.1",
        "tcp_send_reset: src=1.1.1.1:1 dest=1.1.1.2:2",
    ])
    func anEventThatCannotBeReadIsDamage(line: String) throws {
        let recording = try decode(ForeignSamples.trace618 + line + "\n")
        #expect(recording.events.count == 8 && recording.damagedLines == 1)
        #expect(recording.damage.first?.line == 21)
    }

    @Test func aReasonThatIsANumberIsNotKnown() throws {
        let line = "x-1 [0] .....  1.5: tcp_send_reset: src=1.1.1.1:1 dest=1.1.1.2:2 state=0x1 reason=0x1b"
        let event = try decode(line).events[0]
        #expect(event.reason == nil && event.state == .established)
    }

    @Test func addressesThatTheKernelDidNotHaveAreNotComplete() throws {
        let line = "x-1 [0] .....  1.5: tcp_send_reset: skbaddr=0 skaddr=0 src=(einval) dest=(einval) state=UNKNOWN"
        let event = try decode(line).events[0]
        #expect(!event.isTupleComplete && event.state == nil && event.socket == nil)
    }

    @Test func aTraceWithoutResetsIsARecordingWithoutEvents() throws {
        let header = ForeignSamples.trace618.split(separator: "\n").prefix(12).joined(separator: "\n")
        let recording = try decode(header + "\n  sh-1 [0] .....  1.5: sched_switch: prev_comm=sh\n")
        #expect(recording.events.isEmpty && recording.ignoredLines == 1 && recording.timebase == .traceClock)
    }

    @Test func mutatedTextNeverTraps() {
        var random = SeededGenerator(seed: 5)
        let samples = [
            ForeignSamples.trace618, ForeignSamples.traceWithStacks, ForeignSamples.perfWithStacks,
            ForeignSamples.trace61,
            ForeignSamples.traceCmd, ForeignSamples.gadgetPretty, ForeignSamples.gadgetLines,
        ].map(\.bytes)
        var events = 0
        for _ in 0..<5000 {
            var bytes = samples.randomElement(using: &random)!
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let index = bytes.indices.randomElement(using: &random)!
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[index] = UInt8.random(in: 0 ... .max, using: &random)
                case 1: bytes[index] = Array("[](){}:=-/.0 9\n\t\"\\".utf8).randomElement(using: &random)!
                case 2: bytes.remove(at: index)
                default: bytes.removeSubrange(index...)
                }
                if bytes.isEmpty { bytes = [0x20] }
            }
            events += ForeignEvents.decode(bytes)?.events.count ?? 0
        }
        #expect(events > 5000)
    }
}

@Suite struct GadgetTests {
    @Test func theSampleOfItsReadmeIsRead() throws {
        let recording = try decode(ForeignSamples.gadgetPretty)
        #expect(recording.timebase == .none && recording.header == nil)
        #expect(recording.ignoredLines == 1 && recording.damagedLines == 0)
        let event = try #require(recording.events.first)
        #expect(recording.events.count == 1)
        #expect(event.hook == "tcprst-gadget" && event.kind == .decide && event.line == 2)
        // Its local port is skc_num, which is zero once the socket is closed.
        #expect(event.tuple == tuple("127.0.0.1", 0, "127.0.0.1", 8000))
        #expect(!event.isTupleComplete)
        #expect(event.functions == ["tcp_send_active_reset", "tcp_disconnect"])
        #expect(event.stack == nil && event.reason == nil && event.state == nil)
        #expect(event.previousState == .established && event.provoked == false)
        #expect(event.task == .init(pid: 51818, tid: 51818, uid: 0, comm: "python", context: nil))
        #expect(event.socket?.owner == .init(pid: 51818, comm: "python"))
        #expect(event.socket?.uid == 0 && event.netns == 4_026_532_284)
    }

    @Test func oneObjectALineIsRead() throws {
        let recording = try decode(ForeignSamples.gadgetLines)
        #expect(recording.events.map(\.line) == [1, 2])
        #expect(recording.events.map(\.functions) == [["tcp_v4_send_reset", "tcp_v4_rcv"], ["nf_send_reset"]])
        #expect(recording.events.map(\.isTupleComplete) == [false, true])
        // Without a socket the netns is the current task's, which need not be the packet's.
        #expect(recording.events.map(\.netns) == [nil, 4_026_531_840])
        #expect(recording.events.map { $0.socket?.owner?.comm } == [nil, "nginx"])
        #expect(recording.events[0].previousState == nil && recording.events[0].task?.tid == 100)
    }

    @Test func arraysAndBrokenObjectsAreRead() throws {
        let lines = ForeignSamples.gadgetLines.split(separator: "\n")
        let text = "[\n\(lines[0]),\n{\"callee\":\"FUNC_TCP_V4_SEND_RESET\",\"sk_state\":}\n,\(lines[1])\n]\n"
        let recording = try decode(text)
        #expect(recording.events.map(\.line) == [2, 4])
        #expect(recording.damage.map(\.line) == [3] && recording.damagedLines == 1)
    }

    @Test func otherJSONIsNotTakenForIt() {
        #expect(throws: EventsError.self) { try decode(#"{"callee":"someone","sk_state":1}"#) }
        #expect(throws: EventsError.self) { try decode(#"{"callee":"FUNC_X"}"#) }
        #expect(ForeignEvents.decode(#"{"type":"emit"}"#.bytes) == nil)
    }
}

@Suite struct AddressTests {
    /// The decoder's own address reader against `IPAddress`, which the inet_ntop tests judge.
    @Test func addressesAreReadAsIPAddressReadsThem() throws {
        var samples = Samples(seed: 21)
        var valid = 0
        for _ in 0..<20_000 {
            var text = samples.address().description.bytes
            for _ in 0..<Int.random(in: 0...2, using: &samples.random) {
                let index = Int.random(in: 0...text.count, using: &samples.random)
                let byte = Array("0123456789abcfF:.g".utf8).randomElement(using: &samples.random)!
                if Bool.random(using: &samples.random) || index == text.count {
                    text.insert(byte, at: index)
                } else {
                    text[index] = byte
                }
            }
            let line =
                #"{"type":"emit","mono_ns":5,"src":""#.bytes + text
                + #"","sport":80,"dst":"10.0.0.2","dport":40000}"#.bytes
            let expected = IPAddress(utf8: text)
            if expected != nil { valid += 1 }
            let read = try? RecordingDecoder.decode(line).events.first?.tuple.source
            #expect(read == expected, "\(String(decoding: text, as: UTF8.self))")
        }
        #expect(valid > 5000 && valid < 19_000)
    }
}

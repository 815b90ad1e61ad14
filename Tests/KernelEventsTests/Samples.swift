import KernelEvents
import NetworkTypes

/// A seeded generator (SplitMix64): a failing property test names its seed and can be run again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}

/// Random values of every field, its extremes among them.
struct Samples {
    var random: SeededGenerator
    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func maybe<Value>(_ value: (inout Samples) -> Value) -> Value? {
        Bool.random(using: &random) ? value(&self) : nil
    }

    mutating func number<Value: FixedWidthInteger>(_ range: ClosedRange<Value>) -> Value {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: range.lowerBound
        case 1: range.upperBound
        default: Value.random(in: range, using: &random)
        }
    }

    mutating func unsigned<Value: FixedWidthInteger & UnsignedInteger>() -> Value { number(0 ... .max) }
    mutating func time() -> Int64 { number(0...1 << 62 - 1) }
    mutating func id() -> Int32 { number(0 ... .max) }

    mutating func address() -> IPAddress {
        if Bool.random(using: &random) { return IPAddress(ipv4: unsigned()) }
        // Zero groups in all places, so that "::" is tried everywhere.
        var words: (UInt64, UInt64) = (0, 0)
        for group in 0..<8 where Bool.random(using: &random) {
            let value = UInt64(UInt16.random(in: 0 ... .max, using: &random))
            if group < 4 { words.0 |= value << UInt64(16 * group) } else { words.1 |= value << UInt64(16 * group - 64) }
        }
        return IPAddress(high: words.0, low: words.1)
    }

    mutating func flags() -> TCPFlags { TCPFlags(rawValue: number(0...0x1ff)) }
    mutating func state() -> TCPState { TCPState.allCases.randomElement(using: &random)! }

    static let pieces = [
        "a", "nginx", "\"", "\\", "\n", "\r", "\t", "\0", "\u{8}", "\u{c}", "\u{1f}", "\u{7f}", "\u{80}", "\u{85}",
        "\u{9f}", "\u{a0}", "é", "漢", "🦊", "\u{2028}", "\u{fffd}", "\u{10ffff}", "/", "\\u0041", "}",
        "{\"type\":\"end\"}",
        " ", "e\u{301}", "\u{202e}", "TCP_ABORT_ON_CLOSE",
    ]

    mutating func text() -> String {
        (0..<Int.random(in: 0...6, using: &random)).map { _ in Self.pieces.randomElement(using: &random)! }.joined()
    }

    private mutating func reception() -> ResetEvent.Reception {
        var reception = ResetEvent.Reception()
        reception.errno = maybe { $0.unsigned() }
        reception.wait = maybe { ResetEvent.Reception.Wait.allCases.randomElement(using: &$0.random)! }
        reception.idle = maybe { $0.time() }
        reception.age = maybe { $0.time() }
        reception.unacknowledged = maybe { $0.unsigned() }
        reception.unread = maybe { $0.unsigned() }
        return reception
    }

    mutating func event() -> ResetEvent {
        var event = ResetEvent(
            kind: .emit, hook: ResetEvent.emitHook, monotonic: time(),
            tuple: FourTuple(
                source: address(), sourcePort: unsigned(), destination: address(), destinationPort: unsigned()))
        if Bool.random(using: &random) {
            event.kind = .decide
            event.hook = text()
            event.reason = maybe { $0.text() }
            event.state = maybe { $0.state() }
            event.previousState = maybe { $0.state() }
            event.listener = maybe {
                ResetEvent.Listener(
                    pid: $0.id(), comm: $0.text(), since: $0.maybe { $0.time() }, closed: $0.maybe { $0.time() })
            }
            event.conntrack = maybe {
                var conntrack = ResetEvent.Conntrack(
                    isAtWork: $0.maybe { $0.unsigned() > UInt8(127) },
                    segment: $0.maybe { [.tracked, .untracked, .none].randomElement(using: &$0.random)! })
                conntrack.original = $0.maybe { $0.event().tuple }
                conntrack.reply = $0.maybe { $0.event().tuple }
                conntrack.isLookedUp = $0.unsigned() > UInt8(127)
                return conntrack
            }
            event.trigger = maybe {
                ResetEvent.Trigger(flags: $0.flags(), seq: $0.unsigned(), ack: $0.unsigned(), length: $0.unsigned())
            }
        } else if Bool.random(using: &random) {
            event.hook = text()
        } else if Bool.random(using: &random) {
            event.kind = Bool.random(using: &random) ? .receive : .fail
            event.hook = event.kind == .fail ? ResetEvent.failHook : ResetEvent.receiveHook
            event.state = maybe { $0.state() }
            event.reception = reception()
            if event.kind == .fail {
                event.state = state()
                event.reception?.errno = unsigned()
            }
            if event.kind == .receive, Bool.random(using: &random) {
                event.hook = ResetEvent.ignoreHook
                event.reason = maybe { $0.text() }
                event.reception?.fate = .ignored
                event.reception?.location = maybe { $0.text() }
            }
        }
        event.ending = maybe { $0.ending() }
        event.cpu = maybe { $0.id() }
        event.netns = maybe { $0.unsigned() }
        event.ifindex = maybe { $0.id() }
        event.ifname = maybe { $0.text() }
        event.skb = maybe { $0.unsigned() }
        event.seq = maybe { $0.unsigned() }
        event.ack = maybe { $0.unsigned() }
        event.flags = maybe { $0.flags() }
        event.window = maybe { $0.unsigned() }
        event.ipID = maybe { $0.unsigned() }
        event.ttl = maybe { $0.unsigned() }
        event.stack = maybe { Int($0.number(0...Int32.max)) }
        event.task = maybe {
            ResetEvent.Task(
                pid: $0.id(), tid: $0.id(), uid: $0.unsigned(), comm: $0.text(),
                context: $0.maybe { [.process, .softirq, .hardirq].randomElement(using: &$0.random)! })
        }
        event.task?.process = maybe { $0.text() }
        event.task?.cgroup = maybe { $0.unsigned() }
        event.task?.cgroupPath = maybe { $0.text() }
        event.socket = maybe { $0.socket() }
        return event
    }

    mutating func ending() -> ResetEvent.Ending {
        var ending = ResetEvent.Ending(
            how: ResetEvent.Ending.How.allCases.randomElement(using: &random)!, monotonic: time())
        ending.process = maybe { ResetEvent.Owner(pid: $0.id(), comm: $0.text()) }
        ending.thread = maybe { $0.text() }
        ending.cgroup = maybe { $0.unsigned() }
        ending.cgroupPath = maybe { $0.text() }
        ending.owner = maybe { ResetEvent.Owner(pid: $0.id(), comm: $0.text()) }
        ending.state = maybe { $0.state() }
        ending.idle = maybe { $0.time() }
        ending.signal = maybe { $0.unsigned() }
        ending.errno = maybe { $0.unsigned() }
        ending.unacknowledged = maybe { $0.unsigned() }
        ending.userTimeout = maybe { $0.unsigned() }
        ending.seq = maybe { $0.unsigned() }
        return ending
    }

    mutating func socket() -> ResetEvent.Socket {
        var socket = ResetEvent.Socket()
        socket.cookie = maybe { $0.unsigned() }
        socket.state = maybe { $0.state() }
        socket.inode = maybe { $0.unsigned() }
        socket.uid = maybe { $0.unsigned() }
        socket.cgroup = maybe { $0.unsigned() }
        socket.cgroupPath = maybe { $0.text() }
        socket.owner = maybe { ResetEvent.Owner(pid: $0.id(), comm: $0.text(), holders: $0.maybe { $0.id() }) }
        socket.dead = maybe { Bool.random(using: &$0.random) }
        socket.userTimeout = maybe { $0.unsigned() }
        socket.linger2 = maybe { $0.number(-Int32.max...Int32.max) }
        return socket
    }

    mutating func times() -> RecordingTimes {
        RecordingTimes(hooks: maybe { $0.time() }, capture: maybe { $0.time() })
    }

    mutating func header() -> RecordingHeader {
        var header = RecordingHeader()
        header.tool = text()
        header.host = text()
        header.kernel = text()
        header.bootID = text()
        header.arch = text()
        header.started = "2026-11-20T23:22:01.123456789Z"
        header.clock = ClockSample(monotonic: time(), realtime: time(), uncertainty: maybe { $0.time() })
        header.marksClockSteps = Bool.random(using: &random)
        header.since = maybe { $0.times() }
        header.hooks = (0..<number(0...3)).map { _ in
            RecordingHeader.Hook(
                name: text(), status: Bool.random(using: &random) ? "attached" : "failed", detail: maybe { $0.text() },
                reason: maybe { Bool.random(using: &$0.random) })
        }
        header.cgroupObstacle = maybe { $0.text() }
        header.endings = maybe { $0.unsigned() }
        header.interfaces = (0..<number(0...3)).map { _ in
            RecordingHeader.Interface(
                name: text(), ifindex: id(), netns: maybe { $0.unsigned() },
                addresses: (0..<number(0...3)).map { _ in address() }, captured: Bool.random(using: &random))
        }
        header.netns = maybe { $0.unsigned() }
        header.scope = maybe {
            var sample = $0
            let scope = RecordingScope(
                netns: (0..<sample.number(0...2)).map { _ in sample.unsigned() },
                hosts: (0..<sample.number(0...2)).compactMap { _ in
                    let address = sample.address()
                    return IPPrefix("\(address)/\(sample.number(0...(address.isIPv4 ? 32 : 128)))")
                },
                ports: (0..<sample.number(0...2)).map { _ in UInt16(sample.number(0...65535)) })
            $0 = sample
            return scope
        }
        return header
    }

    /// A recording as a recorder writes it, and its bytes.
    mutating func recording(events: Int) -> (recording: Recording, bytes: [UInt8]) {
        var recording = Recording()
        var encoder = EventEncoder()
        var line = 1
        let header = header()
        recording.header = header
        encoder.append(header: header)
        for number in 0..<events {
            line += 1
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                let frames = (0..<self.number(0...4)).map { _ in text() }
                recording.stacks[number] = frames
                encoder.append(stack: number, frames: frames)
            case 1:
                let clock = ClockSample(
                    monotonic: time(), realtime: time(), uncertainty: maybe { $0.time() },
                    step: maybe { $0.number(-(1 << 62 - 1)...1 << 62 - 1) }, suspended: maybe { $0.time() })
                recording.clocks.append(clock)
                encoder.append(clock: clock)
            case 2:
                let loss = Loss(monotonic: time(), place: text(), count: self.number(0...1_000_000_000_000))
                recording.losses.append(loss)
                encoder.append(loss: loss)
            case 3:
                let change = InterfaceChange(
                    monotonic: time(), status: Bool.random(using: &random) ? .lost : .attached, name: text(),
                    ifindex: maybe { $0.number(0...Int32.max) }, netns: maybe { $0.number(0...UInt32.max) },
                    detail: maybe { $0.text() })
                recording.interfaceChanges.append(change)
                encoder.append(interface: change)
            case 4:
                var container = ContainerRecord(id: Bool.random(using: &random) ? "a" : "id" + text())
                container.name = maybe { "x" + $0.text() }
                container.runtime = maybe { ContainerRuntime.allCases.randomElement(using: &$0.random)! }
                container.image = maybe { "x" + $0.text() }
                container.pod = maybe { "x" + $0.text() }
                container.namespace = maybe { "x" + $0.text() }
                container.slice = maybe { "/user.slice/" + $0.text() }
                recording.containers[container.key] = container
                encoder.append(container: container)
            default:
                var event = event()
                encoder.append(event: event)
                event.line = line
                if event.kind == .fail { recording.failures.append(event) } else { recording.events.append(event) }
            }
        }
        if Bool.random(using: &random) {
            var footer = RecordingFooter(
                monotonic: time(), events: number(0...1000), lost: number(0...1000), captured: number(0...1000),
                kernelDropped: number(0...1_000_000_000_000))
            footer.until = maybe { $0.times() }
            recording.footer = footer
            encoder.append(footer: footer)
            line += 1
        }
        recording.lines = line
        return (recording, encoder.copy())
    }
}

extension String {
    var bytes: [UInt8] { Array(utf8) }
}

/// Names of lines that a test expects to be damaged.
func decode(_ text: String) throws(EventsError) -> Recording { try RecordingDecoder.decode(text.bytes) }

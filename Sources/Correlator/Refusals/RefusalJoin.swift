import KernelEvents
import NetworkTypes
import PcapReader

/// Finds the connections that ICMP errors ended: by the kernel's events, and by messages about SYNs in captures.
struct RefusalJoin {
    private let inventory: Inventory
    private let builder: EntryBuilder

    /// Nanoseconds that a message may seem to come after what it ended, or before what it is about.
    private static let window: Int64 = 1_000_000_000
    /// One message that several interfaces saw.
    private static let oneMessage: UInt64 = 10_000_000
    /// An established connection ends only when its retransmissions have expired.
    private static let longWindow: UInt64 = 1_800_000_000_000
    /// An attempt sends its SYN again for at most this long (tcp_syn_retries).
    private static let attempt: UInt64 = 130_000_000_000

    init(_ inventory: Inventory, _ builder: EntryBuilder) {
        self.inventory = inventory
        self.builder = builder
    }

    private struct Captured {
        let time: Int64
        let capture: Int
        let error: ICMPError
        let fate: MessageFate
    }

    func run() -> [ICMPRefusal] {
        var captured: [FourTuple: [Captured]] = [:]
        for (index, capture) in inventory.captures.enumerated() {
            for error in capture.summary.icmpErrors {
                let fate = MessageFate(of: error, in: capture.connections.table)
                guard fate != .foreign else { continue }
                let steady = inventory.clocks.packets[index]?.steady(error.time, ofPacket: error.packet) ?? error.time
                let time = steady.saturatingSubtract(inventory.alignment.shift(ofCapture: index, at: steady))
                captured[error.tuple, default: []].append(
                    Captured(time: time, capture: index, error: error, fate: fate))
            }
        }
        var refusals: [ICMPRefusal] = []
        var told = ToldEnds()
        for number in mostCompleteFirst {
            let input = inventory.recordings[number]
            // Without this hook, a RST ends connections in the same way.
            guard !input.recording.failures.isEmpty,
                input.recording.header?.hooks.contains(where: {
                    $0.name == ResetEvent.receiveHook && $0.status == "attached"
                }) == true
            else { continue }
            for event in input.recording.failures {
                guard let errno = event.reception?.errno, ICMPRefusal.errors.contains(errno),
                    told.isNew(event, input.recording.header?.knownBootID, recording: number)
                else { continue }
                let wallTime = inventory.time(ofMonotonic: event.monotonic, recording: number)
                let time = wallTime ?? event.monotonic
                let tuple = event.tuple.reversed
                // While the program is in connect(), its socket is locked, and only the message after the next SYN ends it.
                let longest = event.state == .synSent ? Self.attempt : Self.longWindow
                let age = min(event.reception?.age.map(UInt64.init(clamping:)) ?? longest, longest)
                let first = time.saturatingSubtract(Int64(clamping: age)).saturatingSubtract(Self.window)
                func isIts(_ one: Captured) -> Bool {
                    one.time >= first && one.time <= time.saturatingAdd(Self.window) && Self.quotes(one.error, event)
                }
                let messages = (captured[tuple] ?? []).filter {
                    isIts($0)
                        && ICMPRefusal.Message.errno(
                            isVersion6: $0.error.isVersion6, type: $0.error.type, code: $0.error.code) == errno
                }
                // Those of other errors are about this attempt, too, and not what ended it.
                captured[tuple]?.removeAll(where: isIts)
                // If the event of a RST was lost, it may have been that.
                let isSure =
                    !messages.isEmpty || input.recording.isComplete && !ICMPRefusal.mayBeOfRoute(errno)
                var refusal = ICMPRefusal(time: time, tuple: tuple, certainty: isSure ? .proven : .inferred)
                refusal.hasWallClock = wallTime != nil
                refusal.errno = errno
                refusal.state = event.state
                refusal.process = builder.receivingProcess(event)
                if let pid = refusal.process?.pid, let comm = refusal.process?.comm {
                    refusal.process?.details = input.recording.process(pid, comm, line: event.line)
                }
                refusal.location = builder.receivingLocation(event)
                add(messages, last: true, to: &refusal)
                refusals.append(refusal)
            }
        }
        // Of what no event tells, only an attempt to connect is known to end.
        for (tuple, messages) in captured {
            let all = messages.filter { $0.fate != .other }.sorted { $0.time < $1.time }
            var attempt: [Captured] = []
            func finishAttempt() {
                // The messages before the last one cannot have ended it.
                if attempt.last?.fate == .ended { refusals.append(refusal(tuple, attempt)) }
                attempt = []
            }
            for message in all {
                let isNext =
                    attempt.first.map {
                        $0.error.seq != message.error.seq || message.time.distance(from: $0.time) > Self.attempt
                    } ?? false
                if isNext { finishAttempt() }
                attempt.append(message)
            }
            finishAttempt()
        }
        return refusals.sorted {
            ($0.time, $0.tuple.source.low, $0.tuple.sourcePort, $0.tuple.destination.low, $0.tuple.destinationPort)
                < (
                    $1.time, $1.tuple.source.low, $1.tuple.sourcePort, $1.tuple.destination.low,
                    $1.tuple.destinationPort
                )
        }
    }

    private var mostCompleteFirst: [Int] {
        let all = inventory.recordings.indices
        return all.filter { inventory.recordings[$0].recording.isComplete }
            + all.filter { !inventory.recordings[$0].recording.isComplete }
    }

    /// What recorders told of: two of one host tell the same.
    private struct ToldEnds {
        private struct Key: Hashable {
            let boot: String
            let tuple: FourTuple
        }

        private var ends: [Key: [(recording: Int, event: ResetEvent)]] = [:]

        /// All programs at a hook run one after the other.
        private static let oneHook: UInt64 = 1_000_000
        /// Of one tuple, how many are compared.
        private static let compared = 64

        mutating func isNew(_ event: ResetEvent, _ boot: String?, recording: Int) -> Bool {
            guard let boot else { return true }
            let key = Key(boot: boot, tuple: event.tuple)
            let isTold =
                ends[key]?.suffix(Self.compared).contains { other in
                    other.recording != recording && other.event.netns == event.netns
                        && other.event.state == event.state
                        && other.event.reception?.errno == event.reception?.errno
                        && other.event.monotonic.distance(from: event.monotonic) <= Self.oneHook
                } ?? false
            if !isTold { ends[key, default: []].append((recording, event)) }
            return !isTold
        }
    }

    /// Whether the kernel takes it for one about the SYN that was sent (tcp_v4_err() in net/ipv4/tcp_ipv4.c). It may have carried
    /// data.
    private static func quotes(_ error: ICMPError, _ event: ResetEvent) -> Bool {
        guard event.state == .synSent, let next = event.ack else { return true }
        return next &- error.seq &- 1 <= UInt32(UInt16.max)
    }

    private func refusal(_ tuple: FourTuple, _ messages: [Captured]) -> ICMPRefusal {
        var refusal = ICMPRefusal(time: messages.first?.time ?? 0, tuple: tuple, certainty: .inferred)
        add(messages, last: false, to: &refusal)
        return refusal
    }

    /// - Parameter last: the last message ended it; otherwise the first is told.
    private func add(_ messages: [Captured], last: Bool, to refusal: inout ICMPRefusal) {
        let ordered = messages.sorted {
            ($0.time, $0.capture, $0.error.packet) < ($1.time, $1.capture, $1.error.packet)
        }
        var different: [Captured] = []
        for message in ordered
        where different.last.map({ message.time.distance(from: $0.time) > Self.oneMessage }) ?? true {
            different.append(message)
        }
        guard let told = last ? different.last : different.first else { return }
        refusal.message = ICMPRefusal.Message(
            file: inventory.captures[told.capture].file, packet: told.error.packet, sender: told.error.sender,
            isVersion6: told.error.isVersion6, type: told.error.type, code: told.error.code)
        refusal.messages = different.count
    }
}

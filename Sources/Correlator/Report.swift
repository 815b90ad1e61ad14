public import KernelEvents
public import NetworkTypes

/// What is known of all RSTs of the inputs, in the order of time.
public struct Report: Sendable {
    public var inputs: [Input]
    public var losses: Losses
    public var resets: ResetList
    /// How far the clocks of the captures are apart.
    public var clocks: [ClockOffset] = []
    /// When clocks were set.
    public var clockSettings: [ClockSetting] = []
    /// How connections ended without a RST, by file: of captures without RSTs that were looked through.
    public var unfinished: [(file: String, connections: UnfinishedConnections)] = []
    /// Captures without RSTs that were too large to be looked through for that.
    public var tooLarge: [String] = []
    /// What was left out of the inputs' RSTs; nil if nothing was.
    public var selection: Selection?

    /// Some of the RSTs of the inputs.
    public struct Selection: Sendable, Equatable {
        /// How many there are in the inputs.
        public var total: Int
        /// The conditions in the words of whoever asked.
        public var words: [String]
        /// How many connections that ICMP errors ended were left out.
        public var refusals = 0
        public init(total: Int, words: [String]) {
            self.total = total
            self.words = words
        }
    }

    /// Whether everything that was recorded is in the report.
    public var isComplete: Bool {
        losses.isEmpty && inputs.allSatisfy { $0.damageCount == 0 && !$0.undecoded.contains(where: \.isLoss) }
    }

    /// Some input says how much was lost, and be it nothing: a plain capture file does not.
    public var tellsOfLosses: Bool { inputs.contains { $0.host != nil } }

    /// Connections that ICMP errors ended, in the order of time: they are no RSTs, and counted apart.
    public var refusals: [ICMPRefusal] = []

    /// When the first and the last RST or connection that an ICMP error ended was, nanoseconds since 1970-01-01 UTC; nil if nothing
    /// has such a time.
    public var span: (first: Int64, last: Int64)? {
        let times =
            refusals.filter(\.hasWallClock).map(\.time) + (resets.span.map { [$0.first, $0.last] } ?? [])
        guard let first = times.min(), let last = times.max() else { return nil }
        return (first, last)
    }

    /// Leaves out what a filter does not want.
    public mutating func keep(_ filter: ResetFilter, words: [String]) {
        guard !filter.isEmpty else { return }
        selection = Selection(total: resets.count, words: words)
        let found = refusals.count
        refusals.removeAll { !filter.accepts($0) }
        selection?.refusals = found - refusals.count
        resets.keep(filter)
        groups = nil
    }

    /// Leaves out what any of the filters takes; the other RSTs keep their ids.
    public mutating func leaveOut(_ filters: [ResetFilter]) {
        guard !filters.isEmpty else { return }
        resets.leaveOut(filters)
        refusals.removeAll { refusal in filters.contains { $0.accepts(refusal) } }
        groups = nil
    }

    /// How many RSTs were captured while no hook was there to report them.
    public func count(outsideEvents side: EventGapSide) -> Int {
        resets.rows.reduce(0) { $0 + ($1.outsideEvents == side ? 1 : 0) }
    }

    /// What `answers(by:)` has in the order of size, where that is known already.
    private var groups: AnswerGroups?

    public init(inputs: [Input], losses: Losses, resets: ResetList) {
        self.inputs = inputs
        self.losses = losses
        self.resets = resets
    }

    /// Makes what findings and answers need, so that it is made once.
    public mutating func group() { groups = groups ?? AnswerGroups(resets) }

    /// All RSTs, put together by what a person would fix.
    public func answers(by order: AnswerOrder = .count) -> AnswerGroups {
        (groups ?? AnswerGroups(resets)).sorted(by: order)
    }

    /// Groups of RSTs that have one reason, whatever their certainties are.
    public var findings: [Finding] { answers().findings() }

    /// One file.
    public struct Input: Sendable, Equatable {
        public enum Kind: String, Sendable { case capture, events }
        public var file: String
        public var kind: Kind
        /// Packets, of a capture.
        public var packets: Int
        /// Events, of a recording.
        public var events: Int
        /// What was damaged, a sentence each, as far as it is named.
        public var damage: [String]
        /// How many places were damaged.
        public var damageCount: Int
        /// Packets of a capture that could not be decoded.
        public var undecoded: [UndecodedPackets]
        /// What a recording was made without, a sentence each.
        public var notes: [String] = []
        /// What somebody wrote into a capture about it and its interfaces.
        public var comments: [String] = []
        /// Where a recording was made: the name of the host, the release of its kernel, and the network namespace.
        public var host: String?
        public var kernel: String?
        public var netns: UInt32?
        /// What the recorder was told to record; nil if nothing was left out.
        public var scope: RecordingScope?
    }

    /// What never reached the report.
    public struct Losses: Sendable, Equatable {
        /// Packets that the kernel, a device or the capturing program dropped.
        public var captureDropped = 0
        /// Kernel events that found no room, or that a recording counts and does not hold.
        public var eventsLost = 0
        /// Bytes of captures, decompressed.
        public var bytesSkipped = 0
        /// Lines of recordings.
        public var linesSkipped = 0
        /// A recording without its end: the recorder was killed.
        public var unfinished = 0
        public init() {}

        public var isEmpty: Bool { self == Losses() }
    }
}

/// One RST, however often it was seen.
public struct Reset: Sendable {
    /// 1-based, in the order of time.
    public var id = 0
    /// Of the first sighting, or else of the event: nanoseconds since 1970-01-01 UTC.
    public var time: Int64
    /// It was captured while no hook was there to report it.
    public var outsideEvents: EventGapSide?
    /// Whether `time` is on the wall clock; without a clock sample it is time since boot.
    public var hasWallClock = true
    /// As it left its origin.
    public var tuple: FourTuple
    /// As its origin's TCP decided on it, where that host translates addresses (REDIRECT, DNAT) and they differ: the port
    /// that was closed, or the socket's own ends.
    public var untranslated: FourTuple?
    public var seq: UInt32?
    public var ack: UInt32?
    public var flags: TCPFlags?
    public var direction: Direction
    public var outcome: Outcome
    public var sightings: [Sighting]
    public var cause: Cause
    public var category: Category
    public var certainty: Certainty
    /// Causes that the evidence cannot tell apart, the likeliest first; empty when there is only one.
    public var candidates: [Cause] = []
    /// One sentence for a person.
    public var summary: String
    /// What speaks for the cause, a clause, where it is inferred from packets.
    public var because: String?
    /// What would have to be known to be sure.
    public var missing: [String] = []
    /// What to do about this very RST, where more is known of it than the catalogue's advice for its cause says; nil otherwise.
    public var advice: String?
    public var evidence: [Fact]
    /// Of a RST that a firewall sent: which rule made it.
    public var firewall: RuleFinding?
    public var match: Match?
    public var reason: String?
    /// Before the reset.
    public var state: TCPState?
    public var path: KernelPath?
    /// Whose doing it was; nil if that is not known.
    public var process: Process?
    public var netns: UInt32?
    /// The connection in Zeek's words (conn_state), from the capture that has most of it.
    public var connectionState: String?
    public var flow: ConnectionSummary?
    /// The owner of the socket, where `process` is somebody else: its killer.
    public var owner: Process?
    /// The end that it came to, where its host was recorded and accepted it.
    public var receiver: Receiver?
    /// What became of it, where the recording of the host that it was for proves that it did not receive it.
    public var delivery: Delivery?
    /// Where the socket lives.
    public var location: Location?
    /// How the connection had ended here before.
    public var end: ConnectionEnd?
    /// The id of the RST that had reset the connection already, and that this one follows from.
    public var follows: Int?
    /// What else its header says, where a packet or the kernel's event has it.
    public var header = Header()
    /// Of its first event, CLOCK_MONOTONIC in nanoseconds; nil without events.
    public var monotonic: Int64?
    /// The processor of that event.
    public var cpu: Int32?
    /// The kernel's number of its socket (SO_COOKIE); nil without one.
    public var socketCookie: UInt64?
    /// What may still change the verdict, a clause each, where the entry was given out before that could be known.
    public var open: [String] = []
    /// How many times the entry was given out before, each time with less known.
    public var revision = 0

    /// The end that a RST names as its sender carries on if somebody else sent the RST.
    static let senderGoesOn = "whether the end that seems to have sent it goes on"

    /// Fields of a header that tell who made it.
    public struct Header: Sendable, Equatable {
        /// TTL or hop limit.
        public var ttl: UInt8?
        /// IPv4 identification.
        public var ipID: UInt16?
        /// As it stands there, not scaled.
        public var window: UInt16?
        public init() {}
    }

    /// A packet of a capture.
    public struct Sighting: Sendable, Equatable {
        public var file: String
        /// 1-based.
        public var packet: Int
        /// Its name; nil if the capture does not say.
        public var interface: String?
        /// Nanoseconds since 1970-01-01 UTC.
        public var time: Int64
        /// Its addresses and ports, where a translation on the way had changed them.
        public var translated: FourTuple?
    }

    public struct Match: Sendable, Equatable {
        public enum Method: String, Sendable {
            /// All fields of the segment.
            case exact
            /// The same but for addresses and ports, which were translated on the way.
            case nat
            /// Addresses, ports and time: the recording has no more.
            case tupleTime = "tuple-time"
        }
        public var by: Method
        /// Packet time less event time, nanoseconds.
        public var delta: Int64
    }

    public struct Process: Sendable, Hashable {
        public enum Role: String, Sendable {
            case owner, killer
            /// It had the connection's socket, and ended the connection before.
            case closer
            /// The kernel alone: there is no socket, and so no process.
            case none
        }
        /// Nil for the role `none`, and so is `comm`.
        public var pid: Int32?
        public var comm: String?
        public var role: Role
        /// The name of the thread that ran, where it differs from that of the process.
        public var thread: String?
        /// Its program, user and parent, where the recording has them.
        public var details: ProcessRecord?
    }

    /// Of a socket, or of the process that had it.
    public struct Location: Sendable, Hashable {
        /// Inode number of the network namespace.
        public var netns: UInt32?
        /// Relative to the root of the hierarchy.
        public var cgroup: String?
        /// What the path of the cgroup says.
        public var identity: CgroupIdentity
        /// What its runtime calls the container; nil if that is not known.
        public var container: ContainerRecord?

        /// The container by name, or else by id; nil if there is none.
        public var containerTitle: String? { container?.title ?? identity.container }
    }
}

/// One thing that is known, and from where.
public struct Fact: Sendable, Equatable {
    public var fact: String
    public var from: Place

    /// What shows it.
    public enum Place: Sendable, Equatable, CustomStringConvertible {
        /// A packet of a capture, by its number.
        case packet(Int)
        /// A line of a recording.
        case eventLine(Int)
        /// All that was found together.
        case report

        public var description: String {
            switch self {
            case .packet(let number): "packet \(number)"
            case .eventLine(let line): "event line \(line)"
            case .report: "report"
            }
        }
    }

    public init(_ fact: String, from: Place) {
        self.fact = fact
        self.from = from
    }
}

/// What a capture has of a connection before one of its RSTs.
public struct ConnectionSummary: Sendable, Equatable {
    public enum Opener: String, Sendable { case sender, receiver, unknown }

    /// What one end sent.
    public struct Side: Sendable, Equatable {
        /// Without RSTs, and without those that were captured twice.
        public var segments = 0
        /// Of TCP payload; what is sent again counts again.
        public var bytes: UInt64 = 0
        public var retransmissions = 0
        public var keepaliveProbes = 0
        public var zeroWindows = 0
        public var resets = 0
        public var hasFIN = false
        /// TTL or hop limit of all its segments; nil if it varies.
        public var ttl: UInt8?
        /// 0 if it did not say.
        public var maximumSegmentSize: UInt16 = 0
        public var timestamps = false
    }

    /// Who opened the connection: the end that sent the RST, or the one that received it.
    public var opener: Opener
    public var sender = Side()
    public var receiver = Side()
    /// Nanoseconds without any segment before the RST.
    public var silence: UInt64?
    /// Bytes that the RST's sender had sent, and that were not acknowledged.
    public var unacknowledged: UInt32 = 0
    /// Segments after the RST, of its sender (no RSTs) and of the other end.
    public var senderAfter = 0
    public var receiverAfter = 0
    /// As RFC 5961 has it: accepted, challenged, ignored, unknown.
    public var acceptance: String
}

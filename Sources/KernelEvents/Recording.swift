public import NetworkTypes

/// Everything that one events.jsonl says.
public struct Recording: Sendable, Equatable {
    /// Nil for a file of another tool.
    public var header: RecordingHeader?
    /// What `ResetEvent.monotonic` counts.
    public var timebase = Timebase.monotonic
    /// Frames from the innermost outwards, `symbol+0xoffset`, by stack id. The offset is absent where the kernel's
    /// trace text was made without it.
    public var stacks: [Int: [String]] = [:]
    public var events: [ResetEvent] = []
    /// Connections that ended by an error which no RST brought (`ResetEvent.Kind.fail`).
    public var failures: [ResetEvent] = []
    /// By their numbers, those of one number in the order of the file.
    public var processes: [Int32: [ProcessRecord]] = [:]
    /// What runtimes call containers.
    public var containers: [ContainerRecord.Key: ContainerRecord] = [:]
    public var clocks: [ClockSample] = []
    public var losses: [Loss] = []
    /// In the order in which they happened.
    public var interfaceChanges: [InterfaceChange] = []
    /// The rules of firewalls, as their tools printed them.
    public var rulesets: [Ruleset] = []
    /// Nil if the recorder did not live to write it.
    public var footer: RecordingFooter?
    /// Lines that were well-formed and of a type this version does not know.
    public var ignoredLines = 0
    /// Lines of the file, whatever is in them.
    public var lines = 0
    /// Lines that could not be read, the first few of them named.
    public var damagedLines = 0
    public var damage: [LineDamage] = []
    public init() {}

    /// Events that the recorder says it wrote, and that are not here, not even as lines that could not be read.
    public var missingEvents: Int {
        // The count of the file is not negative.
        footer.map { max(0, $0.events - events.count - failures.count - damagedLines) } ?? 0
    }

    /// Nothing is missing from its beginning to its end: what it does not tell did not happen, as far as its hooks and the
    /// header's `scope` go.
    public var isComplete: Bool {
        header != nil && footer?.lost == 0 && footer?.failure == nil && losses.isEmpty && damagedLines == 0
            && missingEvents == 0
    }

    public enum Timebase: UInt8, Sendable {
        /// CLOCK_MONOTONIC, which the header and the clock samples relate to CLOCK_REALTIME.
        case monotonic
        /// The clock of a kernel trace, in nanoseconds since about the boot. Differences within one file hold; its
        /// relation to CLOCK_MONOTONIC and CLOCK_REALTIME is not in the file.
        case traceClock
        /// The tool wrote no time: the order of the events is all there is.
        case none
    }
}

public struct RecordingHeader: Sendable, Equatable {
    public var schema = Self.currentSchema
    public var tool = ""
    public var host = ""
    public var kernel = ""
    public var bootID = ""
    public var arch = ""
    /// RFC 3339 in UTC with nanoseconds.
    public var started = ""
    public var clock = ClockSample(monotonic: 0, realtime: 0, uncertainty: nil)
    /// Where the wall clock was set, the sample after it says so: samples without a mark differ by drift alone.
    public var marksClockSteps = false
    /// Since when everything was recorded; nil if the recorder does not say.
    public var since: RecordingTimes?
    public var hooks: [Hook] = []
    public var interfaces: [Interface] = []
    /// The network namespace of the recorder.
    public var netns: UInt32?
    /// How many ends of connections the recorder remembers (`ResetEvent.ending`); nil if it does not.
    public var endings: UInt32?
    /// What the events were restricted to; nil for those of the whole host.
    public var scope: RecordingScope?
    /// Why cgroups have no paths; nil if they have.
    public var cgroupObstacle: String?
    /// Which file of a divided recording it is; nil if it is all of it.
    public var series: Series?
    public init() {}

    /// A recording that is divided into files.
    public struct Series: Sendable, Equatable {
        /// The same in all of its files, and in no others.
        public var id: String
        public var number: Int
        /// Nothing is missing between the file before and this one.
        public var follows: Bool
        public init(id: String, number: Int, follows: Bool) {
            self.id = id
            self.number = number
            self.follows = follows
        }
    }

    public static let currentSchema = "rst-events/1"

    public struct Hook: Sendable, Equatable {
        public var name: String
        /// `attached`, or `failed`.
        public var status: String
        /// Why it is not attached.
        public var detail: String?
        /// For `tcp_send_reset`: whether this kernel passes the reason.
        public var reason: Bool?
        public init(name: String, status: String, detail: String? = nil, reason: Bool? = nil) {
            self.name = name
            self.status = status
            self.detail = detail
            self.reason = reason
        }
    }

    /// A network interface as the recorder found it when it started.
    public struct Interface: Sendable, Equatable {
        public var name: String
        public var ifindex: Int32
        public var netns: UInt32?
        public var addresses: [IPAddress]
        /// Whether packets were captured on it.
        public var captured: Bool
        public init(name: String, ifindex: Int32, netns: UInt32?, addresses: [IPAddress], captured: Bool) {
            self.name = name
            self.ifindex = ifindex
            self.netns = netns
            self.addresses = addresses
            self.captured = captured
        }
    }
}

/// One reading of both clocks, taken as close together as the machine allowed.
public struct ClockSample: Sendable, Equatable {
    /// CLOCK_MONOTONIC, nanoseconds.
    public var monotonic: Int64
    /// CLOCK_REALTIME, nanoseconds since 1970-01-01 UTC.
    public var realtime: Int64
    /// Half the time the reading took, nanoseconds.
    public var uncertainty: Int64?
    /// Where CLOCK_REALTIME was set since the sample before: by how much, nanoseconds.
    public var step: Int64?
    /// How much of the step is time that the host was suspended, nanoseconds: CLOCK_MONOTONIC stands still meanwhile.
    public var suspended: Int64?
    public init(monotonic: Int64, realtime: Int64, uncertainty: Int64?, step: Int64? = nil, suspended: Int64? = nil) {
        self.monotonic = monotonic
        self.realtime = realtime
        self.uncertainty = uncertainty
        self.step = step
        self.suspended = suspended
    }
}

/// When recording began or ended, CLOCK_MONOTONIC in nanoseconds.
public struct RecordingTimes: Sendable, Equatable {
    /// All hooks were attached, or the first of them was about to be detached.
    public var hooks: Int64?
    /// All interfaces were open, or the first of them took no more packets.
    public var capture: Int64?
    public init(hooks: Int64?, capture: Int64?) {
        self.hooks = hooks
        self.capture = capture
    }
}

/// Events that were not recorded, and where they were lost.
public struct Loss: Sendable, Equatable {
    /// When it was counted, CLOCK_MONOTONIC in nanoseconds.
    public var monotonic: Int64
    /// `ring`: the ring buffer was full. `recursion`: the hook was interrupted by itself. `file`: they were in a file that
    /// was deleted.
    public var place: String
    public var count: Int
    public init(monotonic: Int64, place: String, count: Int) {
        self.monotonic = monotonic
        self.place = place
        self.count = count
    }
}

/// The last line of a recording, without which its recorder was killed or still runs.
public struct RecordingFooter: Sendable, Equatable {
    /// When the recording ended, CLOCK_MONOTONIC in nanoseconds.
    public var monotonic: Int64
    /// `emit`, `decide`, `receive` and `fail` events that were written.
    public var events: Int
    /// Events that were not recorded, of all places.
    public var lost: Int
    /// Packets written to the capture.
    public var captured: Int
    /// Packets that libpcap says the kernel or the device dropped.
    public var kernelDropped: Int
    /// How many ends of connections may have been forgotten before their time, since there were more; nil if none.
    public var endingsLost: Int?
    /// Why the recorder could not record all that it was asked to: a full disk, an interface that vanished.
    public var failure: String?
    /// Until when everything was recorded; nil if the recorder does not say.
    public var until: RecordingTimes?
    public init(monotonic: Int64, events: Int, lost: Int, captured: Int, kernelDropped: Int) {
        self.monotonic = monotonic
        self.events = events
        self.lost = lost
        self.captured = captured
        self.kernelDropped = kernelDropped
    }
}

/// A line that could not be read.
public struct LineDamage: Sendable, Equatable {
    /// 1-based.
    public var line: Int
    /// Where the line begins in the file, bytes.
    public var offset: Int
    public var problem: String
    public init(line: Int, offset: Int, problem: String) {
        self.line = line
        self.offset = offset
        self.problem = problem
    }
}

extension RecordingHeader {
    /// Whether the events show what every answer's segment met: `tcp_send_reset` does from Linux 6.10 on, before that it
    /// takes the entries of the functions that answer.
    public var reportsSocketlessResets: Bool {
        let attached = hooks.filter { $0.status == "attached" }
        if attached.contains(where: { $0.name == ResetEvent.decideHook && $0.reason == true }) { return true }
        return Set(attached.map(\.name)).isSuperset(of: ResetEvent.entryHooks + [ResetEvent.decideHook])
    }
}

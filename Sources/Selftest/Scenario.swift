public import Laboratory
public import NetworkTypes

/// One way to provoke resets on the running kernel, with what is known about each of them.
public struct Scenario: Sendable {
    /// A word for the command line: `closed-port`.
    public let id: String
    /// One sentence for people: what happens, and what is tricky about it.
    public let summary: String
    public let ipVersions: [IPVersion]
    public let needs: [Requirement]
    public let topology: Topology
    /// Whether some of its resets pass only `lo`.
    public let capturesLoopback: Bool
    /// Creates what must be older than the recorder.
    let before: (@Sendable (Lab) throws -> PreparedSockets)?
    let provoke: @Sendable (Lab) throws -> [ExpectedReset]

    init(
        _ id: String, _ summary: String, on topology: Topology = .pair, ipVersions: [IPVersion] = IPVersion.allCases,
        needs: [Requirement] = [], capturesLoopback: Bool = false,
        before: (@Sendable (Lab) throws -> PreparedSockets)? = nil,
        provoke: @escaping @Sendable (Lab) throws -> [ExpectedReset]
    ) {
        self.id = id
        self.summary = summary
        self.topology = topology
        self.ipVersions = ipVersions
        self.needs = needs
        self.capturesLoopback = capturesLoopback
        self.before = before
        self.provoke = provoke
    }

    /// Why this machine cannot run the scenario; nil if no obstacle is known.
    ///
    /// `run` may still find that the kernel lacks something, and then throws `LabError.unsupported`.
    public func obstacle(allowing hostWide: Bool = false) -> String? {
        for need in needs {
            if case .hostWideSetting = need, hostWide { continue }
            if let obstacle = need.obstacle { return obstacle }
        }
        return nil
    }

    /// Whether resets of any other laboratory on this machine may come out differently while this one runs.
    var changesHostSettings: Bool {
        needs.contains { if case .hostWideSetting = $0 { true } else { false } }
    }

    /// Creates the sockets that must be older than the recorder. `run` does this if it has not been done.
    public func prepare(in lab: Lab) throws {
        if lab.prepared == nil, let before { lab.prepared = try before(lab) }
    }

    /// Provokes the scenario in a lab that was built for it, and returns every reset that it caused, in no particular order.
    ///
    /// When it returns, all of them have been sent. Throws `LabError.unsupported` if the kernel lacks something needed.
    public func run(in lab: Lab) throws -> [ExpectedReset] {
        try prepare(in: lab)
        return try provoke(lab)
    }
}

/// A reset that a scenario caused, and what a correct report says about it.
public struct ExpectedReset: Sendable, Hashable {
    public enum Outcome: String, Sendable {
        /// A kernel event and packets.
        case matched
        /// The kernel decided to reset, but no packet was sent.
        case kernelOnly = "kernel-only"
        /// On the wire, but bypassing every hook.
        case wireOnly = "wire-only"
    }

    public enum ProcessRole: String, Sendable {
        case owner, killer
        /// Ended the connection earlier.
        case closer
        /// No process may be named.
        case none
    }

    /// How a connection had ended before one of its segments was answered with a RST.
    public struct ConnectionEnd: Sendable, Hashable {
        /// A word from events.jsonl, such as `close` or `timeout`.
        public var how: String
        /// The process that ended it, and its name.
        public var pid: Int32?
        public var comm: String?
        /// The owner, if no process here ended the connection or another one did.
        public var owner: Int32?
        public var signal: UInt8?
        public var errno: UInt16?
        /// Milliseconds: the least time without data, and since the end, that the report may state.
        public var leastIdle: Int64 = 0
        public var leastAge: UInt64 = 0

        init(_ how: String, adjust: (inout ConnectionEnd) -> Void = { _ in }) {
            self.how = how
            adjust(&self)
        }
    }

    /// The end that a reset came to, by what its program got from its own system call.
    public struct Receiver: Sendable, Hashable {
        public var pid: Int32
        public var state: TCPState
        /// Nil if no program has the socket any more.
        public var errno: Int32?
        /// `call`, `poll`, `none`; nil for any.
        public var waiting: String?
        /// Bytes; nil for any number.
        public var unacknowledged: UInt32?
        public var unread: UInt32?

        init(_ pid: Int32, _ state: TCPState, errno: Int32?, adjust: (inout Receiver) -> Void = { _ in }) {
            self.pid = pid
            self.state = state
            self.errno = errno
            adjust(&self)
        }
    }

    /// What an ICMP error ends, by what the program got from its own system call.
    public struct Refusal: Sendable, Hashable {
        public var pid: Int32
        public var errno: Int32
        public var type: UInt8
        public var code: UInt8
        public var sender: IPAddress
    }

    /// Why a reset has no effect where it comes to.
    public struct Ignored: Sendable, Hashable {
        /// The kernel's reasons to drop it, one of which is right.
        public var reasons: [String]
        /// Whose socket it came to, which kernels tell from 6.11 on; nil if there was none.
        public var pid: Int32?

        init(_ reasons: [String], pid: Int32? = nil) {
            self.reasons = reasons
            self.pid = pid
        }

        /// The kernels that report it: those with TCP's drop reasons.
        public static let since = KernelVersion(5, 19)
        public static let ownerSince = KernelVersion(6, 11)
    }

    /// How the application released the socket, as the frames below `__fput` show.
    public enum Ending: String, Sendable { case close, exit, kill }

    /// At the origin: before any translation on the way.
    public var tuple: FourTuple
    /// A word of the catalogue of causes.
    public var cause: String
    /// Causes that are also right on kernels that cannot distinguish them; the scenario's summary says which.
    public var alternatives: [String] = []
    /// The first kernel whose events prove it. On older ones the report may give the same cause as inferred, or `unknown`.
    public var provenSince: KernelVersion?
    /// No kernel reports enough to prove it.
    public var isNeverProven = false
    public var outcome: Outcome = .matched
    /// The netfilter hook that rejected: INGRESS, PREROUTING, INPUT, FORWARD or OUTPUT; BRIDGE for the bridge family.
    public var netfilterHook: String?
    /// Words from the rules that may have rejected it; the report is certain of a single rule, unless it was read only later.
    public var rules: [String]?
    public var rulesAreRead = true
    public var ending: Ending?
    /// The kernel's reason (since 6.12 for a socket's own reset, since 6.10 for an answer), without its prefix.
    public var reason: String?
    /// The state of the socket before the reset.
    public var state: TCPState?
    public var role: ProcessRole = .none
    /// The owner or killer.
    public var pid: Int32?
    /// The owner, where `pid` is the killer.
    public var owner: Int32?
    /// The name of the process with `pid`, and of the thread that acted if that has a different name.
    public var comm: String?
    public var thread: String?
    /// Words that the report's sentence must contain.
    public var sentence: String?
    /// How the connection had ended earlier.
    public var end: ConnectionEnd?
    /// Who received it.
    public var receiver: Receiver?
    /// It has no effect where it comes to.
    public var ignored: Ignored?
    /// It is no reset, but an ICMP error that ends a connection of the tuple's source.
    public var refusal: Refusal?
    /// Words that one of the report's facts must contain.
    public var fact: String?
    /// The first kernel that reports it; nil for all.
    public var factSince: KernelVersion?
    /// Words that its sentence must contain, from `factSince` on.
    public var words: String?
    /// The cgroup of the socket.
    public var cgroup: String?
    /// Decided outside the owner's context: a report that names no process is also right.
    public var processIsOptional = false
    /// Processes that may run while the reset is sent and must never be named.
    public var bystanders: [Int32] = []
    /// The inode number of the network namespace that sent it.
    public var netns: UInt32
    /// The same reset after address translation.
    public var alsoSeenAs: [FourTuple] = []

    /// The four-tuple that TCP decided on, if the sending host translates addresses.
    public var untranslated: FourTuple?

    /// Whether the running kernel's events prove the cause; if not, a report must not claim so.
    public var isProven: Bool {
        guard outcome != .wireOnly else { return false }
        guard let provenSince, let running = KernelVersion.running else { return true }
        return running >= provenSince
    }

    init(_ tuple: FourTuple, _ cause: String, at node: Node, adjust: (inout ExpectedReset) -> Void = { _ in }) {
        self.tuple = tuple
        self.cause = cause
        netns = node.netns
        adjust(&self)
    }
}

extension Lab {
    /// Builds the namespaces and returns when packets pass between them, or throws and leaves nothing behind.
    public convenience init(for scenario: Scenario, ipVersion: IPVersion, actor: ActorCommand = .thisProgram) throws {
        try self.init(
            topology: scenario.topology, ipVersion: ipVersion, capturingLoopback: scenario.capturesLoopback,
            changesHostSettings: scenario.changesHostSettings, actor: actor)
    }
}

public import Laboratory
public import NetworkTypes

/// One way to provoke resets on the running kernel, with what is known about each of them.
public struct Scenario: Sendable {
    /// A word for the command line: `closed-port`.
    public let id: String
    /// One sentence for a person: what happens, and which trap it holds.
    public let summary: String
    public let ipVersions: [IPVersion]
    public let needs: [Requirement]
    public let topology: Topology
    /// Some of its resets pass only `lo`.
    public let capturesLoopback: Bool
    /// Makes what must be older than the recorder.
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

    /// Why this machine cannot run the scenario; nil if nothing is known to stand in the way.
    ///
    /// `run` can still find out that the kernel lacks something, and throws `LabError.unsupported` then.
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

    /// Makes the sockets that the scenario wants to be older than the recorder. `run` does it if nobody did before.
    public func prepare(in lab: Lab) throws {
        if lab.prepared == nil, let before { lab.prepared = try before(lab) }
    }

    /// Provokes the scenario in a lab that was built for it, and returns every reset that it caused, in no set order.
    ///
    /// When it returns, each of them has been sent. Throws `LabError.unsupported` where the kernel lacks what it
    /// takes.
    public func run(in lab: Lab) throws -> [ExpectedReset] {
        try prepare(in: lab)
        return try provoke(lab)
    }
}

/// A reset that a scenario caused, and what a truthful report says about it.
public struct ExpectedReset: Sendable, Hashable {
    public enum Outcome: String, Sendable {
        /// A kernel event and packets.
        case matched
        /// The kernel decided to reset and no packet came of it.
        case kernelOnly = "kernel-only"
        /// On the wire, sent past every hook.
        case wireOnly = "wire-only"
    }

    public enum ProcessRole: String, Sendable {
        case owner, killer
        /// Ended the connection before.
        case closer
        /// No process may be named.
        case none
    }

    /// How a connection had ended before one of its segments was answered with a RST.
    public struct ConnectionEnd: Sendable, Hashable {
        /// A word of events.jsonl: `close`, `timeout`.
        public var how: String
        /// Who ended it, and that process's name.
        public var pid: Int32?
        public var comm: String?
        /// Whose it was, where nobody here ended it or somebody else did.
        public var owner: Int32?
        public var signal: UInt8?
        public var errno: UInt16?
        /// Milliseconds: no less may be said to have passed without data, and no less since the end.
        public var leastIdle: Int64 = 0
        public var leastAge: UInt64 = 0

        init(_ how: String, adjust: (inout ConnectionEnd) -> Void = { _ in }) {
            self.how = how
            adjust(&self)
        }
    }

    /// How the application let go of the socket, as the frames under `__fput` tell.
    public enum Ending: String, Sendable { case close, exit, kill }

    /// At the origin: before any translation on the way.
    public var tuple: FourTuple
    /// A word of the catalogue of causes.
    public var cause: String
    /// Words that are also right on kernels that cannot tell the difference; the summary of the scenario says which.
    public var alternatives: [String] = []
    /// The first kernel whose events prove it. Before, the report may give the same cause as inferred, or `unknown`.
    public var provenSince: KernelVersion?
    /// No kernel tells enough to prove it.
    public var isNeverProven = false
    public var outcome: Outcome = .matched
    /// The netfilter hook that rejected: INGRESS, PREROUTING, INPUT, FORWARD or OUTPUT; BRIDGE for the bridge family.
    public var netfilterHook: String?
    /// Words of the rules that can have rejected it; of one alone the report is certain, unless it was read afterwards only.
    public var rules: [String]?
    public var rulesAreRead = true
    public var ending: Ending?
    /// The kernel's reason (from 6.12 for a reset of a socket's own, from 6.10 for an answer), without its prefix.
    public var reason: String?
    /// The state of the socket before the reset.
    public var state: TCPState?
    public var role: ProcessRole = .none
    /// The owner or killer.
    public var pid: Int32?
    /// The owner, where `pid` is the killer.
    public var owner: Int32?
    /// The name of the process with `pid`, and of the thread that acted where it has another one.
    public var comm: String?
    public var thread: String?
    /// Words that the report's sentence must contain.
    public var sentence: String?
    /// How the connection had ended before.
    public var end: ConnectionEnd?
    /// Words that one of the report's facts must contain.
    public var fact: String?
    /// The first kernel that tells it; nil for all.
    public var factSince: KernelVersion?
    /// Words that its sentence must contain, from `factSince` on.
    public var words: String?
    /// The cgroup of the socket.
    public var cgroup: String?
    /// Decided outside the owner's context: a report that names no process is right too.
    public var processIsOptional = false
    /// Processes that may run while the reset is sent and must never be named.
    public var bystanders: [Int32] = []
    /// The inode number of the network namespace that sent it.
    public var netns: UInt32
    /// The same reset behind a translation of addresses.
    public var alsoSeenAs: [FourTuple] = []

    /// As TCP decided on it, where the host that sends it translates addresses.
    public var untranslated: FourTuple?

    /// Whether the events of the running kernel prove the cause; if not, a report must not say so.
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

/// RSTs that one sentence explains: they share the cause, the certainty and the candidates, and the service or the program
/// that a person would look at.
public struct Answer: Sendable, Equatable {
    public var cause: Cause
    public var certainty: Certainty
    /// See `Reset.candidates`.
    public var candidates: [Cause]
    public var count: Int
    /// How many of them follow from an earlier RST of their connection.
    public var followUps: Int
    /// What they amount to together.
    public var pattern: Pattern?
    /// Their direction; nil if they differ.
    public var direction: Direction?
    public var sender: Sender
    /// The ends that were connected to, and those that connected.
    public var services: EndpointSummary
    public var clients: EndpointSummary
    /// Which of the two sent the RSTs.
    public var sentBy: ServiceEnd
    /// Nanoseconds since 1970-01-01 UTC, of those with a wall clock; nil if none has one.
    public var first: Int64?
    public var last: Int64?
    /// How many came in each of several equal parts of the report's time span; empty without such a span.
    public var timeline: [Int]
    /// The ID of the first of them.
    public var example: Int
    /// What to do about all of them, where the evidence says more than the catalogue; nil where it differs.
    public var ownAdvice: Advice?

    /// One sentence: what happened, worded as a guess where it is not proven; nil for a cause without a rule.
    public var meaning: String? {
        let rule = Catalogue.rule(for: cause)
        guard certainty == .proven else { return rule?.guess }
        if case .processEnded(let isKilled, let signal)? = ownAdvice,
            let sentence = Catalogue.rule(for: cause)?.meaning(isKilled: isKilled, signal: signal)
        {
            return sentence
        }
        return rule?.meaning
    }

    /// What to do about it; nil for a cause without a rule.
    public var advice: String? { ownAdvice?.sentence ?? Catalogue.rule(for: cause)?.advice }

    /// What a person fixes.
    public enum Pattern: Sendable, Equatable {
        /// One host tried many ports or hosts.
        case scan(ports: Int, hosts: Int)
        /// A service went down and came back this many times.
        case crashLoop(times: Int)
        /// A service refused all connections.
        case deadBackend
        /// Connections at regular intervals, nanoseconds.
        case healthCheck(every: UInt64)
        /// `count` of them came after the same silence (nanoseconds), within 5 %.
        case idleLimit(silence: UInt64, count: Int)

        /// The word in the JSON report.
        public var word: String {
            switch self {
            case .scan: "scan"
            case .crashLoop: "crash-loop"
            case .deadBackend: "dead-backend"
            case .healthCheck: "health-check"
            case .idleLimit: "idle-limit"
            }
        }
    }

    /// Which process caused them, as far as known.
    public struct Sender: Sendable, Equatable {
        /// Nil if no process was involved, or none is known.
        public var name: String?
        public var role: Reset.Process.Role?
        /// How many distinct processes, and the PID if there is only one.
        public var processes: Int
        public var pid: Int32?
        /// The owner of the sockets, if `name` is their killer.
        public var owner: String?
        public var location: Reset.Location?
    }

    /// The ends of one side.
    public struct EndpointSummary: Sendable, Equatable {
        /// Number of distinct addresses, and of distinct addresses with ports.
        public var addresses: Int
        public var ends: Int
        /// The most frequent addresses, at most `Finding.keptEndpoints`.
        public var top: [Finding.EndpointCount]
        /// The port, if it is the same in all of them.
        public var port: UInt16?
    }
}

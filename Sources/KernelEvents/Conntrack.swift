import JSONText
public import NetworkTypes

extension ResetEvent {
    /// What connection tracking had of the segment that provoked a reset, in the network namespace where it came in.
    public struct Conntrack: Sendable, Equatable {
        public enum Segment: String, Sendable {
            /// It belonged to an entry: one that was there, or a new one.
            case tracked
            /// A rule exempted it (`notrack`).
            case untracked
            /// It had no entry. Where conntrack is at work that is what netfilter calls INVALID.
            case none
        }

        /// Whether conntrack examines everything that arrives there (its hook is registered); nil if not recorded.
        public var isAtWork: Bool?
        /// Nil if the kernel had taken the entry off the segment before the hook.
        public var segment: Segment?
        /// Of the entry: as the segments of the end that opened the connection came in.
        public var original: FourTuple?
        /// As the segments of the other end come in. Without translation it is the reverse of `original`.
        public var reply: FourTuple?
        /// The entry is not the segment's: the recorder found it in the table afterwards, by the segment's addresses.
        public var isLookedUp = false

        public init(isAtWork: Bool? = nil, segment: Segment? = nil) {
            self.isAtWork = isAtWork
            self.segment = segment
        }
    }
}

extension EventEncoder {
    mutating func append(conntrack: ResetEvent.Conntrack?) {
        guard let conntrack else { return }
        json.object(.conntrack) { json in
            json.member(.atWork, conntrack.isAtWork)
            json.member(.segment, conntrack.segment?.rawValue)
            if let original = conntrack.original { json.object(.original) { $0.members(original) } }
            if let reply = conntrack.reply { json.object(.reply) { $0.members(reply) } }
            json.mark(.lookedUp, conntrack.isLookedUp)
        }
    }
}

extension LineScanner {
    mutating func conntrack() throws(LineProblem) -> ResetEvent.Conntrack? {
        if try skipNull() { return nil }
        var conntrack = ResetEvent.Conntrack()
        try beginObject()
        var isFirst = true
        while let key = try nextKey(&isFirst) {
            switch key {
            case .atWork: conntrack.isAtWork = try boolean()
            case .segment: conntrack.segment = try string().flatMap(ResetEvent.Conntrack.Segment.init)
            case .original: conntrack.original = try ends()
            case .reply: conntrack.reply = try ends()
            case .lookedUp: conntrack.isLookedUp = try boolean() ?? false
            default: try skipValue()
            }
        }
        return conntrack
    }

    private mutating func ends() throws(LineProblem) -> FourTuple? {
        if try skipNull() { return nil }
        var source: IPAddress?
        var destination: IPAddress?
        var sourcePort: UInt16?
        var destinationPort: UInt16?
        try beginObject()
        var isFirst = true
        while let key = try nextKey(&isFirst) {
            switch key {
            case .src: source = try address()
            case .dst: destination = try address()
            case .sport: sourcePort = try integer()
            case .dport: destinationPort = try integer()
            default: try skipValue()
            }
        }
        guard let source, let destination, let sourcePort, let destinationPort else { return nil }
        return FourTuple(
            source: source, sourcePort: sourcePort, destination: destination, destinationPort: destinationPort)
    }
}

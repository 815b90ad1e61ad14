public import NetworkTypes

/// The RSTs of a report in the order of time. Of each as much is kept as a list or a count needs; the entry with all its
/// evidence is made when it is asked for, so that a million of them need not be in memory at once.
public struct ResetList: Sendable, RandomAccessCollection {
    /// What a line about a RST needs.
    public struct Head: Sendable, Equatable {
        /// See `Reset`.
        public let id: Int
        public let time: Int64
        public let tuple: FourTuple
        public let cause: Cause
        public let certainty: Certainty
        public let outcome: Outcome
        public let hasWallClock: Bool
        /// The RST refuses a connection in which no data was sent: what a scanner gets for an answer.
        let turnsAway: Bool
    }

    /// Of each RST, in the order of time.
    public private(set) var heads: [Head]
    private let source: Source

    /// A class, so that all processors may ask it without a copy of it.
    private final class Source: Sendable {
        let assembly: ResetAssembly?
        /// What the entries are made of, by their ids less one.
        let groups: ResetGroups
        /// Entries that exist already, by their ids.
        let made: [Int: Reset]

        init(_ assembly: ResetAssembly?, _ groups: ResetGroups, made: [Int: Reset] = [:]) {
            self.assembly = assembly
            self.groups = groups
            self.made = made
        }
    }

    /// A list of entries that exist already.
    public init(_ resets: [Reset]) {
        heads = resets.map(Head.init)
        source = Source(nil, ResetGroups([]), made: Dictionary(resets.map { ($0.id, $0) }) { first, _ in first })
    }

    init(_ groups: ResetGroups, _ assembly: ResetAssembly) {
        heads = groups.indices.concurrentMap { assembly.head(of: groups[$0], id: $0 + 1) }
        source = Source(assembly, groups)
    }

    public var startIndex: Int { 0 }
    public var endIndex: Int { heads.count }

    /// Makes the entry.
    public subscript(position: Int) -> Reset {
        let head = heads[position]
        guard let assembly = source.assembly else { return source.made[head.id]! }
        return assembly.reset(head, of: source.groups[head.id - 1])
    }

    /// Leaves out what is not wanted; the others keep their ids.
    public mutating func keep(where isWanted: (Head) -> Bool) { heads.removeAll { !isWanted($0) } }

    /// The head of the RST with that id; nil if it was left out.
    public func head(id: Int) -> Head? {
        // Ids ascend, and are their places unless some were left out.
        let place = heads.firstPlace { $0.id < id }
        return place < heads.count && heads[place].id == id ? heads[place] : nil
    }
}

extension ResetList.Head {
    init(_ reset: Reset) {
        let isEmpty = reset.flow.map { $0.sender.bytes == 0 && $0.receiver.bytes == 0 } ?? true
        self.init(
            id: reset.id, time: reset.time, tuple: reset.tuple, cause: reset.cause, certainty: reset.certainty,
            outcome: reset.outcome, hasWallClock: reset.hasWallClock, turnsAway: reset.cause.turnsAway && isEmpty)
    }
}

extension Cause {
    /// Whether it is an answer to somebody who was not expected.
    var turnsAway: Bool {
        switch self {
        case .closedPort, .connectionRefused, .netfilterReject, .straySegment, .staleConnection,
            .staleConnectionAtListener:
            true
        default: false
        }
    }
}

/// The observations of each RST, in the order of time.
struct ResetGroups: Sendable {
    private var references: [Reference] = []
    /// Where the observations of each RST end in `references`.
    private var ends: [Int] = []

    init(_ groups: some Collection<FewReferences>) {
        ends.reserveCapacity(groups.count)
        references.reserveCapacity(groups.count)
        for group in groups {
            references.append(contentsOf: group)
            ends.append(references.count)
        }
    }

    var indices: Range<Int> { ends.indices }

    subscript(index: Int) -> ArraySlice<Reference> { references[(index == 0 ? 0 : ends[index - 1])..<ends[index]] }
}

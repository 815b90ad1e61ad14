import NetworkTypes

/// The RSTs of a report in the order of time. Of each as much is kept as a list or a count needs; the entry with all its
/// evidence is made when it is asked for, so that a million of them need not be in memory at once.
public struct ResetList: Sendable, RandomAccessCollection {
    /// Of each RST, in the order of time.
    public private(set) var rows: [ResetRow]
    private let source: Source
    /// What rows refer to by number.
    let attributions: [Attribution]
    /// Where RSTs were numbered anew: the ids that `source` knows them by.
    private var originalIDs: [Int: Int]?
    /// More may become known of these RSTs: what comes after them has not been read.
    private var isProvisional = false

    /// A class, so that all processors may ask it without a copy of it.
    private final class Source: Sendable {
        let builder: EntryBuilder?
        /// What the entries are made of, by their ids less one.
        let groups: ResetGroups
        /// Entries that exist already, by their ids.
        let made: [Int: Reset]
        /// What follows from another RST, by its id.
        let follows: [Int: Follow]
        let checks: [RegularCheck]

        init(
            _ builder: EntryBuilder?, _ groups: ResetGroups, follows: [Int: Follow] = [:],
            checks: [RegularCheck] = [], made: [Int: Reset] = [:]
        ) {
            self.checks = checks
            self.builder = builder
            self.groups = groups
            self.follows = follows
            self.made = made
        }
    }

    /// A list of entries that exist already.
    public init(_ resets: [Reset]) {
        var table = AttributionTable()
        rows = resets.map { reset in
            var row = ResetRow(reset)
            row.attribution = table.number(of: Attribution(reset))
            return row
        }
        attributions = table.all
        source = Source(nil, ResetGroups([]), made: Dictionary(resets.map { ($0.id, $0) }) { first, _ in first })
    }

    init(_ groups: ResetGroups, _ builder: EntryBuilder) {
        let size = 2048
        let pieces = (0..<(groups.indices.count + size - 1) / size).concurrentMap(inPiecesOf: 1) { piece in
            Piece(groups, piece * size..<Swift.min((piece + 1) * size, groups.indices.count), builder)
        }
        var table = AttributionTable()
        var rows: [ResetRow] = []
        rows.reserveCapacity(groups.indices.count)
        for piece in pieces {
            let numbers = piece.attributions.map { table.number(of: $0) }
            for var row in piece.rows {
                row.attribution = numbers[Int(row.attribution)]
                rows.append(row)
            }
        }
        let follows = builder.follows(rows, groups)
        for (id, follow) in follows { rows[id - 1].followed = Int32(truncatingIfNeeded: follow.id) }
        let checks = RegularCheck.all(in: rows)
        for (number, (_, places)) in checks.enumerated() {
            for place in places { rows[Int(place)].check = Int32(truncatingIfNeeded: number) }
        }
        self.rows = rows
        attributions = table.all
        source = Source(builder, groups, follows: follows, checks: checks.map(\.check))
    }

    /// As many as a processor makes at a time.
    private struct Piece: Sendable {
        private(set) var rows: [ResetRow] = []
        /// What these rows refer to.
        let attributions: [Attribution]

        init(_ groups: ResetGroups, _ range: Range<Int>, _ builder: EntryBuilder) {
            rows.reserveCapacity(range.count)
            var table = AttributionTable()
            for index in range {
                var (row, attribution) = builder.row(of: groups[index], id: index + 1)
                row.attribution = table.number(of: attribution)
                rows.append(row)
            }
            attributions = table.all
        }
    }

    /// Whom a RST is laid to.
    public func attribution(of row: ResetRow) -> Attribution { attributions[Int(row.attribution)] }

    public var startIndex: Int { 0 }
    public var endIndex: Int { rows.count }

    /// Makes the entry.
    public subscript(position: Int) -> Reset {
        let row = rows[position]
        let original = originalIDs?[row.id] ?? row.id
        guard let builder = source.builder else { return source.made[original]! }
        var reset = builder.entry(row, attributions[Int(row.attribution)], of: source.groups[original - 1])
        if row.followed != 0, let follow = source.follows[original] {
            reset.tell(of: Follow(id: Int(row.followed), cause: follow.cause, age: follow.age))
        }
        if row.check >= 0 { reset.tell(of: source.checks[Int(row.check)]) }
        if isProvisional, row.isOpen { reset.open = [Reset.senderGoesOn] }
        return reset
    }

    /// The segments around a RST; nil if no capture has any. Few readers want them: they are no part of the entry.
    public func ladder(at position: Int) -> Ladder? {
        let id = rows[position].id
        return source.builder?.ladder(of: source.groups[(originalIDs?[id] ?? id) - 1])
    }

    /// Of those with a wall clock, when the first and the last were, nanoseconds since 1970-01-01 UTC.
    public var span: (first: Int64, last: Int64)? { rows.wallClockSpan }

    /// Leaves out what is not wanted; the others keep their ids.
    mutating func keep(where isWanted: (ResetRow) -> Bool) { rows.removeAll { !isWanted($0) } }

    /// Some of the RSTs, each with another id.
    ///
    /// - Parameters:
    ///   - chosen: their places, in ascending order of the new ids.
    ///   - id: the new id of a place.
    ///   - isProvisional: what comes after them has not been read.
    func renumbered(_ chosen: [Int], isProvisional: Bool, id: (Int) -> Int) -> ResetList {
        var list = self
        var originals: [Int: Int] = [:]
        list.rows = chosen.map { place in
            var row = rows[place]
            originals[id(place)] = row.id
            row.id = id(place)
            // Ids are places of the whole list, plus one.
            if row.followed != 0 { row.followed = Int32(truncatingIfNeeded: id(Int(row.followed) - 1)) }
            return row
        }
        list.originalIDs = originals
        list.isProvisional = isProvisional
        return list
    }

    /// The entry of the RST with that id; nil if it was left out.
    public func entry(id: Int) -> Reset? {
        // Ids ascend, and are their places unless some were left out.
        let place = rows.firstPlace { $0.id < id }
        return place < rows.count && rows[place].id == id ? self[place] : nil
    }
}

extension Attribution {
    init(_ reset: Reset) {
        candidates = reset.candidates
        process = reset.process
        owner = reset.owner
        receiver = reset.receiver?.process
        isIgnored = reset.receiver?.isIgnored == true
        location = reset.location
        advice = reset.advice.map(Advice.text)
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

import KernelEvents

/// How many RSTs of each kind a report has.
public struct ResetKinds: Sendable, Equatable {
    var counts: [ResetKind: Int] = [:]

    public init(_ resets: ResetList) {
        for reset in resets { counts[ResetKind(reset), default: 0] += 1 }
    }

    /// From a document `rst-report/1`.
    ///
    /// - Parameter json: untrusted. Throws what is wrong with it.
    public init(json: [UInt8]) throws(NotAReport) {
        guard let document = JSONValue(json) else { throw NotAReport(problem: "it is not JSON, or is cut short") }
        guard let schema = document["schema"]?.string, case .array(let entries)? = document["resets"] else {
            throw NotAReport(problem: "it is not a report of rst-analyze (report --format json)")
        }
        guard schema == "rst-report/1" else { throw NotAReport(problem: "its schema is not rst-report/1") }
        for (number, entry) in entries.enumerated() {
            guard let kind = ResetKind(entry) else {
                throw NotAReport(problem: "its reset number \(number + 1) lacks an address, a port or the cause")
            }
            counts[kind, default: 0] += 1
        }
    }

    public struct NotAReport: Error, Equatable {
        public var problem: String
    }
}

/// What is different between two reports at one place.
public struct ReportDifference: Sendable, Equatable {
    public enum Change: String, Sendable { case appeared, vanished, changed }

    public var change: Change
    public var place: ResetKind.Place
    /// Empty where nothing was there.
    public var before: [Counted]
    public var after: [Counted]

    /// RSTs of one kind.
    public struct Counted: Sendable, Equatable, CustomStringConvertible {
        public var kind: ResetKind
        public var count: Int

        public var description: String {
            "\(count) \(kind.cause), \(kind.certainty)\(kind.process.map { " (\($0))" } ?? "")"
        }
    }

    /// Sorted by change, then by place.
    public static func between(_ before: ResetKinds, _ after: ResetKinds) -> [ReportDifference] {
        let (old, new) = (byPlace(before), byPlace(after))
        return Set(old.keys).union(new.keys).compactMap { place -> ReportDifference? in
            let (then, now) = (old[place] ?? [], new[place] ?? [])
            guard then != now else { return nil }
            let change: Change = then.isEmpty ? .appeared : now.isEmpty ? .vanished : .changed
            return ReportDifference(change: change, place: place, before: then, after: now)
        }.sorted { ($0.change.rawValue, $0.place.description) < ($1.change.rawValue, $1.place.description) }
    }

    private static func byPlace(_ kinds: ResetKinds) -> [ResetKind.Place: [Counted]] {
        Dictionary(grouping: kinds.counts.map { Counted(kind: $0.key, count: $0.value) }, by: \.kind.place)
            .mapValues { $0.sorted { $0.description < $1.description } }
    }
}

extension ReportDifference: CustomStringConvertible {
    /// `changed: 10.0.0.1:80 > 10.0.0.2: 3 closed-port, proven, previously 5 closed-port, proven`.
    public var description: String {
        func list(_ counted: [Counted]) -> String { counted.map(\.description).joined(separator: "; ") }
        let what =
            switch change {
            case .appeared: list(after)
            case .vanished: list(before)
            case .changed: "\(list(after)), previously \(list(before))"
            }
        return "\(change.rawValue): \(place): \(what)"
    }
}

import Correlator
import NetworkTypes

/// Which RSTs of a flood have a line of their own, and how many of a kind the others are: in each second the first few of a kind
/// are shown, and the others counted.
struct FloodMerge {
    /// What is counted together.
    struct Kind: Hashable {
        let cause: Cause
        let certainty: Certainty
        let direction: Direction
        /// Address and port of the service, and whether it sent the RST; nil where there are too many services.
        let service: Service?
        let process: Reset.Process?
        let isCorrection: Bool

        struct Service: Hashable {
            let address: IPAddress
            let port: UInt16
            let isSource: Bool
        }
    }

    /// RSTs of one kind that had no line.
    struct More {
        let kind: Kind
        /// The first of them.
        let reset: Reset
        private(set) var count = 1
        /// When the first and the last were, nanoseconds.
        private(set) var first: Int64
        private(set) var last: Int64
        /// What all of them have in common.
        private(set) var hasOneSource = true
        private(set) var hasOneSourcePort = true
        private(set) var hasOneDestination = true
        private(set) var hasOneDestinationPort = true
        private(set) var hasOneLocation = true

        init(_ kind: Kind, _ reset: Reset) {
            self.kind = kind
            self.reset = reset
            (first, last) = (reset.time, reset.time)
        }

        mutating func add(_ row: ResetRow, _ attribution: Attribution) {
            count += 1
            (first, last) = (min(first, row.time), max(last, row.time))
            hasOneSource = hasOneSource && row.tuple.source == reset.tuple.source
            hasOneSourcePort = hasOneSourcePort && row.tuple.sourcePort == reset.tuple.sourcePort
            hasOneDestination = hasOneDestination && row.tuple.destination == reset.tuple.destination
            hasOneDestinationPort = hasOneDestinationPort && row.tuple.destinationPort == reset.tuple.destinationPort
            hasOneLocation = hasOneLocation && attribution.location == reset.location
        }
    }

    private struct Count {
        let begun: Int64
        var shown = 0
        var more: More?
    }

    private let shownOfKind: Int
    private let shownInAll: Int
    private var counts: [Kind: Count] = [:]
    /// Kinds in the order in which they came.
    private var order: [Kind] = []
    private var second: (begun: Int64, shown: Int) = (.min, 0)

    /// Nanoseconds for which RSTs are counted together.
    static let interval: Int64 = 1_000_000_000
    /// Kinds that are told apart; a scan has as many as it asks ports.
    private static let mostKinds = 256

    /// - Parameters:
    ///   - shownOfKind: in a second.
    ///   - shownInAll: in a second, of all kinds.
    init(shownOfKind: Int, shownInAll: Int) {
        self.shownOfKind = shownOfKind
        self.shownInAll = shownInAll
    }

    /// - Parameter now: a steady clock, nanoseconds.
    /// - Returns: the places of those that are shown.
    mutating func shown(of resets: ResetList, isCorrection: Bool, at now: Int64) -> [Int] {
        if second.begun == .min || now - second.begun >= Self.interval { second = (now, 0) }
        var shown: [Int] = []
        for (place, row) in resets.rows.enumerated() {
            let attribution = resets.attribution(of: row)
            let kind = kind(row, attribution, isCorrection)
            if counts[kind] == nil {
                counts[kind] = Count(begun: now)
                order.append(kind)
            }
            if counts[kind]!.shown < shownOfKind, second.shown < shownInAll {
                counts[kind]!.shown += 1
                second.shown += 1
                shown.append(place)
            } else if counts[kind]!.more == nil {
                counts[kind]!.more = More(kind, resets[place])
            } else {
                counts[kind]!.more!.add(row, attribution)
            }
        }
        return shown
    }

    private func kind(_ row: ResetRow, _ attribution: Attribution, _ isCorrection: Bool) -> Kind {
        func kind(_ service: Kind.Service?, _ process: Reset.Process?) -> Kind {
            Kind(
                cause: row.cause, certainty: row.certainty, direction: row.direction, service: service,
                process: process, isCorrection: isCorrection)
        }
        let (address, port) = row.service.end(of: row.tuple)
        let own = kind(
            Kind.Service(address: address, port: port, isSource: row.service == .source), attribution.process)
        return counts[own] != nil || counts.count < Self.mostKinds ? own : kind(nil, nil)
    }

    /// What is complete by now.
    ///
    /// - Parameter now: nil at the end, for all of it.
    mutating func due(at now: Int64?) -> [More] {
        guard !order.isEmpty else { return [] }
        var due: [More] = []
        order.removeAll { kind in
            guard let count = counts[kind], now.map({ $0 - count.begun >= Self.interval }) ?? true else { return false }
            if let more = count.more { due.append(more) }
            counts[kind] = nil
            return true
        }
        return due
    }
}

import NetworkTypes
import Synchronization

/// The RSTs of a list, grouped by what a person would fix. Each RST is in one group.
///
/// Groups are made from rows, and few of them are examined more closely: an `Answer` is made only on request.
public struct AnswerGroups: Sendable {
    private let rows: [ResetRow]
    private let attributions: [Attribution]
    /// The groups' members, group by group, in order of time within each.
    private let places: [Int32]
    private var groups: [Group]
    private let sides = Sides()
    private let span: (first: Int64, last: Int64)?

    private struct Group: Sendable {
        var range: Range<Int>
        /// The first member.
        var first: Int32
        var pattern: Answer.Pattern?
        /// All of them follow from earlier RSTs of their connections.
        var isConsequence: Bool
        /// Groups with the same number are one finding.
        var problem: Int32
    }

    public init(_ list: ResetList) {
        let rows = list.rows
        let labels = Labels(list.attributions)
        let base = BaseGroups(rows, labels)
        let merged = base.merged(rows, labels)
        // Members in the order of their groups.
        var counts = [Int32](repeating: 0, count: merged.count)
        for group in base.groupOf { counts[Int(merged.groupOf[Int(group)])] += 1 }
        var ends: [Int] = []
        var sum = 0
        for count in counts {
            ends.append(sum)
            sum += Int(count)
        }
        var places = [Int32](repeating: 0, count: sum)
        for (place, group) in base.groupOf.enumerated() {
            let group = Int(merged.groupOf[Int(group)])
            places[ends[group]] = Int32(truncatingIfNeeded: place)
            ends[group] += 1
        }
        let finder = PatternFinder(rows, list.attributions, base)
        var groups = merged.indices.map { number in
            let range = ends[number] - Int(counts[number])..<ends[number]
            let members = Members(resets: rows, places: places[range])
            return Group(
                range: range, first: places[range.lowerBound],
                pattern: finder.pattern(of: members, merged.kinds[number]),
                isConsequence: members.rows.allSatisfy { $0.followed != 0 }, problem: merged.problems[number])
        }
        // A loop is one finding, however it ends connections.
        var loops: [Endpoint: Int32] = [:]
        for number in groups.indices {
            guard case .crashLoop = groups[number].pattern else { continue }
            let lead = rows[Int(groups[number].first)]
            let (address, port) = lead.service.end(of: lead.tuple)
            let problem = loops[Endpoint(address, port)] ?? groups[number].problem
            loops[Endpoint(address, port)] = problem
            groups[number].problem = problem
        }
        groups.sort {
            if $0.isConsequence != $1.isConsequence { return $1.isConsequence }
            return ($1.range.count, $0.first) < ($0.range.count, $1.first)
        }
        self.rows = rows
        self.attributions = list.attributions
        self.places = places
        self.groups = groups
        span = rows.wallClockSpan
    }

    /// The same groups in the requested order.
    func sorted(by order: AnswerOrder) -> AnswerGroups {
        var sorted = self
        switch order {
        case .count: break
        case .first: sorted.groups.sort { $0.first < $1.first }
        case .last: sorted.groups.sort { places[$0.range.upperBound - 1] > places[$1.range.upperBound - 1] }
        case .name:
            sorted.groups.sort {
                (rows[Int($0.first)].cause.rawValue, $1.range.count, $0.first)
                    < (rows[Int($1.first)].cause.rawValue, $0.range.count, $1.first)
            }
        }
        return sorted
    }

    public var count: Int { groups.count }

    /// How many RSTs the largest group has.
    public var largest: Int { groups.lazy.map(\.range.count).max() ?? 0 }

    /// How many RSTs are in a group; the largest groups come first, and after them those that only follow from others.
    public func count(of group: Int) -> Int { groups[group].range.count }

    public func hasPattern(_ group: Int) -> Bool { groups[group].pattern != nil }

    private func members(_ group: Int) -> Members { Members(resets: rows, places: places[groups[group].range]) }

    /// The places of a group's RSTs in the list.
    package func places(of group: Int) -> ArraySlice<Int32> { places[groups[group].range] }

    /// - Parameter slices: the number of equal parts of the report's time span, for the timeline.
    public func answer(_ number: Int, slices: Int = 0) -> Answer {
        let members = members(number)
        let lead = members[0]
        let attribution = attributions[Int(lead.attribution)]
        let (from, to) = sides.of(members)
        let ends = (Answer.EndpointSummary(from), Answer.EndpointSummary(to))
        let times = members.wallClockSpan
        return Answer(
            cause: lead.cause, certainty: lead.certainty, candidates: attribution.candidates, count: members.count,
            followUps: members.rows.lazy.filter { $0.followed != 0 }.count, pattern: groups[number].pattern,
            direction: members.common { $0.direction },
            sender: sender(members, attribution), services: lead.service == .source ? ends.0 : ends.1,
            clients: lead.service == .source ? ends.1 : ends.0, sentBy: lead.service, first: times?.first,
            last: times?.last, timeline: timeline(members, slices), example: lead.id, ownAdvice: commonAdvice(members))
    }

    /// The advice for all of them; nil if it differs.
    private func commonAdvice(_ members: Members) -> Advice? {
        var latest = members[0].attribution
        var common = attributions[Int(latest)].advice
        for row in members.rows where row.attribution != latest {
            guard let advice = common else { return nil }
            latest = row.attribution
            common = attributions[Int(latest)].advice.flatMap(advice.merged)
        }
        return common
    }

    private func sender(_ members: Members, _ attribution: Attribution) -> Answer.Sender {
        var pids: Set<Int32> = []
        for number in Set(members.rows.lazy.map(\.attribution)) {
            if let pid = attributions[Int(number)].process?.pid { pids.insert(pid) }
        }
        return Answer.Sender(
            name: attribution.process?.comm, role: attribution.process?.role, processes: pids.count,
            pid: pids.count == 1 ? pids.first : nil, owner: attribution.owner?.comm, location: attribution.location)
    }

    private func timeline(_ members: Members, _ slices: Int) -> [Int] {
        guard slices > 0, let span, span.last > span.first else { return [] }
        var counts = [Int](repeating: 0, count: slices)
        let whole = Double(span.last.distance(from: span.first))
        for number in 0..<members.count where members[number].hasWallClock {
            let part = Double(members[number].time.distance(from: span.first)) / whole
            counts[min(slices - 1, Int(part * Double(slices)))] += 1
        }
        return counts
    }

    // MARK: - Findings

    /// What at least three RSTs have in common, whatever their certainty and candidates are, the largest first.
    func findings() -> [Finding] {
        var byProblem: [Int32: [Int]] = [:]
        for (number, group) in groups.enumerated() { byProblem[group.problem, default: []].append(number) }
        var found: [Finding] = []
        for numbers in byProblem.values {
            let total = numbers.reduce(0) { $0 + groups[$1].range.count }
            guard total >= Finding.least else { continue }
            let (members, isGroup) = withWallClock(numbers)
            guard members.count >= Finding.least else { continue }
            let lead = groups[numbers[0]]
            found.append(
                Finding(
                    members, sides.of(members, isGroup: isGroup), pattern: lead.pattern,
                    name: attributions[Int(rows[Int(lead.first)].attribution)].process?.comm))
        }
        return found.sorted { ($1.count, $0.first, $0.example) < ($0.count, $1.first, $1.example) }
    }

    /// The RSTs of groups in order of time, without those whose time is unknown, and whether they are one whole group.
    private func withWallClock(_ numbers: [Int]) -> (Members, isGroup: Bool) {
        if let only = numbers.first, numbers.count == 1, members(only).rows.allSatisfy({ $0.hasWallClock }) {
            return (members(only), true)
        }
        var together = numbers.flatMap { places[groups[$0].range] }.filter { rows[Int($0)].hasWallClock }
        together.sort()
        return (Members(resets: rows, places: together[...]), false)
    }
}

/// The sides of large groups, each computed once: findings and answers use the same.
private final class Sides: Sendable {
    /// By the first RST of a group.
    private let known = Mutex<[Int32: (from: Side, to: Side)]>([:])
    /// Smaller groups are numerous, but quick to examine again.
    private static let leastKept = 1024

    /// - Parameter isGroup: these are all RSTs of one group.
    func of(_ members: Members, isGroup: Bool = true) -> (from: Side, to: Side) {
        func make() -> (from: Side, to: Side) {
            (Side(members, isSource: true), Side(members, isSource: false))
        }
        guard isGroup, members.count >= Self.leastKept, let first = members.places.first else { return make() }
        if let sides = known.withLock({ $0[first] }) { return sides }
        let sides = make()
        known.withLock { $0[first] = sides }
        return sides
    }
}

extension Answer.EndpointSummary {
    fileprivate init(_ side: Side) {
        self.init(addresses: side.addressCount, ends: side.endCount, top: side.top, port: side.port)
    }
}

extension [ResetRow] {
    /// The times of the first and the last one with a wall-clock time.
    var wallClockSpan: (first: Int64, last: Int64)? {
        guard let first = first(where: \.hasWallClock), let last = last(where: \.hasWallClock) else { return nil }
        return (first.time, last.time)
    }
}

import NetworkTypes

/// Recognises what the RSTs of a group amount to together.
struct PatternFinder {
    private let attributions: [Attribution]
    /// Services that go down and come back, and how often.
    private let loops: [Endpoint: Int]

    init(_ rows: [ResetRow], _ attributions: [Attribution], _ base: BaseGroups) {
        self.attributions = attributions
        loops = Self.loops(rows, base)
    }

    func pattern(of members: Members, _ kind: BaseGroups.Kind) -> Answer.Pattern? {
        let lead = members[0]
        if kind == .scanner {
            // The RSTs that a scanner sends itself go to what it scans.
            let side = Side(members, isSource: lead.service == .source)
            return .scan(ports: side.endCount, hosts: side.addressCount)
        }
        if lead.service == .source {
            let (address, port) = lead.service.end(of: lead.tuple)
            if kind != .host, let times = loops[Endpoint(address, port)] { return .crashLoop(times: times) }
            if let times = restarts(members) { return .crashLoop(times: times) }
        }
        guard members.count >= Finding.least else { return nil }
        if lead.cause == .idleTimeout || lead.silence != nil, let limit = idleLimit(members) { return limit }
        if lead.service == .destination, let interval = interval(members) { return .healthCheck(every: interval) }
        return kind == .service && lead.refuses && lead.service == .source ? .deadBackend : nil
    }

    // MARK: - Services that go down and come back

    /// How often a service must go down to count as a loop.
    private static let leastFalls = 3

    /// Services of which some RSTs show a connection, or its end, and then others that nobody listens any more.
    private static func loops(_ rows: [ResetRow], _ base: BaseGroups) -> [Endpoint: Int] {
        // Only a service with both is looked at.
        var kinds: [Endpoint: UInt8] = [:]
        for group in 0..<base.count {
            let row = rows[Int(base.firsts[group])]
            guard row.service == .source, let isUp = row.showsService else { continue }
            let (address, port) = row.service.end(of: row.tuple)
            kinds[Endpoint(address, port), default: 0] |= isUp ? 1 : 2
        }
        let suspects = kinds.filter { $0.value == 3 }
        guard !suspects.isEmpty else { return [:] }
        var lives: [Endpoint: Life] = [:]
        for row in rows where row.hasWallClock && row.service == .source {
            guard let isUp = row.showsService else { continue }
            let (address, port) = row.service.end(of: row.tuple)
            let end = Endpoint(address, port)
            if suspects[end] != nil { lives[end, default: Life()].note(isUp: isUp) }
        }
        return lives.compactMapValues(\.falls)
    }

    /// A service in the order of time.
    private struct Life {
        private var ups = 0
        private var downs = 0
        private var runs = 0
        private var changesToDown = 0
        private var wasUp: Bool?

        mutating func note(isUp: Bool) {
            if isUp { ups += 1 } else { downs += 1 }
            if wasUp != isUp { runs += 1 }
            if wasUp == true, !isUp { changesToDown += 1 }
            wasUp = isUp
        }

        /// How often it went down; nil if that is not often, or if both come in no order, as where two hosts share an address
        /// and one of them is down.
        var falls: Int? {
            guard changesToDown >= leastFalls else { return nil }
            // The runs that chance would make (Wald and Wolfowitz).
            let byChance = 2 * Double(ups) * Double(downs) / Double(ups + downs) + 1
            return Double(runs) < 0.6 * byChance ? changesToDown : nil
        }
    }

    /// One process after the other reset several connections, each only once it had replaced the one before.
    private func restarts(_ members: Members) -> Int? {
        guard members.count >= 2 * Self.leastFalls else { return nil }
        var seen: Set<Int32> = []
        var latest: Int32?
        for row in members.rows {
            guard let pid = attributions[Int(row.attribution)].process?.pid else { return nil }
            if pid == latest { continue }
            // One that comes back was not replaced.
            guard seen.insert(pid).inserted else { return nil }
            latest = pid
        }
        return seen.count >= Self.leastFalls && members.count >= 2 * seen.count ? seen.count : nil
    }

    // MARK: - Regular times

    private static let mostCompared = RegularCheck.mostCompared

    /// The most frequent silence before these RSTs, if it is one at all.
    private func idleLimit(_ members: Members) -> Answer.Pattern? {
        let silences = members.rows.lazy.compactMap(\.silence).filter { $0 >= WireEvidence.longSilence }
        let sorted = silences.prefix(Self.mostCompared).sorted()
        guard sorted.count >= Finding.least else { return nil }
        // The window of 5 % in both directions that holds most of them.
        var best = 0..<0
        var start = 0
        for end in sorted.indices {
            while Double(sorted[end]) > Double(sorted[start]) * 1.1 { start += 1 }
            if end + 1 - start > best.count { best = start..<end + 1 }
        }
        guard best.count >= Finding.least, best.count * 2 > sorted.count,
            best.count * 2 > min(members.count, Self.mostCompared)
        else { return nil }
        return .idleLimit(silence: sorted[best.lowerBound + best.count / 2], count: best.count)
    }

    /// The nanoseconds between RSTs of one client to one service, if they come regularly.
    private func interval(_ members: Members) -> UInt64? {
        let hasNoData = members.rows.prefix(Self.mostCompared).allSatisfy(\.hasNoData)
        var latest: [Pair: Int64] = [:]
        var gaps: [UInt64] = []
        for row in members.rows.prefix(Self.mostCompared) where row.hasWallClock {
            let (client, service) = (row.service.clientEnd(of: row.tuple), row.service.end(of: row.tuple))
            let pair = Pair(client: client.address, service: Endpoint(service.address, service.port))
            if let before = latest.updateValue(row.time, forKey: pair) {
                gaps.append(row.time.distance(from: before))
            }
        }
        return RegularCheck.interval(
            of: gaps, hasNoData: hasNoData,
            isAnswered: members.rows.prefix(Self.mostCompared).allSatisfy(\.isAnswered))
    }

    private struct Pair: Hashable {
        let client: IPAddress
        let service: Endpoint
    }
}

extension ResetRow {
    /// Whether a connection was refused.
    fileprivate var refuses: Bool { traits.contains(.refusesConnection) }

    /// Whether a RST of a service shows that it was there, or that it was not; nil if neither.
    fileprivate var showsService: Bool? { refuses ? false : traits.contains(.showsService) ? true : nil }
}

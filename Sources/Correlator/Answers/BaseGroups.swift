import NetworkTypes

/// RSTs of one service with one cause, certainty and label, or of one scanner.
struct BaseGroups: Sendable {
    /// By the place of a RST.
    private(set) var groupOf: [Int32]
    /// The first RST of each group.
    let firsts: [Int32]
    let counts: [Int32]
    private let scanners: Scanners

    init(_ rows: [ResetRow], _ labels: Labels) {
        let scanners = Scanners(rows)
        let buckets = KeyGroups(rows.count) { Key(rows[$0], labels, scanners) }
        groupOf = rows.indices.map { buckets.bucket(of: $0) }
        firsts = buckets.firsts
        counts = buckets.counts
        self.scanners = scanners
    }

    var count: Int { firsts.count }

    private struct Key: GroupingKey {
        let address: IPAddress
        let port: UInt16
        let isScan: Bool
        let service: ServiceEnd
        let cause: Cause
        let certainty: Certainty
        let label: Int32

        init(_ row: ResetRow, _ labels: Labels, _ scanners: Scanners) {
            if let scanner = scanners.scanner(of: row) {
                isScan = true
                address = scanner
                port = 0
            } else {
                isScan = false
                (address, port) = row.service.end(of: row.tuple)
            }
            service = row.service
            cause = row.cause
            certainty = row.certainty
            label = labels.number(of: row)
        }

        func hash(_ secret: SecretHash) -> UInt64 {
            secret.add(
                UInt64(UInt32(bitPattern: label)), to: secret.of(high: address.high, low: address.low, port: port))
        }
    }

    // MARK: - Groups of groups

    /// Groups merged because a person would fix them in one place.
    struct Merged: Sendable {
        /// By base group.
        var groupOf: [Int32]
        var count: Int
        var kinds: [Kind]
        /// Of each group, its finding.
        var problems: [Int32]
        var indices: Range<Int> { 0..<count }
    }

    /// What the members of a group have in common.
    enum Kind: UInt8, Sendable {
        case scanner
        /// One service, or one program at several addresses.
        case service, program
        /// One client and many services, or one host and many ports.
        case client, host
    }

    /// Fewer groups that share a client or a host are not merged.
    private static let leastMerged = 3

    func merged(_ rows: [ResetRow], _ labels: Labels) -> Merged {
        let isOneClient = oneClient(rows)
        var kinds = [Kind](repeating: .service, count: count)
        for group in 0..<count where scanners.scanner(of: rows[Int(firsts[group])]) != nil { kinds[group] = .scanner }
        // A merged group is represented by the first of its members.
        var leader = (0..<count).map { Int32(truncatingIfNeeded: $0) }
        func put(_ kind: Kind, atLeast least: Int, by key: @Sendable (Int) -> MergeKey?) {
            let buckets = KeyGroups(count, key: key).grouped()
            for bucket in buckets.indices where buckets[bucket].count >= least {
                let first = buckets[bucket].first ?? 0
                for group in buckets[bucket] {
                    leader[Int(group)] = first
                    kinds[Int(group)] = kind
                }
            }
        }
        let isScan = kinds.map { $0 == .scanner }
        put(.program, atLeast: 2) { group in
            let row = rows[Int(firsts[group])]
            guard !isScan[group], labels.isNamed(labels.number(of: row)) else { return nil }
            return MergeKey(row, labels, port: row.service.end(of: row.tuple).port)
        }
        var isFree = (0..<count).map { !isScan[$0] && !labels.isNamed(labels.number(of: rows[Int(firsts[$0])])) }
        put(.client, atLeast: Self.leastMerged) { [isFree] group in
            let row = rows[Int(firsts[group])]
            guard isFree[group], isOneClient[group] else { return nil }
            return MergeKey(
                row, labels, address: row.service.clientEnd(of: row.tuple).address,
                port: row.service.end(of: row.tuple).port)
        }
        // What is left and told one by one.
        func takeFree() {
            for group in 0..<count where kinds[group] != .service || counts[group] >= Finding.least {
                isFree[group] = false
            }
        }
        takeFree()
        put(.host, atLeast: Self.leastMerged) { [isFree] group in
            let row = rows[Int(firsts[group])]
            guard isFree[group] else { return nil }
            return MergeKey(row, labels, address: row.service.end(of: row.tuple).address)
        }
        takeFree()
        put(.client, atLeast: Self.leastMerged) { [isFree] group in
            let row = rows[Int(firsts[group])]
            guard isFree[group], isOneClient[group] else { return nil }
            return MergeKey(row, labels, address: row.service.clientEnd(of: row.tuple).address)
        }
        return numbered(rows, leader, kinds)
    }

    /// By group, whether all its RSTs have the same client.
    private func oneClient(_ rows: [ResetRow]) -> [Bool] {
        var isOne = [Bool](repeating: true, count: count)
        for (place, group) in groupOf.enumerated() {
            let (row, first) = (rows[place], rows[Int(firsts[Int(group)])])
            if row.service.clientEnd(of: row.tuple).address != first.service.clientEnd(of: first.tuple).address {
                isOne[Int(group)] = false
            }
        }
        return isOne
    }

    private struct MergeKey: GroupingKey {
        let address: IPAddress
        let port: UInt16
        let service: ServiceEnd
        let cause: Cause
        let certainty: Certainty
        let label: Int32

        init(
            _ row: ResetRow, _ labels: Labels, address: IPAddress = IPAddress(high: 0, low: 0), port: UInt16 = 0
        ) {
            self.address = address
            self.port = port
            service = row.service
            cause = row.cause
            certainty = row.certainty
            label = labels.number(of: row)
        }

        func hash(_ secret: SecretHash) -> UInt64 {
            secret.add(
                UInt64(UInt32(bitPattern: label)), to: secret.of(high: address.high, low: address.low, port: port))
        }
    }

    /// What a finding is about: the same place and cause.
    private struct Problem: GroupingKey {
        let kind: Kind
        let address: IPAddress
        let port: UInt16
        let service: ServiceEnd
        /// Nil for a scan, which is one problem whatever it met.
        let cause: Cause?

        func hash(_ secret: SecretHash) -> UInt64 { secret.of(high: address.high, low: address.low, port: port) }
    }

    private func numbered(_ rows: [ResetRow], _ leader: [Int32], _ kinds: [Kind]) -> Merged {
        var groupOf = [Int32](repeating: -1, count: count)
        var leaders: [Int] = []
        for group in 0..<count {
            // Leaders come before those they lead.
            if leader[group] == group {
                groupOf[group] = Int32(truncatingIfNeeded: leaders.count)
                leaders.append(group)
            } else {
                groupOf[group] = groupOf[Int(leader[group])]
            }
        }
        let problems = KeyGroups(leaders.count) { [leaders] number in
            let row = rows[Int(firsts[leaders[number]])]
            let kind = kinds[leaders[number]]
            let service = row.service.end(of: row.tuple)
            let client = row.service.clientEnd(of: row.tuple)
            switch kind {
            case .scanner:
                return Problem(
                    kind: kind, address: scanners.scanner(of: row) ?? client.address, port: 0, service: .source,
                    cause: nil)
            case .service, .program:
                return Problem(
                    kind: .service, address: service.address, port: service.port, service: row.service,
                    cause: row.cause)
            case .client:
                return Problem(
                    kind: kind, address: client.address, port: service.port, service: row.service, cause: row.cause)
            case .host:
                return Problem(
                    kind: kind, address: service.address, port: 0, service: row.service, cause: row.cause)
            }
        }
        return Merged(
            groupOf: groupOf, count: leaders.count, kinds: leaders.map { kinds[$0] },
            problems: leaders.indices.map { problems.bucket(of: $0) })
    }
}

import NetworkTypes

/// RSTs with which one client ends its connections to one service at regular intervals.
struct RegularCheck: Sendable, Equatable {
    /// RSTs of it, this one included.
    let count: Int
    /// Nanoseconds from one to the next.
    let interval: UInt64
    let hasNoData: Bool

    /// Of a large group, no more RSTs are looked at.
    static let mostCompared = 4096

    /// Nanoseconds: nobody checks more often.
    private static let shortestInterval: UInt64 = 100_000_000

    /// The nanoseconds between RSTs of one client to one service, if they come regularly.
    ///
    /// - Parameters:
    ///   - gaps: from one to the next, in nanoseconds.
    ///   - hasNoData: no connection had any.
    ///   - isAnswered: each connection had an answer to all that its client had asked.
    static func interval(of gaps: [UInt64], hasNoData: Bool, isAnswered: Bool) -> UInt64? {
        // With data they may be anything, and have to be as regular as only a program is; the fewer they are the more so.
        let (tolerance, share, least) =
            hasNoData ? gaps.count > 2 ? (0.2, 0.7, 2) : (0.05, 1, 2) : isAnswered ? (0.05, 0.9, 2) : (0.05, 0.9, 5)
        guard gaps.count >= least else { return nil }
        let sorted = gaps.sorted()
        let median = sorted[sorted.count / 2]
        guard median >= shortestInterval else { return nil }
        let near = sorted.count { abs(Double($0) - Double(median)) <= tolerance * Double(median) }
        return Double(near) >= share * Double(sorted.count) ? median : nil
    }

    /// Those in a list, each with the places of its RSTs.
    static func all(in rows: [ResetRow]) -> [(check: RegularCheck, places: ArraySlice<Int32>)] {
        guard rows.count(where: \.mayEndCheck) > 2 else { return [] }
        // Without the client's port, which is another one each time.
        let pairs = KeyGroups(rows.count) { place -> FourTuple? in
            guard rows[place].mayEndCheck else { return nil }
            let tuple = rows[place].tuple
            return FourTuple(
                source: tuple.source, sourcePort: 0, destination: tuple.destination,
                destinationPort: tuple.destinationPort)
        }.grouped()
        return pairs.indices.compactMap { pair in
            let places = pairs[pair]
            guard places.count > 2 else { return nil }
            let compared = places.prefix(mostCompared).map { rows[Int($0)] }
            let gaps = zip(compared, compared.dropFirst()).map { $1.time.distance(from: $0.time) }
            let hasNoData = compared.allSatisfy(\.hasNoData)
            let interval = interval(of: gaps, hasNoData: hasNoData, isAnswered: compared.allSatisfy(\.isAnswered))
            return interval.map {
                (RegularCheck(count: places.count, interval: $0, hasNoData: hasNoData), places)
            }
        }
    }
}

extension ResetRow {
    /// A client ended its connection, and not because of what an earlier RST had left.
    fileprivate var mayEndCheck: Bool {
        guard service == .destination, hasWallClock, followed == 0 else { return false }
        return traits.contains(.mayEndCheck)
    }
}

extension Reset {
    mutating func tell(of check: RegularCheck) {
        let every = "one every \(TimeSpan(nanoseconds: check.interval))"
        let what = check.hasNoData ? "of connections without data" : "of connections with data"
        evidence.append(
            Fact(
                "one of \(check.count) RSTs from \(tuple.source) to \(tuple.destination.text(port: tuple.destinationPort)), \(every), \(what): probably a health check",
                from: .report))
        summary += " Probably a health check: its client does this at regular intervals, \(every)."
    }
}

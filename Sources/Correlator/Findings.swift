public import NetworkTypes

/// Many RSTs that are one event: a scan, a dead backend, a crash loop. The RSTs themselves stay in the report.
public struct Finding: Sendable, Equatable {
    public enum Kind: String, Sendable {
        /// One host asked many ports or hosts, and was turned away.
        case scan
        /// One address and port sent them all.
        case endpoint
        /// One host sent them, from many ports, to one service.
        case client
    }

    /// An address, with its port where the port is the same in all of them.
    public struct Endpoint: Sendable, Equatable {
        public var address: IPAddress
        public var port: UInt16?
        public var count: Int
    }

    public var kind: Kind
    /// The most frequent of its causes.
    public var cause: Cause
    public var count: Int
    /// Nanoseconds since 1970-01-01 UTC.
    public var first: Int64
    public var last: Int64
    /// RSTs in 1000 seconds, over the time from the first to the last; nil if that is no time at all.
    public var perThousandSeconds: UInt64?
    /// The most frequent, at most `keptEndpoints`.
    public var sources: [Endpoint]
    public var destinations: [Endpoint]
    /// The id of the first of them.
    public var example: Int
    public var summary: String

    public static let keptEndpoints = 5
    /// Fewer are told one by one.
    static let least = 3
    /// So many ports, or hosts, that one host asks are a scan.
    static let scannedPorts = 10
}

/// Puts RSTs together that have one reason, the largest groups first. Each RST is in one finding at most.
public func findings(in list: ResetList) -> [Finding] {
    let resets = list.heads
    // Without a wall clock nobody knows what came at one time.
    var rest = resets.indices.filter { resets[$0].hasWallClock }
    var found: [Finding] = []
    func take(
        _ kind: Finding.Kind, by key: (ResetList.Head) -> GroupKey?, accepting: ([FourTuple]) -> Bool = { _ in true }
    ) {
        var groups: [GroupKey: [Int]] = [:]
        for index in rest {
            if let key = key(resets[index]) { groups[key, default: []].append(index) }
        }
        var taken: Set<Int> = []
        for group in groups.values where group.count >= Finding.least {
            guard accepting(group.map { resets[$0].tuple }) else { continue }
            found.append(Finding(kind, group, of: resets))
            taken.formUnion(group)
        }
        if !taken.isEmpty { rest.removeAll(where: taken.contains) }
    }
    take(.scan, by: { $0.turnsAway ? GroupKey(destination: $0.tuple.destination) : nil }) { members in
        Set(members.map { GroupKey(source: $0.source, sourcePort: $0.sourcePort) }).count
            >= Finding.scannedPorts
    }
    take(.endpoint, by: { GroupKey(cause: $0.cause, source: $0.tuple.source, sourcePort: $0.tuple.sourcePort) })
    take(
        .client,
        by: {
            GroupKey(
                cause: $0.cause, source: $0.tuple.source, destination: $0.tuple.destination,
                destinationPort: $0.tuple.destinationPort)
        })
    return found.sorted { ($1.count, $0.first, $0.example) < ($0.count, $1.first, $1.example) }
}

private struct GroupKey: Hashable {
    var cause: Cause?
    var source: IPAddress?
    var sourcePort: UInt16?
    var destination: IPAddress?
    var destinationPort: UInt16?
}

extension Finding {
    /// - Parameter members: places of RSTs, in the order of time, not empty.
    fileprivate init(_ kind: Kind, _ members: [Int], of resets: [ResetList.Head]) {
        self.kind = kind
        count = members.count
        first = members.lazy.map { resets[$0].time }.min() ?? 0
        last = members.lazy.map { resets[$0].time }.max() ?? 0
        example = members.first.map { resets[$0].id } ?? 0
        var causes: [Cause: Int] = [:]
        for member in members { causes[resets[member].cause, default: 0] += 1 }
        cause = causes.max { ($0.value, $1.key.rawValue) < ($1.value, $0.key.rawValue) }?.key ?? .unknown
        let span = last.distance(from: first)
        perThousandSeconds =
            span == 0 ? nil : UInt64(min(Double(members.count - 1) * 1e12 / Double(span), 1e15))
        let tuples = members.map { resets[$0].tuple }
        sources = Self.top(tuples.map { ($0.source, $0.sourcePort) })
        destinations = Self.top(tuples.map { ($0.destination, $0.destinationPort) })
        summary = ""
        summary = sentence(tuples)
    }

    /// Endpoints by address and port if a port comes again, by address alone if every port is another one.
    private static func top(_ ends: [(IPAddress, UInt16)]) -> [Endpoint] {
        struct End: Hashable {
            let address: IPAddress
            let port: UInt16?
        }
        var byPort: [End: Int] = [:]
        for (address, port) in ends { byPort[End(address: address, port: port), default: 0] += 1 }
        var counts = byPort
        if byPort.count > max(keptEndpoints, ends.count / 2) {
            counts = [:]
            for (address, _) in ends { counts[End(address: address, port: nil), default: 0] += 1 }
        }
        let ranked = counts.map { Endpoint(address: $0.key.address, port: $0.key.port, count: $0.value) }.sorted {
            ($1.count, $0.address.high, $0.address.low, $0.port ?? 0)
                < ($0.count, $1.address.high, $1.address.low, $1.port ?? 0)
        }
        return Array(ranked.prefix(keptEndpoints))
    }

    private func sentence(_ tuples: [FourTuple]) -> String {
        let hosts = Set(tuples.map(\.destination)).count
        switch kind {
        case .scan:
            let ports = Set(tuples.map { GroupKey(source: $0.source, sourcePort: $0.sourcePort) }).count
            let targets = Set(tuples.map(\.source)).count
            let who = tuples[0].destination
            return
                "\(who) asked \(ports) ports of \(targets) host\(targets == 1 ? "" : "s") and was turned away: a scan, or a program that looks for a service"
        case .endpoint:
            let tuple = tuples[0]
            let connections = Set(tuples).count
            let what =
                connections == 1
                ? "one connection"
                : "\(connections) connections of \(hosts) host\(hosts == 1 ? "" : "s")"
            return "\(tuple.source.text(port: tuple.sourcePort)) reset \(what) for one reason, \(cause.rawValue)"
        case .client:
            let tuple = tuples[0]
            return
                "\(tuple.source) reset \(count) connections to \(tuple.destination.text(port: tuple.destinationPort)) for one reason, \(cause.rawValue)"
        }
    }
}

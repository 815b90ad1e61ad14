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
        let buckets = Buckets(rest.count) { key(resets[rest[$0]]) }
        var isTaken = [Bool](repeating: false, count: rest.count)
        for places in buckets.members(ofBucketsWithAtLeast: Finding.least) {
            let group = places.map { rest[$0] }
            guard accepting(group.map { resets[$0].tuple }) else { continue }
            found.append(Finding(kind, group, of: resets))
            for place in places { isTaken[place] = true }
        }
        rest = rest.indices.filter { !isTaken[$0] }.map { rest[$0] }
    }
    take(.scan, by: { $0.turnsAway ? GroupKey(destination: $0.tuple.destination) : nil }) { members in
        Buckets(members.count) { GroupKey(source: members[$0].source, sourcePort: members[$0].sourcePort) }.count
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

private struct GroupKey: Bucketed {
    var cause: Cause?
    var source: IPAddress?
    var sourcePort: UInt16?
    var destination: IPAddress?
    var destinationPort: UInt16?

    /// Without the cause: an endpoint has few of them.
    func hash(_ secret: SecretHash) -> UInt64 {
        let ends = secret.pair(source.map(secret.of) ?? 0, destination.map(secret.of) ?? 0)
        return secret.add(UInt64(sourcePort ?? 0) << 16 | UInt64(destinationPort ?? 0), to: ends)
    }
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
        var buckets = Buckets(ends.count) { GroupKey(source: ends[$0].0, sourcePort: ends[$0].1) }
        let byPort = buckets.count <= max(keptEndpoints, ends.count / 2)
        if !byPort { buckets = Buckets(ends.count) { ends[$0].0 } }
        var top: [Endpoint] = []
        for (count, first) in zip(buckets.counts, buckets.firsts) {
            let (address, port) = ends[Int(first)]
            let endpoint = Endpoint(address: address, port: byPort ? port : nil, count: Int(count))
            guard let place = top.firstIndex(where: { endpoint.precedes($0) }) else {
                if top.count < keptEndpoints { top.append(endpoint) }
                continue
            }
            top.insert(endpoint, at: place)
            if top.count > keptEndpoints { top.removeLast() }
        }
        return top
    }

    private func sentence(_ tuples: [FourTuple]) -> String {
        func distinct<Key: Bucketed>(_ key: (FourTuple) -> Key) -> Int {
            Buckets(tuples.count) { key(tuples[$0]) }.count
        }
        switch kind {
        case .scan:
            let ports = distinct { GroupKey(source: $0.source, sourcePort: $0.sourcePort) }
            let targets = distinct(\.source)
            let who = tuples[0].destination
            return
                "\(who) asked \(ports) ports of \(targets) host\(targets == 1 ? "" : "s") and was turned away: a scan, or a program that looks for a service"
        case .endpoint:
            let tuple = tuples[0]
            let connections = distinct(\.self)
            let hosts = distinct(\.destination)
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

extension Finding.Endpoint {
    /// The more frequent first, equals by address and port.
    fileprivate func precedes(_ other: Self) -> Bool {
        (other.count, address.high, address.low, port ?? 0)
            < (count, other.address.high, other.address.low, other.port ?? 0)
    }
}

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
    var isFree = resets.map(\.hasWallClock)
    var found: [Finding] = []
    func take(_ kind: Finding.Kind, by key: @Sendable (ResetList.Head) -> GroupKey?) {
        let groups = Buckets(resets.count) { [isFree] in isFree[$0] ? key(resets[$0]) : nil }.grouped()
        for group in groups.indices where groups[group].count >= Finding.least {
            guard let finding = Finding(kind, Members(resets: resets, places: groups[group])) else { continue }
            found.append(finding)
            for place in groups[group] { isFree[Int(place)] = false }
        }
    }
    take(.scan, by: { $0.turnsAway ? GroupKey(cause: nil, $0.tuple.destination) : nil })
    take(.endpoint, by: { GroupKey(cause: $0.cause, $0.tuple.source, $0.tuple.sourcePort) })
    take(
        .client,
        by: {
            GroupKey(
                cause: $0.cause, $0.tuple.destination, $0.tuple.destinationPort, other: $0.tuple.source)
        })
    return found.sorted { ($1.count, $0.first, $0.example) < ($0.count, $1.first, $1.example) }
}

/// What the RSTs of a group have in common, as far as a kind of group asks for it.
private struct GroupKey: Bucketed {
    let cause: Cause?
    let address: IPAddress
    let port: UInt16
    let other: IPAddress

    init(cause: Cause?, _ address: IPAddress, _ port: UInt16 = 0, other: IPAddress = IPAddress(high: 0, low: 0)) {
        self.cause = cause
        self.address = address
        self.port = port
        self.other = other
    }

    /// Without the cause: an endpoint has few of them.
    func hash(_ secret: SecretHash) -> UInt64 {
        secret.add(UInt64(port), to: secret.pair(secret.of(address), secret.of(other)))
    }
}

/// An address and a port.
private struct End: Bucketed {
    let address: IPAddress
    let port: UInt16

    init(_ address: IPAddress, _ port: UInt16) {
        self.address = address
        self.port = port
    }

    func hash(_ secret: SecretHash) -> UInt64 { secret.of(high: address.high, low: address.low, port: port) }
}

/// Some RSTs, in the order of time, without a copy of them.
private struct Members: Sendable {
    let resets: [ResetList.Head]
    /// Not empty.
    let places: ArraySlice<Int32>

    var count: Int { places.count }

    subscript(number: Int) -> ResetList.Head { resets[Int(places[places.startIndex + number])] }

    func end(_ number: Int, isSource: Bool) -> End {
        let tuple = self[number].tuple
        return isSource ? End(tuple.source, tuple.sourcePort) : End(tuple.destination, tuple.destinationPort)
    }
}

/// What the ends of one side of a group have in common.
private struct Side {
    /// By address and port, and by address alone.
    private let ends: Buckets
    private let addresses: Buckets
    private let members: Members
    private let isSource: Bool

    init(_ members: Members, isSource: Bool) {
        self.members = members
        self.isSource = isSource
        ends = Buckets(members.count) { members.end($0, isSource: isSource) }
        addresses = Buckets(members.count) { members.end($0, isSource: isSource).address }
    }

    var endCount: Int { ends.count }
    var addressCount: Int { addresses.count }

    /// The most frequent by address and port if a port comes again, by address alone if every port is another one.
    var top: [Finding.Endpoint] {
        let byPort = endCount <= max(Finding.keptEndpoints, members.count / 2)
        let buckets = byPort ? ends : addresses
        var top: [Finding.Endpoint] = []
        for (count, first) in zip(buckets.counts, buckets.firsts) {
            let end = members.end(Int(first), isSource: isSource)
            let endpoint = Finding.Endpoint(address: end.address, port: byPort ? end.port : nil, count: Int(count))
            guard let place = top.firstIndex(where: { endpoint.precedes($0) }) else {
                if top.count < Finding.keptEndpoints { top.append(endpoint) }
                continue
            }
            top.insert(endpoint, at: place)
            if top.count > Finding.keptEndpoints { top.removeLast() }
        }
        return top
    }
}

extension Finding {
    /// Nil if the group is not what its kind asks for.
    fileprivate init?(_ kind: Kind, _ members: Members) {
        let from = Side(members, isSource: true)
        if kind == .scan, from.endCount < Self.scannedPorts { return nil }
        let to = Side(members, isSource: false)
        self.kind = kind
        count = members.count
        example = members[0].id
        let heads = (0..<members.count).lazy.map { members[$0] }
        first = heads.map(\.time).min() ?? 0
        last = heads.map(\.time).max() ?? 0
        cause =
            tally(heads.map(\.cause)).max { ($0.count, $1.key.rawValue) < ($1.count, $0.key.rawValue) }?.key
            ?? .unknown
        let span = last.distance(from: first)
        perThousandSeconds =
            span == 0 ? nil : UInt64(min(Double(members.count - 1) * 1e12 / Double(span), 1e15))
        sources = from.top
        destinations = to.top
        summary = ""
        summary = sentence(members[0].tuple, from, to)
    }

    private func sentence(_ tuple: FourTuple, _ from: Side, _ to: Side) -> String {
        switch kind {
        case .scan:
            let (ports, targets) = (from.endCount, from.addressCount)
            let who = tuple.destination
            return
                "\(who) asked \(ports) ports of \(targets) host\(targets == 1 ? "" : "s") and was turned away: a scan, or a program that looks for a service"
        case .endpoint:
            // They have one source.
            let (connections, hosts) = (to.endCount, to.addressCount)
            let what =
                connections == 1
                ? "one connection"
                : "\(connections) connections of \(hosts) host\(hosts == 1 ? "" : "s")"
            return "\(tuple.source.text(port: tuple.sourcePort)) reset \(what) \(reason)"
        case .client:
            return
                "\(tuple.source) reset \(count) connections to \(tuple.destination.text(port: tuple.destinationPort)) \(reason)"
        }
    }

    private var reason: String {
        cause == .unknown ? "for reasons that are not known" : "for one reason, \(cause.rawValue)"
    }
}

extension Finding.Endpoint {
    /// The more frequent first, equals by address and port.
    fileprivate func precedes(_ other: Self) -> Bool {
        (other.count, address.high, address.low, port ?? 0)
            < (count, other.address.high, other.address.low, other.port ?? 0)
    }
}

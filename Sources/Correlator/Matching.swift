/// Groups of observations of the same RST.
struct Clusters {
    /// Groups of references, in the order they were found.
    private(set) var members: [FewReferences] = []

    mutating func open(_ first: Reference) -> Int {
        members.append(FewReferences(first))
        return members.count - 1
    }

    mutating func add(_ reference: Reference, to cluster: Int) { members[cluster].append(reference) }

    mutating func merge(_ cluster: Int, into other: Int) {
        for reference in members[cluster] { members[other].append(reference) }
        members[cluster] = FewReferences()
    }
}

/// References, of which there are hardly ever more than two: a packet and its event. Only more take memory elsewhere.
struct FewReferences: RandomAccessCollection {
    private var first: Reference?
    private var second: Reference?
    private var others: [Reference] = []

    init() {}

    init(_ first: Reference) { self.first = first }

    var startIndex: Int { 0 }
    var endIndex: Int { first == nil ? 0 : second == nil ? 1 : 2 + others.count }

    subscript(place: Int) -> Reference {
        switch place {
        case 0: first!
        case 1: second!
        default: others[place - 2]
        }
    }

    mutating func sort(by isEarlier: (Reference, Reference) -> Bool) {
        guard count > 1 else { return }
        self = sorted(by: isEarlier).reduce(into: FewReferences()) { $0.append($1) }
    }

    mutating func append(_ reference: Reference) {
        if first == nil {
            first = reference
        } else if second == nil {
            second = reference
        } else {
            others.append(reference)
        }
    }
}

/// How far apart two observations of one RST may be.
enum Window {
    /// Between two observers on one host or path: a RST may wait in a queue, and clocks of two hosts differ.
    static let sightings: UInt64 = 1_000_000_000
    /// Between TCP's decision and the packet, on one CPU and one clock.
    static let decision: UInt64 = 100_000_000
    /// How long a segment may wait for the link address of its neighbour: three requests, a second apart (arp(7)).
    static let neighbour: UInt64 = 4_000_000_000
    /// The same as between decision and packet, where not all fields agree.
    static let looseDecision: UInt64 = 5_000_000
}

/// Groups observations of equal keys: each vantage saw a RST at most once, and of equal RSTs the nearest in time are one.
///
/// A SYN to a closed port that is sent three times is answered by three RSTs that are equal to the last bit; only their
/// times tell which packet belongs to which event.
func clusterExact(_ inventory: Inventory, into clusters: inout Clusters) {
    let (observations, keyless) = inventory.observations()
    let groups = KeyGroups(observations.count) { inventory.key(observations[$0].reference) }.grouped()
    var run: [Observation] = []
    for group in groups.indices {
        let members = groups[group]
        guard members.count > 1 else {
            _ = clusters.open(observations[Int(members[members.startIndex])].reference)
            continue
        }
        run.removeAll(keepingCapacity: true)
        for member in members { run.append(observations[Int(member)]) }
        run.sort { ($0.time, $0.reference) < ($1.time, $1.reference) }
        if run.count > 2, let relayed = RelayedRun(run, inventory) {
            relayed.cluster(into: &clusters)
        } else {
            clusterRun(run, inventory, into: &clusters)
        }
    }
    // An event without a key matches no other observation, but is still a RST.
    for reference in keyless { _ = clusters.open(reference) }
}

/// - Parameter run: observations of one key in the order of time.
private func clusterRun(_ run: [Observation], _ inventory: Inventory, into clusters: inout Clusters) {
    if run.count == 2, let first = run.first, let second = run.last {
        // A packet and its event, as a rule: what follows, without its tables.
        let cluster = clusters.open(first.reference)
        let distance = second.time.distance(from: first.time)
        if first.vantage != second.vantage,
            distance <= Window.sightings || distance <= inventory.reach(second.reference)
        {
            clusters.add(second.reference, to: cluster)
        } else {
            _ = clusters.open(second.reference)
        }
        return
    }
    var open: [(time: Int64, id: Int)] = []
    /// The first of the latest ones in `open`. No observation is nearer to an earlier one, since they come in order of time.
    var latest = 0
    /// By vantage, the first of `open` that this vantage may still join: earlier ones it has seen or passed.
    var next: [UInt64: Int] = [:]
    for observation in run {
        let candidate = max(latest, next[observation.vantage] ?? 0)
        if candidate < open.count, observation.time.distance(from: open[candidate].time) <= Window.sightings {
            clusters.add(observation.reference, to: open[candidate].id)
            next[observation.vantage] = candidate + 1
        } else {
            if open.last?.time != observation.time { latest = open.count }
            open.append((observation.time, clusters.open(observation.reference)))
            next[observation.vantage] = open.count
        }
    }
}

import KernelEvents
import NetworkTypes
import PcapReader

/// Which observations are the same RST.
struct Clusters {
    /// Groups of references, in the order they were found.
    private(set) var members: [[Reference]] = []

    mutating func open(_ first: Reference) -> Int {
        members.append([first])
        return members.count - 1
    }

    mutating func add(_ reference: Reference, to cluster: Int) { members[cluster].append(reference) }

    mutating func merge(_ cluster: Int, into other: Int) {
        members[other] += members[cluster]
        members[cluster] = []
    }
}

/// How far apart two observations of one RST may be.
enum Window {
    /// Between two observers on one host or path: a RST may wait in a queue, and clocks of two hosts differ.
    static let sightings: UInt64 = 1_000_000_000
    /// Between TCP's decision and the packet, on one CPU and one clock.
    static let decision: UInt64 = 100_000_000
    /// The same, where not all fields agree.
    static let looseDecision: UInt64 = 5_000_000
}

/// Groups observations of equal keys: each vantage saw a RST at most once, and of equal RSTs the nearest in time are one.
///
/// A SYN to a closed port that is sent three times is answered by three RSTs that are equal to the last bit; only their
/// times tell which packet belongs to which event.
func clusterExact(_ inventory: Inventory, into clusters: inout Clusters) {
    var observations = inventory.observations()
    observations.sort { ($0.hash, $0.time, $0.reference) < ($1.hash, $1.time, $1.reference) }
    var start = 0
    while start < observations.count {
        var end = start + 1
        while end < observations.count, observations[end].hash == observations[start].hash { end += 1 }
        let run = observations[start..<end]
        start = end
        guard run.count > 1 else {
            _ = clusters.open(run.first!.reference)
            continue
        }
        let key = inventory.key(run[run.startIndex].reference)
        if run.dropFirst().allSatisfy({ inventory.key($0.reference) == key }) {
            clusterRun(run, into: &clusters)
        } else {
            for group in splitByKey(run, inventory) { clusterRun(group, into: &clusters) }
        }
    }
}

/// The groups of a run in which different keys have one hash.
private func splitByKey(_ run: ArraySlice<Observation>, _ inventory: Inventory) -> [ArraySlice<Observation>] {
    var groups: [(key: ResetKey?, members: ArraySlice<Observation>)] = []
    for observation in run {
        let key = inventory.key(observation.reference)
        if let index = groups.firstIndex(where: { $0.key == key }) {
            groups[index].members.append(observation)
        } else {
            groups.append((key, [observation]))
        }
    }
    return groups.map(\.members)
}

/// - Parameter run: observations of one key in the order of time.
private func clusterRun(_ run: ArraySlice<Observation>, into clusters: inout Clusters) {
    if run.count == 2, let first = run.first, let second = run.last {
        // A packet and its event, as a rule: what follows, without its tables.
        let cluster = clusters.open(first.reference)
        if first.vantage != second.vantage, second.time.distance(from: first.time) <= Window.sightings {
            clusters.add(second.reference, to: cluster)
        } else {
            _ = clusters.open(second.reference)
        }
        return
    }
    var open: [(time: Int64, id: Int)] = []
    /// By vantage, the first of `open` that this vantage may still join: earlier ones it has seen or passed.
    var next: [UInt64: Int] = [:]
    for observation in run {
        var candidate = next[observation.vantage] ?? 0
        while candidate < open.count, observation.time.distance(from: open[candidate].time) > Window.sightings {
            candidate += 1
        }
        while candidate + 1 < open.count,
            observation.time.distance(from: open[candidate + 1].time)
                < observation.time.distance(from: open[candidate].time)
        {
            candidate += 1
        }
        if candidate < open.count {
            clusters.add(observation.reference, to: open[candidate].id)
        } else {
            open.append((observation.time, clusters.open(observation.reference)))
        }
        next[observation.vantage] = candidate + 1
    }
}

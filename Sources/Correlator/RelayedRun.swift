import KernelEvents
import NetworkTypes

/// Equal RSTs of which some were passed on later: by a router with a queue, or by a program that writes again what it reads
/// (a bridge over packet sockets, a tunnel daemon).
///
/// Two equal RSTs that a relay passes on 30 ms later are four equal segments, and the nearest in time are not one RST. A
/// relay keeps the order: what it writes belongs to the earliest that it has not written yet. A packet belongs to the
/// segment that was seen last before it.
struct RelayedRun {
    private let inventory: Inventory
    private let run: [Observation]
    /// By place in `run`: it was passed on, or may have been.
    private let isPassedOn: [Bool]
    /// How many observations each observer has.
    private let counts: [UInt64: Int]

    /// Of equal RSTs, how many neighbours are compared.
    private static let neighbours = 64
    /// From a segment that a program wrote to its packet.
    private static let capture: UInt64 = 5_000_000

    /// - Parameter run: observations of one key in the order of time.
    /// - Returns: nil where each observer saw one at most and none waited, or nothing was passed on.
    init?(_ run: [Observation], _ inventory: Inventory) {
        var counts: [UInt64: Int] = [:]
        for observation in run { counts[observation.vantage, default: 0] += 1 }
        guard counts.count > 1 else { return nil }
        // Where each observer saw one, the nearest are one, unless one had waited.
        guard
            counts.count < run.count
                || run.contains(where: { inventory.isEvent($0.reference) && inventory.hasWaited($0.reference) })
        else { return nil }
        let isPassedOn = run.map { inventory.isEvent($0.reference) && inventory.mayBePassedOn($0.reference) }
        guard isPassedOn.contains(true) else { return nil }
        self.inventory = inventory
        self.run = run
        self.isPassedOn = isPassedOn
        self.counts = counts
    }

    private struct Open {
        let time: Int64
        let reference: Reference
        let id: Int
        var last: Int64
    }

    /// A RST that one program wrote twice.
    private struct Repetition {
        let time: Int64
        let place: Int
        var vantages: Set<UInt64> = []
    }

    func cluster(into clusters: inout Clusters) {
        var open: [Open] = []
        var next: [UInt64: Int] = [:]
        var repetitions: [Repetition] = []
        for (index, observation) in run.enumerated() {
            let time = observation.time
            let first = next[observation.vantage] ?? 0
            if let place = place(of: index, among: open, from: first) {
                clusters.add(observation.reference, to: open[place].id)
                open[place].last = time
                next[observation.vantage] = place + 1
            } else if isPassedOn[index], let place = earlier(than: observation, among: open) {
                clusters.add(observation.reference, to: open[place].id)
                open[place].last = time
                repetitions.append(Repetition(time: time, place: place))
            } else if let repetition = repetitions.suffix(Self.neighbours).lastIndex(where: {
                time.distance(from: $0.time) <= Self.capture && !$0.vantages.contains(observation.vantage)
            }) {
                repetitions[repetition].vantages.insert(observation.vantage)
                clusters.add(observation.reference, to: open[repetitions[repetition].place].id)
            } else {
                next[observation.vantage] = open.count + 1
                open.append(
                    Open(
                        time: time, reference: observation.reference, id: clusters.open(observation.reference),
                        last: time))
            }
        }
    }

    /// The RST that an observation is of; nil if it is one of its own.
    private func place(of index: Int, among open: [Open], from first: Int) -> Int? {
        let observation = run[index]
        func isNear(_ place: Int) -> Bool {
            min(observation.time.distance(from: open[place].time), observation.time.distance(from: open[place].last))
                <= Window.sightings
        }
        if isPassedOn[index], counts[observation.vantage] ?? 0 >= counts[run[0].vantage] ?? 0 {
            // Times ascend.
            let reach = inventory.reach(observation.reference)
            let oldest = max(first, open.firstPlace { observation.time.distance(from: $0.time) > reach })
            return oldest < open.count ? oldest : nil
        }
        guard first < open.count else { return nil }
        return (max(first, open.count - Self.neighbours)..<open.count).filter(isNear).min {
            // Of equal ones the later.
            (observation.time.distance(from: open[$0].last), $1) < (observation.time.distance(from: open[$1].last), $0)
        }
    }

    /// The RST that a relay writes once more: one that was there before, and that it did not begin.
    private func earlier(than observation: Observation, among open: [Open]) -> Int? {
        open.indices.suffix(Self.neighbours).last {
            !inventory.isOneDevice(open[$0].reference, observation.reference)
                && observation.time.distance(from: open[$0].time) <= Window.sightings
        }
    }
}

extension Inventory {
    /// Whether a program wrote the segment: it made it, or carries it for somebody else.
    func isWritten(_ event: Reference) -> Bool {
        guard let path = path(event) else { return false }
        return path.origin == .userSpace || path.origin == .forwarded && path.callers.contains(.tun)
    }

    /// Whether both are segments that were given to one device.
    func isOneDevice(_ a: Reference, _ b: Reference) -> Bool {
        guard isEvent(a), isEvent(b) else { return false }
        let (one, other) = (event(a), event(b))
        return one.netns == other.netns && one.ifindex == other.ifindex
    }

    /// Whether the segment may have been seen before it was given to this device.
    func mayBePassedOn(_ event: Reference) -> Bool { isForwarded(event) || isWritten(event) || hasWaited(event) }

    /// Whether the segment had been made, or had come, up to some seconds before it was given to this device.
    func hasWaited(_ event: Reference) -> Bool { path(event)?.hasWaited == true }

    /// How far before a segment the same may have been seen.
    func reach(_ segment: Reference) -> UInt64 {
        isEvent(segment) && hasWaited(segment) ? Window.neighbour : Window.sightings
    }
}

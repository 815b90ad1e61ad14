import KernelEvents
import NetworkTypes
import PcapReader

/// Joins each `decide` event to the RST it decided on.
///
/// A passive decision comes before its packet, an active one after it, both on one CPU and within microseconds. A decision
/// whose packet nobody saw stands for itself.
struct DecisionJoin {
    private let inventory: Inventory
    /// Clusters by the hash of their tuple, then by time.
    private var places: [Place] = []
    private var taken: [Bool]

    private struct Place {
        let hash: UInt64
        let time: Int64
        let cluster: Int
        /// The member that is compared: an emitted segment if there is one.
        let best: Reference
    }

    private struct Decision {
        let hash: UInt64
        let time: Int64
        let reference: Reference
    }

    /// Of equal tuples, how many neighbours in time are compared: more than any real flow has within the window.
    private static let neighbours = 64

    init(_ inventory: Inventory, _ clusters: Clusters) {
        self.inventory = inventory
        taken = Array(repeating: false, count: clusters.members.count)
        places.reserveCapacity(clusters.members.count)
        for (cluster, members) in clusters.members.enumerated() {
            guard let best = members.first(where: inventory.isEvent) ?? members.first else { continue }
            places.append(
                Place(hash: inventory.tuple(best).hash64, time: inventory.time(best), cluster: cluster, best: best))
        }
        places.sort { ($0.hash, $0.time, $0.cluster) < ($1.hash, $1.time, $1.cluster) }
    }

    mutating func run(into clusters: inout Clusters) {
        var decisions: [Decision] = []
        for (number, input) in inventory.recordings.enumerated() {
            let source = Int32(inventory.captures.count + number)
            for (index, event) in input.recording.events.enumerated() where event.kind == .decide {
                decisions.append(
                    Decision(
                        hash: event.tuple.hash64, time: inventory.time(ofEvent: event, recording: number),
                        reference: Reference(source: source, index: Int32(index))))
            }
        }
        decisions.sort { ($0.hash, $0.time, $0.reference) < ($1.hash, $1.time, $1.reference) }
        var start = 0
        for decision in decisions {
            while start < places.count, places[start].hash < decision.hash { start += 1 }
            if let cluster = nearest(to: decision, from: start) {
                clusters.add(decision.reference, to: cluster)
                taken[cluster] = true
            } else {
                _ = clusters.open(decision.reference)
            }
        }
    }

    private func nearest(to decision: Decision, from start: Int) -> Int? {
        // The places of this tuple are few; a binary search keeps a hostile file from making that quadratic.
        let end = places[start...].firstPlace { $0.hash <= decision.hash }
        let low = places[start..<end].firstPlace { $0.time < decision.time }
        var best: (score: UInt64, cluster: Int)?
        for index in max(start, low - Self.neighbours)..<max(start, min(end, low + Self.neighbours)) {
            let place = places[index]
            guard !taken[place.cluster], let score = score(decision, place) else { continue }
            if best.map({ score < $0.score }) ?? true { best = (score, place.cluster) }
        }
        return best?.cluster
    }

    /// How well they fit, less is better; nil if they cannot be one RST.
    private func score(_ decision: Decision, _ place: Place) -> UInt64? {
        let event = inventory.event(decision.reference)
        guard event.tuple == inventory.tuple(place.best) else { return nil }
        let recording = inventory.recordingIndex(decision.reference)
        let distance = decision.time.distance(from: place.time)
        guard let seq = event.seq, let key = inventory.key(place.best) else {
            // A file of another tool: tuple and time are all there is.
            let clocked = inventory.hasClock(recording: recording)
            return !clocked || distance <= Window.sightings ? distance : nil
        }
        if inventory.isEvent(place.best) {
            guard place.best.source == decision.reference.source else { return nil }
            if seq == key.seq, event.ack == key.ack { return distance <= Window.decision ? distance : nil }
            // tcp_acceptable_seq() may choose another number than the one that the hook could read.
            let sameCPU = event.cpu == inventory.event(place.best).cpu
            return event.trigger == nil && sameCPU && distance <= Window.looseDecision
                ? distance + Window.decision : nil
        }
        return seq == key.seq && event.ack ?? 0 == key.ack && distance <= Window.sightings
            ? distance + Window.decision : nil
    }
}

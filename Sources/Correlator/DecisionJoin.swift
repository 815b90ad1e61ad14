import KernelEvents
import NetworkTypes

/// Joins each `decide` event to the RST it decided on.
///
/// A passive decision comes before its packet, an active one after it, both on one CPU and within microseconds; but the sender
/// may lose the processor in between, for longer if the host is itself a guest, and the packet may wait for the link address of
/// its neighbour. Of equal decisions that are further apart, the nearest on the right side belongs to the segment. A decision
/// whose packet was not seen stands alone.
struct DecisionJoin {
    private let inventory: Inventory
    private let decisions: [Reference]

    /// A cluster that a decision may belong to.
    private struct Place {
        let time: Int64
        let cluster: Int
        /// The first segment that each recorder saw leave, and the first packet.
        let emitted: FewReferences
        let packet: Reference?
        /// One RST is decided on once, but each recorder on a host reports it.
        var decisions = FewReferences()
    }

    private struct Decision {
        let time: Int64
        let reference: Reference
        /// When the same recorder reported equal ones before and after it.
        var previous: Int64 = .min
        var next: Int64 = .max
    }

    /// Of equal tuples, how many neighbours in time are compared: more than any real flow has within the window.
    private static let neighbours = 64

    init(_ inventory: Inventory) {
        self.inventory = inventory
        decisions = inventory.recordings.enumerated().flatMap { number, input in
            let source = Int32(inventory.captures.count + number)
            return input.recording.events.indices.lazy.filter { input.recording.events[$0].kind == .decide }
                .map { Reference(source: source, index: Int32($0)) }
        }
    }

    func run(into clusters: inout Clusters) {
        guard !decisions.isEmpty else { return }
        // Decisions and clusters by their tuples, in this order. All members of a cluster have one tuple as yet.
        let groups = byTuple(clusters.members).grouped()
        for group in groups.indices {
            let members = groups[group].map { Int($0) }
            // Decisions come first in each group: the other groups have none.
            guard members[0] < decisions.count else { break }
            if members.count == 2, members[1] >= decisions.count {
                joinPair(decisions[members[0]], members[1] - decisions.count, &clusters)
                continue
            }
            join(
                members.prefix { $0 < decisions.count }.map { decisions[$0] },
                members.drop { $0 < decisions.count }.map { $0 - decisions.count }, &clusters)
        }
    }

    private func byTuple(_ clusters: [FewReferences]) -> KeyGroups {
        KeyGroups(decisions.count + clusters.count) { [decisions, inventory] element in
            element < decisions.count
                ? inventory.tuple(decisions[element])
                : clusters[element - decisions.count].first.map(inventory.tuple)
        }
    }

    /// A decision and a cluster that are alone with their tuple, as most are: what `join` does, without its tables.
    private func joinPair(_ reference: Reference, _ cluster: Int, _ clusters: inout Clusters) {
        let decision = Decision(time: inventory.time(reference), reference: reference)
        if let place = place(cluster, clusters.members[cluster]), score(decision, place) != nil {
            clusters.add(reference, to: cluster)
        } else {
            _ = clusters.open(reference)
        }
    }

    /// - Parameters: decisions and clusters of one tuple.
    private func join(_ decisions: [Reference], _ candidates: [Int], _ clusters: inout Clusters) {
        var places = candidates.compactMap { place($0, clusters.members[$0]) }
        places.sort { ($0.time, $0.cluster) < ($1.time, $1.cluster) }
        let ordered = inOrder(decisions)
        var alone: [(decision: Decision, cluster: Int)] = []
        for decision in ordered {
            if let place = nearest(to: decision, among: places) {
                clusters.add(decision.reference, to: places[place].cluster)
                places[place].decisions.append(decision.reference)
            } else if let twin = alone.suffix(Self.recorders).last(where: { isSame(decision, $0.decision) }) {
                clusters.add(decision.reference, to: twin.cluster)
                alone.append((decision, twin.cluster))
            } else {
                alone.append((decision, clusters.open(decision.reference)))
            }
        }
    }

    private func inOrder(_ decisions: [Reference]) -> [Decision] {
        var ordered = decisions.map { Decision(time: inventory.time($0), reference: $0) }
        guard ordered.count > 1 else { return ordered }
        ordered.sort { ($0.time, $0.reference) < ($1.time, $1.reference) }
        var last: [Twin: Int] = [:]
        for index in ordered.indices {
            let event = inventory.event(ordered[index].reference)
            let twin = Twin(source: ordered[index].reference.source, seq: event.seq, ack: event.ack)
            if let before = last.updateValue(index, forKey: twin) {
                ordered[index].previous = ordered[before].time
                ordered[before].next = ordered[index].time
            }
        }
        return ordered
    }

    private struct Twin: Hashable {
        let source: Int32
        let seq: UInt32?
        let ack: UInt32?
    }

    private func place(_ cluster: Int, _ members: FewReferences) -> Place? {
        var emitted = FewReferences()
        for member in members where inventory.isEvent(member) && !emitted.contains(recordedBy: member.source) {
            emitted.append(member)
        }
        let packet = members.first { !inventory.isEvent($0) }
        return (emitted.first ?? packet).map {
            Place(time: inventory.time($0), cluster: cluster, emitted: emitted, packet: packet)
        }
    }

    /// The maximum number of recorders on one host.
    private static let recorders = 8
    /// All programs at a hook run one after the other.
    private static let oneHook: UInt64 = 1_000_000

    /// Whether two recorders report one decision, of which no segment was seen.
    private func isSame(_ one: Decision, _ other: Decision) -> Bool {
        let (a, b) = (inventory.event(one.reference), inventory.event(other.reference))
        guard let boot = inventory.boot(one.reference) else { return false }
        return one.reference.source != other.reference.source && boot == inventory.boot(other.reference)
            && a.hook == b.hook && a.cpu == b.cpu && a.seq == b.seq && a.ack == b.ack && a.flags == b.flags
            && a.monotonic.distance(from: b.monotonic) <= Self.oneHook
    }

    private func nearest(to decision: Decision, among places: [Place]) -> Int? {
        let low = places.firstPlace { $0.time < decision.time }
        var best: (score: UInt64, place: Int)?
        for index in max(0, low - Self.neighbours)..<min(places.count, low + Self.neighbours) {
            guard !places[index].decisions.contains(recordedBy: decision.reference.source),
                let score = score(decision, places[index])
            else { continue }
            if best.map({ score < $0.score }) ?? true { best = (score, index) }
        }
        return best?.place
    }

    /// Whether nothing equal was decided on between them, so that the segment may have waited meanwhile.
    private func isNext(_ segment: Reference, to decision: Decision, _ distance: UInt64) -> Bool {
        let time = inventory.time(segment)
        return distance <= Window.neighbour && decision.previous < time && time < decision.next
    }

    /// Whether one task made both on its own behalf.
    private static func isOneTask(_ a: ResetEvent, _ b: ResetEvent) -> Bool {
        guard let one = a.task, let other = b.task else { return false }
        return one.context == .process && other.context == .process && one.tid == other.tid
    }

    /// How well they fit, less is better; nil if they cannot be one RST.
    private func score(_ decision: Decision, _ place: Place) -> UInt64? {
        let event = inventory.event(decision.reference)
        let recording = inventory.recordingIndex(decision.reference)
        // The segment that the same recorder saw leave, or else a packet.
        let own = place.emitted.first { $0.source == decision.reference.source }
        guard let compared = own ?? place.packet ?? place.emitted.first else { return nil }
        let distance = decision.time.distance(from: inventory.time(compared))
        guard let seq = event.seq, let key = inventory.key(compared) else {
            // In a file of another tool, there is only the four-tuple and the time.
            let clocked = inventory.hasClock(recording: recording)
            return !clocked || distance <= Window.sightings ? distance : nil
        }
        if inventory.isEvent(compared) {
            guard compared.source == decision.reference.source, inventory.mayBeOne(decision.reference, compared) else {
                return nil
            }
            let segment = inventory.event(compared)
            if seq == key.seq, event.ack == key.ack {
                if inventory.hasWaited(compared) {
                    return decision.time <= inventory.time(compared) && distance <= Window.neighbour ? distance : nil
                }
                return distance <= Window.decision || isNext(compared, to: decision, distance) ? distance : nil
            }
            // tcp_acceptable_seq() may choose another number than the one that the hook could read.
            guard event.trigger == nil else { return nil }
            let isOneCall = event.cpu == segment.cpu && distance <= Window.looseDecision
            return isOneCall || Self.isOneTask(event, segment) && isNext(compared, to: decision, distance)
                ? distance + Window.decision : nil
        }
        return seq == key.seq && event.ack ?? 0 == key.ack && distance <= Window.sightings
            ? distance + Window.decision : nil
    }
}

extension FewReferences {
    fileprivate func contains(recordedBy source: Int32) -> Bool { contains { $0.source == source } }
}

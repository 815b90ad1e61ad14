import KernelEvents
import NetworkTypes
import PcapReader

/// Joins each `receive` event to the RST that was received, as it was sent, captured or passed on.
///
/// An accepted RST has the number that the receiver expects next (RFC 5961, section 3.2), and a connection accepts one. A RST of
/// which nothing but its reception was recorded stands for itself.
struct ReceptionJoin {
    private let inventory: Inventory
    private let receptions: [Reference]

    /// An observation of a RST, with the addresses and ports that it was received with.
    private struct Candidate {
        let time: Int64
        let member: Reference
        let cluster: Int
    }

    init(_ inventory: Inventory) {
        self.inventory = inventory
        receptions = inventory.recordings.enumerated().flatMap { number, input in
            let source = Int32(inventory.captures.count + number)
            return input.recording.events.indices.lazy.filter { index in
                input.recording.events[index].kind == .receive && input.recording.events[index].reception != nil
            }.map { Reference(source: source, index: Int32($0)) }
        }
    }

    func run(into clusters: inout Clusters) {
        guard !receptions.isEmpty else { return }
        var members: [(reference: Reference, cluster: Int32)] = []
        for (cluster, references) in clusters.members.enumerated() {
            for reference in references { members.append((reference, Int32(truncatingIfNeeded: cluster))) }
        }
        // Receptions come first in each group: the other groups have none.
        var alone: [Alone] = []
        let groups = KeyGroups(receptions.count + members.count) { [receptions, inventory, members] element in
            inventory.tuple(
                element < receptions.count ? receptions[element] : members[element - receptions.count].reference)
        }.grouped()
        for group in groups.indices {
            let elements = groups[group].map { Int($0) }
            guard elements[0] < receptions.count else { break }
            let candidates = elements.drop { $0 < receptions.count }.map { element in
                let (reference, cluster) = members[element - receptions.count]
                return Candidate(time: inventory.time(reference), member: reference, cluster: Int(cluster))
            }
            alone += join(elements.prefix { $0 < receptions.count }.map { receptions[$0] }, candidates, &clusters)
        }
        joinTranslated(alone, members, &clusters)
    }

    /// A reception that has a cluster of its own.
    private typealias Alone = (reference: Reference, cluster: Int)

    /// - Parameters: receptions and observations of one tuple.
    /// - Returns: receptions of which there is no observation.
    private func join(_ receptions: [Reference], _ candidates: [Candidate], _ clusters: inout Clusters) -> [Alone] {
        let candidates = candidates.sorted { ($0.time, $0.member) < ($1.time, $1.member) }
        // The numbers of an ignored one were read: what it takes is no other's.
        let ordered = receptions.map { (time: inventory.time($0), reference: $0, rank: isIgnored($0) ? 0 : 1) }
            .sorted { ($0.rank, $0.time, $0.reference) < ($1.rank, $1.time, $1.reference) }
        var taken: Set<Taken> = []
        var alone: [Alone] = []
        for (time, reference, _) in ordered {
            let best = nearest(to: reference, at: time, among: candidates) { cluster in
                !taken.contains(Taken(cluster: cluster, source: reference.source))
            }
            if let best {
                clusters.add(reference, to: best)
                taken.insert(Taken(cluster: best, source: reference.source))
            } else if let twin = alone.suffix(Self.recorders).last(where: { isSame(reference, $0.reference) }) {
                clusters.add(reference, to: twin.cluster)
            } else {
                alone.append((reference, clusters.open(reference)))
            }
        }
        return alone
    }

    // MARK: - Translated on the way

    /// Joins receptions to RSTs that left with another address or port at one end (NAT), and the same number.
    private func joinTranslated(
        _ alone: [Alone], _ members: [(reference: Reference, cluster: Int32)], _ clusters: inout Clusters
    ) {
        let numbers = Set(alone.compactMap { Number(inventory.event($0.reference)) })
        guard !numbers.isEmpty else { return }
        var sent: [Number: [(member: Reference, cluster: Int)]] = [:]
        for (reference, cluster) in members where inventory.isEvent(reference) {
            let event = inventory.event(reference)
            guard event.kind == .emit, let seq = event.seq else { continue }
            for (value, isAcknowledgment) in [(seq, false), (event.ack ?? 0, true)] {
                let number = Number(value: value, isAcknowledgment: isAcknowledgment)
                if numbers.contains(number) { sent[number, default: []].append((reference, Int(cluster))) }
            }
        }
        var taken: Set<Taken> = []
        for (reference, cluster) in alone.sorted(by: { inventory.time($0.reference) < inventory.time($1.reference) }) {
            let time = inventory.time(reference)
            let possible = Number(inventory.event(reference)).flatMap { sent[$0] } ?? []
            let near = possible.filter { member, other in
                inventory.tuple(member) != inventory.tuple(reference)
                    && inventory.tuple(member).hasSameEnd(as: inventory.tuple(reference))
                    && (inventory.boot(member) == nil || inventory.boot(member) != inventory.boot(reference)
                        || inventory.time(member) <= time)
                    && inventory.time(member).distance(from: time) <= Window.sightings
                    && !taken.contains(Taken(cluster: other, source: reference.source))
                    && !hasReception(of: reference.source, in: clusters.members[other])
            }
            // Of several that fit, nobody knows which.
            guard let first = near.first, near.allSatisfy({ $0.cluster == first.cluster }) else { continue }
            taken.insert(Taken(cluster: first.cluster, source: reference.source))
            clusters.merge(cluster, into: first.cluster)
        }
    }

    private func hasReception(of source: Int32, in members: FewReferences) -> Bool {
        members.contains { $0.source == source && inventory.isEvent($0) && inventory.event($0).kind == .receive }
    }

    /// By what a RST is known that was accepted.
    private struct Number: Hashable {
        let value: UInt32
        let isAcknowledgment: Bool

        init(value: UInt32, isAcknowledgment: Bool) {
            self.value = value
            self.isAcknowledgment = isAcknowledgment
        }

        init?(_ reception: ResetEvent) {
            let isAcknowledgment = reception.state == .synSent
            guard let value = isAcknowledgment ? reception.ack : reception.seq else { return nil }
            self.init(value: value, isAcknowledgment: isAcknowledgment)
        }
    }

    /// Each recorder of a host reports a reception once.
    private struct Taken: Hashable {
        let cluster: Int
        let source: Int32
    }

    /// The maximum number of recorders on one host.
    private static let recorders = 8
    /// All programs at a hook run one after the other.
    private static let oneHook: UInt64 = 1_000_000
    /// Of equal tuples, how many neighbours in time are compared.
    private static let neighbours = 64

    private func nearest(
        to reception: Reference, at time: Int64, among candidates: [Candidate], _ isFree: (Int) -> Bool
    ) -> Int? {
        let low = candidates.firstPlace { $0.time < time }
        var best: (score: UInt64, cluster: Int)?
        for index in max(0, low - Self.neighbours)..<min(candidates.count, low + Self.neighbours) {
            let candidate = candidates[index]
            guard isFree(candidate.cluster), let score = score(reception, at: time, candidate) else { continue }
            if best.map({ score < $0.score }) ?? true { best = (score, candidate.cluster) }
        }
        return best?.cluster
    }

    /// How well they fit, less is better; nil if they cannot be one RST.
    private func score(_ reception: Reference, at time: Int64, _ candidate: Candidate) -> UInt64? {
        let distance = time.distance(from: candidate.time)
        guard distance <= Window.sightings else { return nil }
        // Of one boot, there is one clock: what was sent afterwards was not received.
        if inventory.isEvent(candidate.member), let boot = inventory.boot(reception),
            inventory.boot(candidate.member) == boot, inventory.event(candidate.member).kind == .emit,
            candidate.time > time
        {
            return nil
        }
        if isIgnored(reception) { return isCopy(reception, candidate.member) ? distance : nil }
        switch fit(inventory.event(reception), inventory.numbers(candidate.member)) {
        case .exact: return distance
        case .possible: return distance.addingReportingOverflow(Window.sightings).partialValue
        case .none: return nil
        }
    }

    private func isIgnored(_ reception: Reference) -> Bool {
        inventory.event(reception).reception?.fate == .ignored
    }

    /// Whether the bytes of an ignored RST are those of an observation.
    private func isCopy(_ reception: Reference, _ member: Reference) -> Bool {
        guard let key = ResetKey(inventory.event(reception)) else { return false }
        return inventory.key(member) == key
    }

    private enum Fit { case exact, possible, none }

    /// Whether the RST is one that TCP accepts in that state (tcp_validate_incoming(), tcp_rcv_synsent_state_process()).
    private func fit(_ reception: ResetEvent, _ numbers: (seq: UInt32?, ack: UInt32?)) -> Fit {
        if reception.state == .synSent {
            guard let ack = numbers.ack, let expected = reception.ack else { return .possible }
            return ack == expected ? .exact : .none
        }
        guard let seq = numbers.seq, let expected = reception.seq else { return .possible }
        if seq == expected { return .exact }
        // After the peer's FIN, the number of that is accepted too (tcp_reset_check()), and what ends a gap that SACK reported.
        let isAtFIN = seq == expected &- 1 && [.closeWait, .lastAck, .closing].contains(reception.state)
        return isAtFIN || seq &- expected < Self.largestWindow ? .possible : .none
    }

    /// RFC 7323, section 2.3.
    private static let largestWindow: UInt32 = 1 << 30

    /// Whether two recorders report the same reception.
    private func isSame(_ one: Reference, _ other: Reference) -> Bool {
        let (a, b) = (inventory.event(one), inventory.event(other))
        guard let boot = inventory.boot(one) else { return false }
        return one.source != other.source && boot == inventory.boot(other) && a.seq == b.seq && a.ack == b.ack
            && a.reception?.fate == b.reception?.fate
            && a.netns == b.netns && a.monotonic.distance(from: b.monotonic) <= Self.oneHook
    }
}

extension Inventory {
    /// The sequence and acknowledgment numbers of a packet or an event, where they were read.
    fileprivate func numbers(_ reference: Reference) -> (seq: UInt32?, ack: UInt32?) {
        guard isEvent(reference) else {
            let segment = packet(reference).segment
            return (segment.seq, segment.ack)
        }
        let event = event(reference)
        return (event.seq, event.ack)
    }
}

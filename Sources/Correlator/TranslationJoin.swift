import KernelEvents
import NetworkTypes
import PcapReader

/// Joins what was seen of one RST before and after its addresses were translated (NAT).
///
/// Sequence numbers, flags, IP id and window survive a translation on the way; the tuple and the TTL do not. A scan can
/// make many RSTs that agree in all of those fields, so more is asked for: the same packet buffer in the kernel, or one
/// end that stayed the same and no observer that saw both. A decision alone has fewer fields still: it belongs to a
/// segment that the same recorder saw leave from the same place of the kernel.
struct TranslationJoin {
    private let inventory: Inventory

    /// How long a RST may take from one side of a translation to the other.
    private static let window: UInt64 = 100_000_000
    /// A packet buffer is given to the next packet soon.
    private static let bufferWindow: UInt64 = 5_000_000
    /// Of RSTs that agree in all fields, how many neighbours in time are compared.
    private static let neighbours = 32
    /// No RST is seen at more places of its way; a file may claim any number.
    private static let mostVantages = 64

    init(_ inventory: Inventory) { self.inventory = inventory }

    /// - Returns: segments that a program wrote, and that may have been there before with other addresses.
    func run(into clusters: inout Clusters) -> Set<Reference> {
        var echoes: Set<Reference> = []
        // Two packets are never joined: nothing proves that they are one.
        guard !inventory.recordings.isEmpty else { return echoes }
        let groups = byNumbers(clusters.members).grouped()
        for group in groups.indices where groups[group].count > 1 {
            let ordered = groups[group].map { cluster in
                (time: clusters.members[Int(cluster)].first.map(inventory.time) ?? 0, cluster: Int(cluster))
            }.sorted { ($0.time, $0.cluster) < ($1.time, $1.cluster) }
            joinGroup(ordered.map(\.cluster), &clusters, &echoes)
        }
        return echoes
    }

    /// - Parameter group: clusters whose RSTs have the same numbers, in the order of time.
    private func joinGroup(_ group: [Int], _ clusters: inout Clusters, _ echoes: inout Set<Reference>) {
        var portraits = group.map { ClusterTraits($0, clusters.members[$0], inventory) }
        for later in portraits.indices.dropFirst() {
            var best: (index: Int, distance: UInt64)?
            for earlier in max(0, later - Self.neighbours)..<later where !portraits[earlier].isMerged {
                guard let distance = distance(portraits[earlier], portraits[later]) else { continue }
                if distance < best?.distance ?? .max { best = (earlier, distance) }
            }
            guard let best else {
                if let segment = portraits[later].writtenSegment, mayBeEcho(portraits[...later]) {
                    echoes.insert(segment)
                }
                continue
            }
            clusters.merge(portraits[best.index].cluster, into: portraits[later].cluster)
            portraits[later].absorb(portraits[best.index])
            portraits[best.index].isMerged = true
        }
    }

    /// Whether somebody else may have sent before what a program wrote: the last of these, which are in the order of time.
    private func mayBeEcho(_ portraits: ArraySlice<ClusterTraits>) -> Bool {
        guard let written = portraits.last else { return false }
        for earlier in portraits.dropLast().suffix(Self.neighbours).reversed() {
            guard written.time.distance(from: earlier.time) <= Window.sightings else { return false }
            let isOthers = earlier.writer == nil || earlier.writer != written.writer
            if isOthers, earlier.window == nil || written.window == nil || earlier.window == written.window {
                return true
            }
        }
        // More of them than are looked at.
        return portraits.count > Self.neighbours + 1
    }

    /// How far apart in time; nil if they are not one RST.
    private func distance(_ a: ClusterTraits, _ b: ClusterTraits) -> UInt64? {
        guard a.ipID == nil || b.ipID == nil || a.ipID == b.ipID,
            a.window == nil || b.window == nil || a.window == b.window, a.tuples.isDisjoint(with: b.tuples)
        else { return nil }
        if a.isDecisionOnly || b.isDecisionOnly { return distanceOfDecision(a, b) }
        guard a.vantages.count + b.vantages.count <= Self.mostVantages, a.vantages.isDisjoint(with: b.vantages) else {
            return nil
        }
        let distance = a.time.distance(from: b.time)
        if a.isWritten != b.isWritten {
            let (written, other) = a.isWritten ? (a, b) : (b, a)
            if other.time < written.time {
                return distance <= Window.sightings && Self.oneEndStayed(a, b) ? distance : nil
            }
        }
        // Two that were made are two, and so are two that one observer saw.
        guard !(a.begins && b.begins) else { return nil }
        let isOneWay = a.begins != b.begins || a.hasWaited || b.hasWaited
        if a.recording == b.recording, !a.buffers.isDisjoint(with: b.buffers) {
            // A buffer that is given to the next packet does not come back with the same numbers and one end.
            if distance <= (isOneWay && Self.oneEndStayed(a, b) ? Window.neighbour : Self.bufferWindow) {
                return distance
            }
        }
        // Of two that were only seen to pass, nothing proves that they are one.
        return isOneWay && distance <= Self.window && Self.oneEndStayed(a, b) ? distance : nil
    }

    /// The same where one of them is a decision without a segment: a local REDIRECT or DNAT gives the segment another source.
    private func distanceOfDecision(_ a: ClusterTraits, _ b: ClusterTraits) -> UInt64? {
        guard a.isDecisionOnly != b.isDecisionOnly else { return nil }
        let (alone, other) = a.isDecisionOnly ? (a, b) : (b, a)
        guard !other.hasDecision, let decision = alone.decision, let segment = other.segment,
            decision.source == segment.source, inventory.event(decision).cpu == inventory.event(segment).cpu,
            inventory.path(decision)?.callSite != nil, inventory.path(segment)?.callSite != nil,
            inventory.mayBeOne(decision, segment), Self.oneEndStayed(a, b)
        else { return nil }
        let distance = inventory.time(decision).distance(from: inventory.time(segment))
        return distance <= Window.decision ? distance : nil
    }

    private static func oneEndStayed(_ a: ClusterTraits, _ b: ClusterTraits) -> Bool {
        a.tuples.contains { one in b.tuples.contains(where: one.hasSameEnd) }
    }

    private func byNumbers(_ clusters: [FewReferences]) -> KeyGroups {
        KeyGroups(clusters.count) { [inventory] cluster in
            clusters[cluster].first.flatMap(inventory.key).map { Numbers(seq: $0.seq, ack: $0.ack, flags: $0.flags) }
        }
    }

    private struct Numbers: GroupingKey {
        let seq: UInt32
        let ack: UInt32
        let flags: UInt16
        func hash(_ secret: SecretHash) -> UInt64 { secret.pair(UInt64(seq) << 32 | UInt64(ack), UInt64(flags)) }
    }

    /// What is compared of one cluster.
    private struct ClusterTraits {
        let cluster: Int
        let time: Int64
        var isMerged = false
        /// By the kernel of a host that was recorded.
        var isMadeHere: Bool
        /// A program wrote it, and nobody sent it before.
        var isWritten = false
        /// The process that did.
        var writer: Int32?
        /// Nobody knows whether it was made here.
        var hasWaited = false
        var tuples: Set<FourTuple> = []
        var vantages: Set<UInt64> = []
        var buffers: Set<UInt64> = []
        var recording: Int32?
        var ipID: UInt16?
        var window: UInt16?
        var decision: Reference?
        /// The first one that a recorder saw leave.
        var segment: Reference?

        var hasDecision: Bool { decision != nil }
        var isDecisionOnly: Bool { hasDecision && vantages.isEmpty }
        var begins: Bool { isMadeHere || isWritten }
        var writtenSegment: Reference? { isWritten ? segment : nil }

        init(_ cluster: Int, _ members: FewReferences, _ inventory: Inventory) {
            self.cluster = cluster
            time = members.first.map(inventory.time) ?? 0
            isMadeHere = false
            for member in members {
                tuples.insert(inventory.tuple(member))
                guard inventory.isEvent(member) else {
                    let segment = inventory.packet(member).segment
                    vantages.insert(inventory.vantage(member))
                    ipID = segment.ipID
                    window = segment.window
                    continue
                }
                let event = inventory.event(member)
                recording = member.source
                if event.kind == .decide {
                    isMadeHere = true
                    decision = member
                } else {
                    if segment.map({ inventory.time($0) > inventory.time(member) }) ?? true { segment = member }
                    vantages.insert(inventory.vantage(member))
                    if let buffer = event.skb { buffers.insert(buffer) }
                    ipID = event.ipID ?? ipID
                    window = event.window ?? window
                    if !inventory.mayBePassedOn(member) { isMadeHere = true }
                    if inventory.hasWaited(member) { hasWaited = true }
                }
            }
            guard !isMadeHere, let segment, inventory.isWritten(segment) else { return }
            isWritten = true
            writer = inventory.event(segment).task?.pid
        }

        /// - Parameter other: an earlier one.
        mutating func absorb(_ other: ClusterTraits) {
            isMadeHere = isMadeHere || other.isMadeHere
            isWritten = other.isWritten
            hasWaited = hasWaited || other.hasWaited
            tuples.formUnion(other.tuples)
            vantages.formUnion(other.vantages)
            buffers.formUnion(other.buffers)
            recording = recording ?? other.recording
            ipID = ipID ?? other.ipID
            window = window ?? other.window
            decision = decision ?? other.decision
            segment = segment ?? other.segment
        }
    }
}

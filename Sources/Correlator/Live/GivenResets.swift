import KernelEvents
import NetworkTypes
import PcapReader

/// The RSTs that were given out and may be seen again, by id, with what was said of them.
struct GivenResets {
    private var resets: [Int: Given] = [:]
    /// How many of them more may become known of.
    private var open = 0
    private var oldest = 0

    private struct Given {
        var cause: Cause
        var certainty: Certainty
        var candidates: [Cause]
        var members: Int
        var isOpen: Bool
        var revision = 0
        let time: Int64
        let mark: ResetMark
    }

    var hasOpen: Bool { open > 0 }

    mutating func add(
        _ row: ResetRow, _ candidates: [Cause], _ mark: ResetMark, members: Int, id: Int
    ) {
        resets[id] = Given(
            cause: row.cause, certainty: row.certainty, candidates: candidates, members: members,
            isOpen: row.isOpen, time: row.time, mark: mark)
        if row.isOpen { open += 1 }
    }

    /// Whether more is known of a RST than when it was given out, and its verdict is another.
    ///
    /// That less is known by now, since what it was judged by was discarded, is no reason: only another observation of the RST
    /// is, or that the end it names as its sender goes on.
    mutating func correct(_ id: Int, _ row: ResetRow, _ candidates: [Cause], members: Int) -> Bool {
        guard let given = resets[id] else { return false }
        let isInjected = { (cause: Cause, candidates: [Cause]) in cause == .injected || candidates.contains(.injected) }
        let isSeenAgain = members > given.members
        let isDenied =
            given.isOpen && isInjected(row.cause, candidates) && !isInjected(given.cause, given.candidates)
            || given.cause != .injected && row.cause == .injected
        guard isSeenAgain || isDenied else { return false }
        resets[id]?.members = max(members, given.members)
        guard
            row.cause != given.cause || row.certainty != given.certainty || Set(candidates) != Set(given.candidates)
        else { return false }
        if given.isOpen, !row.isOpen { open -= 1 }
        resets[id]?.isOpen = given.isOpen && row.isOpen
        resets[id]?.cause = row.cause
        resets[id]?.certainty = row.certainty
        resets[id]?.candidates = candidates
        resets[id]?.revision += 1
        return true
    }

    /// The entry with what it was identified by when it was given out first.
    func identified(_ reset: Reset) -> Reset {
        guard let given = resets[reset.id] else { return reset }
        var reset = reset
        reset.revision = given.revision
        reset.time = given.time
        (reset.monotonic, reset.cpu, reset.seq) = (given.mark.monotonic, given.mark.cpu, given.mark.seq)
        return reset
    }

    mutating func forget(before id: Int) {
        guard id > oldest else { return }
        oldest = id
        resets = resets.filter { $0.key >= id }
        open = resets.values.count { $0.isOpen }
    }
}

/// What tells a RST from all others of its host.
struct ResetMark: Sendable {
    var monotonic: Int64?
    var cpu: Int32?
    var seq: UInt32?

    /// As its entry has it.
    init(_ members: some Collection<Reference>, _ inventory: Inventory) {
        let observed = ObservedReset(ArraySlice(members), inventory)
        let lead = observed.lead.map(inventory.event)
        monotonic = lead?.monotonic
        cpu = lead?.cpu
        seq = observed.packets.first.map { inventory.packet($0).segment.seq } ?? lead?.seq
    }
}

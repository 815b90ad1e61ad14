import NetworkTypes

/// Signs that somebody between the two ends sent the RST (Weaver, Sommer and Paxson, "Detecting Forged TCP Reset
/// Packets", NDSS 2009).
struct Injection: Sendable {
    /// A clause each, with packet numbers.
    private(set) var signs: [String] = []
    /// Whether the signs are enough to say it.
    private(set) var isClaimed = false

    /// Steps between the sequence numbers of RSTs that known devices send in a row.
    private static let knownSteps: [(step: [UInt32], who: String)] = [
        ([1460, 2920, 4380], "a step of the Great Firewall of China (Clayton, Murdoch and Watson, PET 2006)")
    ]

    init(_ evidence: WireEvidence) {
        guard let flow = evidence.flow, flow.isKnown, flow.own.segments > 0 || flow.after.fromSender > 0 else { return }
        let reset = evidence.reset
        let own = flow.own
        // Whatever a stack sends, it starts with one TTL; a sender two of whose segments differ says nothing.
        let ttlDiffers = own.segments > 0 && own.lowestTTL == own.highestTTL && own.lowestTTL != reset.ttl
        if ttlDiffers {
            signs.append("TTL \(reset.ttl), but \(own.lowestTTL) in all \(own.segments) segments of that end before it")
        }
        let idDiffers = Self.idDiffers(evidence)
        if idDiffers, let lastID = own.lastID {
            signs.append("IP id \(reset.ipID), but the end counts on from \(lastID)")
        }
        let goesOn = Self.goesOn(evidence)
        if let goesOn { signs.append(goesOn) }
        let races = Self.racesAnswer(evidence)
        if let races { signs.append(races) }
        let steps = Self.steps(evidence)
        if let steps { signs.append(steps) }
        let copied =
            evidence.trigger.map { $0.ipID != 0 && $0.ipID == reset.ipID && evidence.tuple.source.isIPv4 } ?? false
        if copied, let trigger = evidence.trigger {
            signs.append("its IP id \(reset.ipID) is copied from packet \(trigger.number)")
        }
        if let file = evidence.absentAtSender { signs.append("\(file), taken at that end, never saw it") }
        // One sign alone may have a harmless reason: a router that rejects, an answer that crosses other segments.
        let headers = (ttlDiffers ? 1 : 0) + (idDiffers ? 1 : 0) + (copied ? 1 : 0)
        let behaviour = (goesOn == nil ? 0 : 1) + (steps == nil ? 0 : 1)
        isClaimed =
            races != nil || evidence.absentAtSender != nil || headers >= 2 || headers >= 1 && behaviour >= 1
            || behaviour >= 2
    }

    /// The end counts its segments in IP identifications, and this one is not in that row. Linux answers with 0 whatever
    /// its sockets count.
    private static func idDiffers(_ evidence: WireEvidence) -> Bool {
        let own = evidence.own
        guard evidence.tuple.source.isIPv4, evidence.reset.ipID != 0, own.idPairs >= 3,
            own.smallIDSteps * 4 >= own.idPairs * 3, let last = own.lastID
        else { return false }
        let step = evidence.reset.ipID &- last
        return step > 1024 && step < UInt16.max - 1024
    }

    /// The end that "sent" the RST goes on with new data as if it had not.
    private static func goesOn(_ evidence: WireEvidence) -> String? {
        guard let next = evidence.flow?.after.senderFirstData, !next.flags.contains(.syn) else { return nil }
        // What had been sent before the RST may come in after it.
        guard next.time.distance(from: evidence.reset.time) > 1_000_000,
            evidence.flow?.recollection.hadBegun(at: next.seq) != true
        else { return nil }
        let isNew = evidence.own.segments == 0 || !evidence.own.nextSeq.follows(next.seq)
        return isNew ? "that end sends new data after it (packet \(next.number), \(next.length) bytes)" : nil
    }

    /// The RST refuses a SYN, and the SYN is then accepted all the same.
    private static func racesAnswer(_ evidence: WireEvidence) -> String? {
        guard evidence.situation == .answersSyn, let flow = evidence.flow, flow.own.segments == 0,
            let answer = flow.after.senderFirst, answer.isSynAck, answer.ack == evidence.reset.ack,
            answer.time.distance(from: evidence.reset.time) < 1_000_000_000
        else { return nil }
        // A client that tries again may be lucky.
        if let again = flow.after.peerFirst, again.number < answer.number, again.flags.contains(.syn) { return nil }
        return "packet \(answer.number) accepts the SYN that it refuses"
    }

    /// Several RSTs in a row whose sequence numbers go up, so that one of them hits the window.
    private static func steps(_ evidence: WireEvidence) -> String? {
        guard let flow = evidence.flow else { return nil }
        let others = flow.own.resets.map(LaterNote.init) + [flow.after.nextReset].compactMap { $0 }
        for other in others where other.time.distance(from: evidence.reset.time) < 1_000_000_000 {
            let step = min(other.seq &- evidence.reset.seq, evidence.reset.seq &- other.seq)
            guard step != 0 else { continue }
            if let known = knownSteps.first(where: { $0.step.contains(step) }) {
                return "its sequence number and that of packet \(other.number) differ by \(step): \(known.who)"
            }
        }
        return climb(evidence, flow)
    }

    /// The same from a device that nobody knows: three RSTs and more, each further into what the end has yet to send, and
    /// none an answer to anything. What a host answers to takes its number from the segment it answers.
    private static func climb(_ evidence: WireEvidence, _ flow: FlowContext) -> String? {
        guard !evidence.isFiltered, evidence.trigger == nil, flow.own.segments > 0, flow.own.holes == 0 else {
            return nil
        }
        let row = flow.resetsOfSender.filter { $0.time.distance(from: evidence.reset.time) < 1_000_000_000 }
        let steps = zip(row, row.dropFirst()).map { $1.seq &- $0.seq }
        guard row.count >= 3, steps.allSatisfy({ $0 > 0 && $0 < maximumStep }),
            row.contains(where: { $0.number == evidence.reset.number }),
            row[row.count - 1].seq.follows(flow.own.nextSeq)
        else { return nil }
        return
            "one of \(row.count) RSTs whose sequence numbers go up by \(steps.map(String.init).joined(separator: ", ")), ahead of what that end has sent: a row that is to hit the window"
    }

    /// Of the largest window there is without scaling.
    private static let maximumStep: UInt32 = 1 << 16
}

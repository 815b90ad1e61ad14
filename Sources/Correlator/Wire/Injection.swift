import NetworkTypes

/// Signs that somebody between the two ends sent the RST (Weaver, Sommer and Paxson, "Detecting Forged TCP Reset
/// Packets", NDSS 2009).
struct Injection: Sendable {
    private(set) var signs: [Sign] = []
    /// Whether the signs are enough to say it.
    private(set) var isClaimed = false

    /// What speaks for it. Words are made of it where somebody wants to read them: every RST is asked, and few have any.
    enum Sign: Sendable {
        /// The RST's TTL is not that of all segments of its end.
        case otherTTL(UInt8, usual: UInt8, segments: Int)
        case otherID(UInt16, last: UInt16)
        case goesOn(LaterNote)
        /// The packet that accepts the SYN that the RST refuses.
        case races(Int)
        case knownStep(UInt32, from: Int, who: String)
        case climbs([UInt32])
        /// The IP identification is that of the segment it answers.
        case copiedID(UInt16, from: Int)
        /// The file of a capture at its end that never saw it.
        case absent(String)
    }

    /// Steps between the sequence numbers of RSTs that known devices send in a row.
    private static let knownSteps: [(step: [UInt32], who: String)] = [
        ([1460, 2920, 4380], "a step of the Great Firewall of China (Clayton, Murdoch and Watson, PET 2006)")
    ]

    init(_ evidence: WireEvidence) {
        guard let flow = evidence.flow, flow.isKnown, flow.own.segments > 0 || flow.after.fromSender > 0 else { return }
        let reset = evidence.reset
        // Whatever a stack sends, it starts with one TTL; a sender two of whose segments differ says nothing.
        if evidence.own.segments > 0, evidence.own.lowestTTL == evidence.own.highestTTL,
            evidence.own.lowestTTL != reset.ttl
        {
            signs.append(
                .otherTTL(reset.ttl, usual: evidence.own.lowestTTL, segments: evidence.own.segments))
        }
        if Self.idDiffers(evidence), let lastID = evidence.own.lastID {
            signs.append(.otherID(reset.ipID, last: lastID))
        }
        if let next = Self.goesOn(evidence) { signs.append(.goesOn(next)) }
        if let number = Self.racesAnswer(evidence) { signs.append(.races(number)) }
        if let sign = Self.steps(evidence) { signs.append(sign) }
        if let trigger = evidence.trigger, trigger.ipID != 0, trigger.ipID == reset.ipID,
            evidence.tuple.source.isIPv4
        {
            signs.append(.copiedID(reset.ipID, from: trigger.number))
        }
        if let file = evidence.absentAtSender { signs.append(.absent(file)) }
        if !signs.isEmpty { isClaimed = Self.claims(signs) }
    }

    /// One sign alone may have a harmless reason: a router that rejects, an answer that crosses other segments.
    private static func claims(_ signs: [Sign]) -> Bool {
        var headers = 0
        var behaviour = 0
        for sign in signs {
            switch sign {
            case .races, .absent: return true
            case .otherTTL, .otherID, .copiedID: headers += 1
            case .goesOn, .knownStep, .climbs: behaviour += 1
            }
        }
        return headers >= 2 || headers >= 1 && behaviour >= 1 || behaviour >= 2
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
    private static func goesOn(_ evidence: WireEvidence) -> LaterNote? {
        guard let next = evidence.flow?.after.senderFirstData, !next.flags.contains(.syn) else { return nil }
        // What had been sent before the RST may come in after it.
        guard next.time.distance(from: evidence.reset.time) > 1_000_000,
            evidence.flow?.recollection.hadBegun(at: next.seq) != true
        else { return nil }
        let isNew = evidence.own.segments == 0 || !evidence.own.nextSeq.follows(next.seq)
        return isNew ? next : nil
    }

    /// The RST refuses a SYN, and the SYN is then accepted all the same.
    private static func racesAnswer(_ evidence: WireEvidence) -> Int? {
        guard evidence.situation == .answersSyn, let flow = evidence.flow, flow.own.segments == 0,
            let answer = flow.after.senderFirst, answer.isSynAck, answer.ack == evidence.reset.ack,
            answer.time.distance(from: evidence.reset.time) < 1_000_000_000
        else { return nil }
        // A client that tries again may be lucky.
        if let again = flow.after.peerFirst, again.number < answer.number, again.flags.contains(.syn) { return nil }
        return answer.number
    }

    /// Several RSTs in a row whose sequence numbers go up, so that one of them hits the window.
    private static func steps(_ evidence: WireEvidence) -> Sign? {
        guard let flow = evidence.flow, flow.hasOtherResetsOfSender else { return nil }
        let others = flow.own.resets.map(LaterNote.init) + [flow.after.nextReset].compactMap { $0 }
        for other in others where other.time.distance(from: evidence.reset.time) < 1_000_000_000 {
            let step = min(other.seq &- evidence.reset.seq, evidence.reset.seq &- other.seq)
            guard step != 0 else { continue }
            if let known = knownSteps.first(where: { $0.step.contains(step) }) {
                return .knownStep(step, from: other.number, who: known.who)
            }
        }
        return climb(evidence, flow)
    }

    /// The same from a device that nobody knows: three RSTs and more, each further into what the end has yet to send, and
    /// none but the first an answer to anything. What a host answers to takes its number from the segment it answers.
    private static func climb(_ evidence: WireEvidence, _ flow: FlowContext) -> Sign? {
        guard !evidence.isFiltered, flow.own.segments > 0, flow.own.holes == 0 else { return nil }
        let row = flow.resetsOfSender.filter { $0.time.distance(from: evidence.reset.time) < 1_000_000_000 }
        let steps = zip(row, row.dropFirst()).map { $1.seq &- $0.seq }
        guard row.count >= 3, steps.allSatisfy({ $0 > 0 && $0 < maximumStep }),
            let place = row.firstIndex(where: { $0.number == evidence.reset.number }),
            row[row.count - 1].seq.follows(flow.own.nextSeq)
        else { return nil }
        // Who forges a row may begin where the receiver is (tcpkill): all the others are ahead of what the end has sent.
        guard evidence.trigger == nil || place == 0 && row[1].seq.follows(flow.own.nextSeq) else { return nil }
        return .climbs(steps)
    }

    /// Of the largest window there is without scaling.
    private static let maximumStep: UInt32 = 1 << 16
}

extension Injection.Sign {
    /// A clause, with packet numbers.
    var text: String {
        switch self {
        case .otherTTL(let ttl, let usual, let segments):
            "TTL \(ttl), but \(usual) in all \(segments) segments of that end before it"
        case .otherID(let id, let last): "IP id \(id), but the end counts on from \(last)"
        case .goesOn(let next): "that end sends new data after it (packet \(next.number), \(next.length) bytes)"
        case .races(let number): "packet \(number) accepts the SYN that it refuses"
        case .knownStep(let step, let number, let who):
            "its sequence number and that of packet \(number) differ by \(step): \(who)"
        case .climbs(let steps):
            "one of \(steps.count + 1) RSTs whose sequence numbers go up by \(steps.map(String.init).joined(separator: ", ")), ahead of what that end has sent: a row that is to hit the window"
        case .copiedID(let id, let number): "its IP id \(id) is copied from packet \(number)"
        case .absent(let file): "\(file), taken at that end, never saw it"
        }
    }
}

import NetworkTypes

/// Signs that somebody between the two ends sent the RST (Weaver, Sommer and Paxson, "Detecting Forged TCP Reset
/// Packets", NDSS 2009).
struct Injection: Sendable {
    private(set) var signs: [Sign] = []
    private(set) var claim = Claim.none

    enum Claim: Sendable, Equatable {
        case none
        /// Something is odd that also has harmless explanations: it is reported, but nothing follows from it.
        case odd
        /// It may come from a rule on a router before the end.
        case rejected
        /// One sign is strong: a candidate.
        case suspected
        /// The signs are enough to say it.
        case claimed
    }

    /// Steps between the sequence numbers of RSTs that known devices send in a row: Clayton, Murdoch and Watson, "Ignoring the
    /// Great Firewall of China", PET 2006; 12503 is that of public captures (fixtures/packets/injected-pair-in-a-row), where
    /// TTL, window and IP ids show the third party by themselves. That no stack steps ahead of what it has sent is the test
    /// RST_SEQ_CHANGE of Weaver, Sommer and Paxson.
    private static let knownSteps: [(step: [UInt32], who: String)] = [
        ([1460, 2920, 4380], "a step of the Great Firewall of China (Clayton, Murdoch and Watson, PET 2006)"),
        (
            [12503], "the step in public captures of RSTs that a provider injected (attributed to Sandvine's devices)"
        ),
    ]

    /// - Parameters:
    ///   - reset: the RST.
    ///   - flow: its connection.
    ///   - trigger: the segment of the other end that it answers, if one fits.
    init(
        _ reset: SegmentNote, _ flow: ConnectionContext, _ trigger: SegmentNote?, isIPv4: Bool, isFiltered: Bool,
        absentAtSender: String? = nil, hasUnknownPayload: Bool = false
    ) {
        guard flow.isKnown, !reset.isMalformed else { return }
        if let sign = Self.otherTTL(reset, flow) { signs.append(sign) }
        if isIPv4 { addIdentification(reset, flow) }
        if !reset.flags.contains(.ack), reset.window != 0, flow.own.last?.window != reset.window {
            signs.append(.oddWindow(reset.window))
        }
        if hasUnknownPayload { signs.append(.payload(reset.length)) }
        addTimes(reset, flow)
        addBehaviour(reset, flow, trigger)
        if let sign = Self.steps(reset, flow, trigger, isFiltered: isFiltered) { signs.append(sign) }
        if let file = absentAtSender { signs.append(.absent(file)) }
        if let number = flow.strangers.sibling { signs.append(.sibling(number)) }
        if let number = flow.strangers.likeElsewhere { signs.append(.knownElsewhere(number)) }
        if !signs.isEmpty { claim = Self.claim(signs, mayReject: Self.mayReject(reset, flow, isIPv4: isIPv4)) }
    }

    /// Its header is that of a REJECT rule on a router before the end (nf_send_reset()), which has another TTL than the end,
    /// is nearer, and cannot keep the end from going on.
    private static func mayReject(_ reset: SegmentNote, _ flow: ConnectionContext, isIPv4: Bool) -> Bool {
        reset.isBareAnswer && (!isIPv4 || reset.ipID == 0) && SenderSignature.initialTTL(reset.ttl) == 64
            && reset.kinds == [] && (flow.own.segments == 0 || reset.ttl >= flow.own.lowestTTL)
    }

    /// One sign alone may have a harmless reason: an answer that crosses other segments, a path that has changed.
    private static func claim(_ signs: [Sign], mayReject: Bool) -> Claim {
        var (headers, slight, behaviour, rejecting) = (0, 0, 0, 0)
        for sign in signs {
            if mayReject, sign.isThatOfReject {
                rejecting += 1
                continue
            }
            switch sign.weight {
            case .decisive: return .claimed
            case .header: headers += 1
            case .slight: slight += 1
            case .behaviour: behaviour += 1
            }
        }
        // A window of its own and one hop are too little together, and nothing to build on alone.
        if behaviour > 1 || headers > 1 || behaviour + headers == 1 && slight + rejecting > 0 || behaviour * headers > 0
        {
            return .claimed
        }
        if behaviour + headers > 0 { return .suspected }
        return rejecting > 0 ? .rejected : .odd
    }

    /// Whatever a stack sends, it starts with one TTL; a sender two of whose segments differ says nothing.
    private static func otherTTL(_ reset: SegmentNote, _ flow: ConnectionContext) -> Sign? {
        // Who answers a SYN in another's name cannot keep that one from answering, too.
        let side = flow.own.segments > 0 ? flow.own : flow.after.fromSender > 0 ? flow.finalOwn : flow.own
        guard side.segments > 0, side.lowestTTL == side.highestTTL, side.lowestTTL != reset.ttl else { return nil }
        return .otherTTL(reset.ttl, usual: side.lowestTTL, segments: side.segments)
    }

    /// The end counts its segments in IP identifications, and this one is not in that row; or it is in the other's.
    private mutating func addIdentification(_ reset: SegmentNote, _ flow: ConnectionContext) {
        let own = flow.own
        if flow.answerHistory.copied != 0 {
            let isWindow = reset.window != 0 && reset.window == flow.peer.last?.window
            signs.append(
                .copied(
                    reset.ipID, from: flow.answerHistory.copied, window: isWindow && own.last?.window != reset.window))
            return
        }
        // An answer is not the socket's, and has 0 or an identification from elsewhere (Linux before 4.19). Where one counter
        // serves all connections of a host, it goes far in a while.
        guard reset.ipID != 0, !reset.isBareAnswer, own.idPairs >= 3, own.smallIDSteps * 4 >= own.idPairs * 3,
            let last = own.last, last.ipID != 0, reset.time.distance(from: last.time) < 1_000_000_000
        else { return }
        let step = reset.ipID &- last.ipID
        if step > ConnectionSide.usualIDStep, step < UInt16.max - ConnectionSide.usualIDStep {
            signs.append(.otherID(reset.ipID, last: last.ipID))
        }
    }

    private mutating func addTimes(_ reset: SegmentNote, _ flow: ConnectionContext) {
        if let delay = flow.answerHistory.longestDelay, let roundTrip = flow.roundTrip,
            roundTrip >= Self.leastRoundTrip,
            delay < roundTrip / 4
        {
            signs.append(.tooFast(delay, roundTrip: roundTrip))
        }
        guard flow.hasOtherResetsOfSender else { return }
        let burst = flow.resetsOfSender.filter { $0.time.distance(from: reset.time) < Self.burst }
        // A router shows a RST twice, the second time with one hop less.
        let once = burst.enumerated().filter { place, note in
            !burst[..<place].contains { $0.isEqual(to: note) && $0.ttl > note.ttl }
        }
        let all = Set(once.map(\.element.ttl)).sorted()
        if all.count > 1 { signs.append(.severalTTLs(all)) }
    }

    /// Below it, nanoseconds, what it takes the host itself to answer weighs more than the way.
    private static let leastRoundTrip: UInt64 = 2_000_000
    private static let burst: UInt64 = 1_000_000

    private mutating func addBehaviour(_ reset: SegmentNote, _ flow: ConnectionContext, _ trigger: SegmentNote?) {
        if let next = Self.goesOn(reset, flow) { signs.append(.goesOn(next)) }
        if let number = Self.racesAnswer(reset, flow) { signs.append(.races(number)) }
        if let trigger, let last = flow.own.last, Self.deniesTaken(reset, flow, trigger, last) {
            signs.append(.deniesTaken(trigger.number, by: last.number))
        }
        if trigger == nil, let theirs = flow.peer.resets.last, flow.own.segments > 0,
            theirs.seq == flow.own.highestAck,
            reset.time > theirs.time, reset.time.distance(from: theirs.time) > 1_000_000_000
        {
            signs.append(.afterReset(theirs.number, reset.time.distance(from: theirs.time)))
        }
    }

    /// It takes its number from a segment that the end had acknowledged, and answered since: that end has the connection,
    /// and the other one has had the answer.
    private static func deniesTaken(
        _ reset: SegmentNote, _ flow: ConnectionContext, _ trigger: SegmentNote, _ last: SegmentNote
    ) -> Bool {
        !reset.flags.contains(.ack) && trigger.length > 0 && last.number > trigger.number && last.flags.contains(.ack)
            && !trigger.end.follows(last.ack) && flow.own.nextSeq.follows(reset.seq)
            && flow.peer.highestAck?.follows(reset.seq) == true && flow.own.fin == nil
    }

    /// The end that "sent" the RST goes on as if it had not.
    private static func goesOn(_ reset: SegmentNote, _ flow: ConnectionContext) -> LaterNote? {
        // A SYN that is pending is no connection that could be reset: what was refused belonged to another one.
        let isOpening = flow.own.syn?.isPlainSyn == true && !flow.own.hasMoreThanSyn
        guard flow.own.segments > 0 || flow.peer.syn == nil, !isOpening else { return nil }
        if let next = flow.after.senderFirstData, !next.flags.contains(.syn),
            // What had been sent before the RST may come in after it.
            next.time > reset.time, next.time.distance(from: reset.time) > 1_000_000,
            !flow.answerHistory.hadBegun(at: next.seq),
            flow.own.segments == 0 || !flow.own.nextSeq.follows(next.seq)
        {
            return next
        }
        if let next = flow.after.senderFirst, next.length == 0, next.flags.contains(.ack),
            next.flags.isDisjoint(with: [.syn, .fin]), let known = flow.own.highestAck, next.ack.follows(known),
            next.time > reset.time, next.time.distance(from: reset.time) > 20_000_000
        {
            return next
        }
        return nil
    }

    /// The RST refuses a SYN, and the SYN is then accepted all the same.
    private static func racesAnswer(_ reset: SegmentNote, _ flow: ConnectionContext) -> Int? {
        guard let syn = flow.peer.syn, syn.isPlainSyn, flow.own.segments == 0, flow.peer.hasMoreThanSyn == false,
            let answer = flow.after.senderFirst, answer.isSynAck, answer.ack == syn.end,
            reset.ack == syn.end || reset.ack == syn.seq,
            answer.time > reset.time, answer.time.distance(from: reset.time) < 3_000_000_000
        else { return nil }
        // A client that tries again may be lucky.
        if flow.peer.synRepeats > 0 { return nil }
        if let again = flow.after.peerFirst, again.number < answer.number, again.flags.contains(.syn) { return nil }
        return answer.number
    }

    /// Several RSTs in a row whose sequence numbers go up, so that one of them hits the window.
    private static func steps(
        _ reset: SegmentNote, _ flow: ConnectionContext, _ trigger: SegmentNote?, isFiltered: Bool
    ) -> Sign? {
        guard flow.hasOtherResetsOfSender else { return nil }
        let others = flow.own.resets.map(LaterNote.init) + [flow.after.nextReset].compactMap { $0 }
        for other in others where other.time.distance(from: reset.time) < 1_000_000_000 {
            let step = min(other.seq &- reset.seq, reset.seq &- other.seq)
            let last = other.seq.follows(reset.seq) ? other.seq : reset.seq
            // A host that answers the acknowledgments of full segments steps by their size, too, but not ahead.
            guard step != 0, flow.own.segments == 0 || last.follows(flow.own.nextSeq) else { continue }
            if let known = knownSteps.first(where: { $0.step.contains(step) }) {
                return .knownStep(step, from: other.number, who: known.who)
            }
        }
        return climb(reset, flow, trigger, isFiltered: isFiltered)
    }

    /// The same from a device that nobody knows: three RSTs and more, each further into what the end has yet to send, and
    /// none but the first an answer to anything. What a host answers to takes its number from the segment it answers.
    private static func climb(
        _ reset: SegmentNote, _ flow: ConnectionContext, _ trigger: SegmentNote?, isFiltered: Bool
    ) -> Sign? {
        guard !isFiltered, flow.own.segments > 0, flow.own.holes == 0 else { return nil }
        let row = flow.resetsOfSender.filter { $0.time.distance(from: reset.time) < 1_000_000_000 }
        let steps = zip(row, row.dropFirst()).map { $1.seq &- $0.seq }
        guard row.count >= 3, steps.allSatisfy({ $0 > 0 && $0 < maximumStep }),
            let place = row.firstIndex(where: { $0.number == reset.number }),
            row[row.count - 1].seq.follows(flow.own.nextSeq)
        else { return nil }
        // Who forges a row may begin where the receiver is (tcpkill): all the others are ahead of what the end has sent.
        guard trigger == nil || place == 0 && row[1].seq.follows(flow.own.nextSeq) else { return nil }
        return .climbs(steps)
    }

    /// Of the largest window there is without scaling.
    private static let maximumStep: UInt32 = 1 << 16
}

extension ConnectionSide {
    /// It has sent something else than its SYN or SYN+ACK.
    var hasMoreThanSyn: Bool { segments > (syn == nil ? 0 : 1 + synRepeats) }
}

extension ConnectionContext {
    /// Nanoseconds from the capture to the sender of the RST and back, as the handshake shows it; nil without one.
    var roundTrip: UInt64? {
        guard let mine = own.syn, let theirs = peer.syn, own.synRepeats == 0, peer.synRepeats == 0,
            own.otherSyn == nil, peer.otherSyn == nil
        else { return nil }
        if mine.isSynAck { return mine.time.distance(from: theirs.time) }
        return theirs.isSynAck ? own.firstAckTime?.distance(from: theirs.time) : nil
    }
}

import NetworkTypes
import PcapReader

extension EntryBuilder {
    /// What the packets show, each with the packet it is seen in.
    func wireFacts(_ sighting: WireSighting, _ packets: FewReferences) -> [Fact] {
        let evidence = sighting.evidence
        var facts = WireFacts(evidence, sighting.scores ?? WireScores(evidence)).facts
        facts += absentFacts(evidence, sighting, packets)
        return facts
    }

    /// Captures that have the connection, and not this RST.
    private func absentFacts(_ evidence: WireEvidence, _ sighting: WireSighting, _ packets: FewReferences) -> [Fact] {
        guard inventory.captures.count > 1 else { return [] }
        let sources = Set(packets.map(\.source))
        return inventory.captures.indices.compactMap { index in
            guard !sources.contains(Int32(index)),
                let connection = inventory.captures[index].connections.table.connection(of: evidence.tuple)
            else { return nil }
            let count = connection.source.segments + connection.destination.segments
            return Fact(
                "\(inventory.captures[index].file) has \(count) segments of this connection, but not this RST: it was lost on the path, or made there",
                from: .report)
        }
    }
}

/// Turns the evidence of packets into sentences.
struct WireFacts {
    private(set) var facts: [Fact] = []
    private let evidence: WireEvidence

    init(_ evidence: WireEvidence, _ scores: WireScores) {
        self.evidence = evidence
        because(scores)
        if let repetition = evidence.repetition {
            add("the same RST as packet \(evidence.reset.number): it was captured twice", from: repetition)
        }
        if [.min, .max].contains(evidence.reset.time) {
            add(
                "its time in the file is outside the years 1677 to 2262: how long anything took is unknown"
            )
        }
        payload()
        answered()
        belongs()
        add(evidence.refusedOnTheWay)
        if let flow = evidence.flow, flow.isKnown, let copy = Self.copyInFile(evidence, flow) {
            // Nothing between the two in the file came after one or before the other.
            add(
                "the file repeats its own packets: packet \(copy) is this one, at the same time",
                from: copy)
            handshake(flow)
            if evidence.reset.number < copy { traffic(flow) }
            endings(flow)
            add(Acceptance(evidence).sentence)
        } else if let flow = evidence.flow, flow.isKnown {
            handshake(flow)
            traffic(flow)
            endings(flow)
            troubles(flow.own, "the sender of the RST")
            troubles(flow.peer, "the other end")
            strangers(flow.own)
            strangers(flow.peer)
            add(Acceptance(evidence).sentence)
            after(flow)
            earlier(flow)
        } else {
            let isUnread = evidence.situation == .unread
            add(
                isUnread
                    ? "the capture was read once, for its RSTs alone"
                    : evidence.own.resetCount > 0
                        ? "the capture has nothing of this connection before the RST but other RSTs"
                        : "the capture has nothing of this connection before the RST")
            if !isUnread { repeats() }
        }
        silence()
        pauses()
        alerts()
        add(SenderSignature(evidence).sentence)
        addSigns(evidence.injection)
    }

    /// What speaks for a third party is said as strongly as the verdict takes it.
    private mutating func addSigns(_ injection: Injection) {
        for sign in injection.signs {
            switch injection.claim {
            case .claimed, .suspected: add("does not fit the end that it claims to be from: \(sign.text)")
            case .rejected: add("fits a rule or a device that answers in the end's name: \(sign.text)")
            case .odd, .none:
                if case .otherTTL = sign {
                    add("\(sign.text): a router may have answered for the end, or the path has changed")
                } else {
                    add("\(sign.text): some devices do that")
                }
            }
        }
        if evidence.reset.isMalformed {
            add("its flags are \(evidence.reset.flags): no stack sends such a RST; its header is damaged or made up")
        }
    }

    private mutating func add(_ fact: String?, from number: Int? = nil) {
        guard let fact else { return }
        facts.append(Fact(fact, from: .packet(number ?? evidence.reset.number)))
    }

    /// What speaks for the verdict and for its alternatives, the strongest first.
    private mutating func because(_ scores: WireScores) {
        for (rule, score) in scores.near.prefix(WireScore.maximumCandidates) {
            if let because = score.because { add("\(rule.cause.rawValue): \(because)") }
        }
    }

    private mutating func payload() {
        guard !evidence.payload.isEmpty else { return }
        if let stated = evidence.stated {
            add(stated.sentence)
        } else {
            add("the RST carries \(evidence.reset.length) bytes in an unknown format")
        }
    }

    private mutating func answered() {
        guard let trigger = evidence.trigger, evidence.situation != .aborts else { return }
        let number =
            trigger.flags.contains(.ack) ? "whose acknowledgment is its sequence number" : "which it acknowledges"
        let flags = trigger.flags.rawValue & 0x1ff == 0 ? "no flags" : "flags \(trigger.flags)"
        let age = evidence.distance(evidence.reset, trigger)
        add(
            "answers a segment with \(flags) and \(trigger.length) bytes of data, \(number), after \(TimeSpan(nanoseconds: age))",
            from: trigger.number)
    }

    /// Where the segment belongs that is refused here.
    private mutating func belongs() {
        if let gap = evidence.translationGap {
            let end = gap.destination.text(port: gap.port)
            add(
                gap.isSyn
                    ? "packet \(gap.packet) is the SYN that the SYN+ACK answers, to \(end): the answer was not translated back"
                    : "in the connection to \(end) the same end expected exactly this segment (packet \(gap.packet)): it was not translated",
                from: gap.packet)
        }
        if let below = evidence.bytesBelowWindow, let trigger = evidence.trigger, trigger.length > 0 {
            let grouped = Int(below).grouped
            add(
                evidence.isBelowWindowOfTracking
                    ? "the segment it answers is already acknowledged, \(grouped) bytes below the window: conntrack finds such a segment INVALID"
                    : "the segment it answers is already acknowledged: it begins \(grouped) bytes below the window",
                from: trigger.number)
        }
    }

    private mutating func handshake(_ flow: ConnectionContext) {
        let mine = flow.own.syn, theirs = flow.peer.syn
        switch (flow.opener, mine, theirs) {
        case (.sender, let syn?, let answer):
            add(
                "the sender of the RST opened the connection\(answer.map { ", SYN+ACK in packet \($0.number)" } ?? "")",
                from: syn.number)
        case (.receiver, let answer, let syn?):
            add(
                "the other end opened the connection\(answer.map { ", SYN+ACK in packet \($0.number)" } ?? "")",
                from: syn.number)
        case (_, let mine?, let theirs?):
            add("both ends sent a SYN (packets \(mine.number) and \(theirs.number))", from: theirs.number)
        case (_, let syn?, nil), (_, nil, let syn?):
            add("the capture begins with the SYN+ACK of this connection", from: syn.number)
        default: add("the capture begins in the middle of this connection", from: flow.last?.number)
        }
    }

    private mutating func traffic(_ flow: ConnectionContext) {
        add(
            "before the RST: \(flow.own.segments) segments with \(flow.own.bytes) bytes of data from its sender, "
                + "\(flow.peer.segments) with \(flow.peer.bytes) from the other end", from: flow.last?.number)
        if evidence.isSparse {
            add("the capture does not have all segments of this connection", from: flow.last?.number)
        }
        // A FIN counts as one, and is no byte.
        let hasFin = flow.own.fin.map { $0.end == flow.own.nextSeq } == true
        if evidence.unacknowledged > (hasFin ? 1 : 0) {
            let count = evidence.unacknowledged - (hasFin ? 1 : 0)
            add(
                "\(count) byte\(count == 1 ? "" : "s") from its sender had not been acknowledged",
                from: flow.own.last?.number)
        }
        if let data = flow.peer.lastData, evidence.reset.flags.contains(.ack), data.end.follows(evidence.reset.ack) {
            add("it does not acknowledge this data from the other end, which crossed the RST", from: data.number)
        }
        if flow.duplicates > 0 { add("\(flow.duplicates) segments were captured twice and count once") }
    }

    private mutating func endings(_ flow: ConnectionContext) {
        if let fin = flow.own.fin {
            let acknowledged = evidence.finWasAcknowledged ? ", acknowledged before the RST" : ""
            add("the sender of the RST had closed its side (FIN)\(acknowledged)", from: fin.number)
        }
        if let fin = flow.peer.fin { add("the other end had closed its side (FIN)", from: fin.number) }
        if evidence.bothEnded, !evidence.losesData, flow.own.injected == nil, flow.peer.injected == nil {
            add("both ends had sent their FIN before the RST: no data was lost through it")
        }
    }

    private mutating func troubles(_ side: ConnectionSide, _ who: String) {
        if side.synRepeats > 0, let syn = side.syn {
            add("\(who) sent its SYN \(side.synRepeats + 1) times", from: syn.number)
        }
        if side.retransmissions > 0, let last = side.lastRetransmission {
            var text = "\(who) retransmitted \(side.retransmissions) segment\(side.retransmissions == 1 ? "" : "s")"
            let times = side.retransmissionTimes
            let gaps = zip(times, times.dropFirst()).map { TimeSpan(nanoseconds: $1.distance(from: $0)).description }
            if !gaps.isEmpty { text += ", the last of them \(gaps.joined(separator: ", ")) apart" }
            if side.retransmissionsSinceHeard > 0 {
                text += "; \(side.retransmissionsSinceHeard) since the other end was last heard from"
            }
            add(text, from: last.number)
        }
        if side.probes > 0, let last = side.lastProbe {
            add(
                "\(who) sent \(side.probes) keepalive probe\(side.probes == 1 ? "" : "s"), "
                    + "\(side.probesSinceHeard) of them unanswered", from: last.number)
        }
        if side.windowProbes > 0, let last = side.lastWindowProbe {
            add(
                "\(who) probed the other end's closed window \(side.windowProbes) time\(side.windowProbes == 1 ? "" : "s")",
                from: last.number)
        }
        if side.zeroWindows > 0, let last = side.lastZeroWindow {
            let times = side.zeroWindows == 1 ? "once" : "\(side.zeroWindows) times"
            add(
                "\(who) closed its window \(times)\(side.windowIsZero ? ", and it stayed closed" : "")",
                from: last.number)
        }
    }

    /// Segments that a third party sent in the name of an end.
    private mutating func strangers(_ side: ConnectionSide) {
        if let suspect = side.injected {
            let signs = suspect.signs
            var parts: [String] = []
            if signs.contains(.otherTTL) { parts.append("its TTL is \(suspect.note.ttl)") }
            if signs.contains(.noTimestamps) { parts.append("it lacks the timestamps that both ends agreed on") }
            if signs.contains(.copiedID) { parts.append("its IP ID is copied from the segment it answers") }
            if let conflict = suspect.conflict {
                parts.append("packet \(conflict.number) (TTL \(conflict.ttl)) has other data in its place")
            }
            add("an injected segment: \(parts.joined(separator: ", "))", from: suspect.note.number)
        }
    }

    private mutating func after(_ flow: ConnectionContext) {
        if let next = flow.after.senderFirst {
            add("its sender goes on after it: \(flow.after.fromSender) more segments", from: next.number)
        }
        if flow.after.resets > 0, let next = flow.after.nextReset {
            add("its sender sends \(flow.after.resets) more RST\(flow.after.resets == 1 ? "" : "s")", from: next.number)
        }
        if let next = evidence.ignoredBy {
            let pause = TimeSpan(nanoseconds: next.time.distance(from: evidence.reset.time))
            add("the RST had no effect: the other end goes on \(pause) later", from: next.number)
        }
        if let next = flow.after.peerFirst {
            add("the other end goes on after it: \(flow.after.fromPeer) more segments", from: next.number)
        }
        if let reset = flow.after.peerReset { add("the other end sends a RST too", from: reset.number) }
    }

    /// Equal RSTs before this one, and how often they come.
    private mutating func repeats() {
        guard let last = evidence.own.resets.last, last.repeats(evidence.reset) else { return }
        var row = evidence.own.equalResets
        row.add(evidence.reset, after: last)
        // A single one is reported elsewhere.
        guard row.count > 1 || evidence.flow?.isKnown != true else { return }
        var text = "\(row.count.counted("equal RST")) before"
        let isRegular = row.count > 1 && row.shortest > 0 && row.longest / 4 <= row.shortest / 3
        if isRegular {
            let mean = evidence.reset.time.distance(from: row.firstTime) / UInt64(row.count)
            text += ", one every \(TimeSpan(nanoseconds: mean))"
        } else if row.count > 1 {
            text += ", the first \(TimeSpan(nanoseconds: evidence.reset.time.distance(from: row.firstTime))) ago"
        }
        add(text, from: last.number)
    }

    /// Some files hold their packets twice, one after the other: the packet that is this one once more.
    private static func copyInFile(_ evidence: WireEvidence, _ flow: ConnectionContext) -> Int? {
        let (number, time) = (evidence.reset.number, evidence.reset.time)
        guard flow.hasOtherResetsOfSender,
            let other = flow.resetsOfSender.first(where: {
                $0.number != number && $0.time == time && $0.ipID == evidence.reset.ipID && $0.repeats(evidence.reset)
            })
        else { return nil }
        // What lies between them came before both: time went back.
        let between =
            [flow.last.map { ($0.number, $0.time) }]
            + [flow.after.senderFirst, flow.after.peerFirst].map {
                $0.map { ($0.number, $0.time) }
            }
        let isRepetition = between.contains { note in
            note.map { $0.1 < time && min(number, other.number) < $0.0 && $0.0 < max(number, other.number) } == true
        }
        return isRepetition ? other.number : nil
    }

    private mutating func earlier(_ flow: ConnectionContext) {
        repeats()
        if flow.own.resetCount > 0, let reset = flow.own.resets.last {
            add(
                "its sender had sent \(flow.own.resetCount) RST\(flow.own.resetCount == 1 ? "" : "s") before",
                from: reset.number)
        }
        if let reset = flow.peer.resets.last { add("the other end had sent a RST before", from: reset.number) }
        if let previous = flow.previous {
            let age = (flow.last?.time ?? evidence.reset.time).distance(from: previous.time)
            let how =
                switch previous.how {
                case .byReset: "was reset \(TimeSpan(nanoseconds: age)) earlier"
                case .inOrder: "was closed in order \(TimeSpan(nanoseconds: age)) earlier"
                case .open: "was never closed; its last segment came \(TimeSpan(nanoseconds: age)) earlier"
                }
            add("an earlier connection with the same ports \(how)", from: previous.number)
        }
    }

    private mutating func silence() {
        guard let silence = evidence.silence, let last = evidence.flow?.last, silence >= WireEvidence.longSilence,
            evidence.silenceIsCertain
        else {
            return
        }
        // Between two probes the limit is that of the probes.
        let fits = evidence.unansweredProbes > 0 ? "" : Self.fitting(silence)
        add("nothing was sent for \(TimeSpan(nanoseconds: silence)) before the RST\(fits)", from: last.number)
    }

    /// The silences that other segments ended: the one that the RST answers, and the sender's FIN.
    private mutating func pauses() {
        if let pause = evidence.pauseBeforeTrigger, let trigger = evidence.trigger, evidence.situation != .aborts {
            let what =
                trigger.number == pause.before
                ? "packet \(trigger.number), which it answers" : "packet \(pause.before)"
            add(
                "\(TimeSpan(nanoseconds: pause.length)) without a packet before \(what)\(Self.fitting(pause.length))",
                from: pause.after)
        }
        if let pause = evidence.pauseBeforeData {
            add(
                "\(TimeSpan(nanoseconds: pause.length)) without a packet before packet \(pause.before), right before the RST\(Self.fitting(pause.length))",
                from: pause.after)
        }
        for (side, who) in [(evidence.own, "its sender"), (evidence.peer, "the other end")] {
            guard let pause = side.pauseBeforeFin, side.fin?.number != evidence.trigger?.number else { continue }
            add(
                "\(who) closed \(TimeSpan(nanoseconds: pause.length)) after the last packet before its FIN"
                    + Self.fitting(pause.length), from: pause.after)
        }
    }

    /// The known idle limits that a silence fits, a clause.
    private static func fitting(_ silence: UInt64) -> String {
        let limits = IdleLimits.fitting(nanoseconds: silence)
        guard !limits.isEmpty else { return "" }
        let names = limits.map { "\($0.seconds) s: \($0.who)" }.joined(separator: "; ")
        return ", which fits \(names) (defaults: most such limits can be configured)"
    }

    /// TLS alerts in clear just before the end.
    private mutating func alerts() {
        for (side, who) in [(evidence.own, "the sender of the RST"), (evidence.peer, "the other end")] {
            guard let data = side.lastData, data.fatalAlert != 0 else { continue }
            add("\(who) had sent a fatal TLS alert: \(TLSAlert.name(data.fatalAlert))", from: data.number)
        }
    }
}

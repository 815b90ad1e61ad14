import KernelEvents
import NetworkTypes

/// What the catalogue says of one RST.
public struct Verdict: Sendable, Equatable {
    public var cause: Cause
    public var category: Category
    public var certainty: Certainty
    public var summary: String
    /// What speaks for the cause, a clause, where it is inferred from packets.
    public var because: String?
    /// What would have to be known to be sure.
    public var missing: [String]
    /// Causes that the evidence cannot tell apart, the likeliest first; empty when there is only one.
    public var candidates: [Cause] = []
    /// What to do, where it is another thing than the catalogue says.
    public var advice: String?

    /// Says of it that it came, and from where is not known.
    mutating func becomeReceived() {
        guard let rule = Catalogue.rule(for: .received) else { return }
        cause = rule.cause
        category = rule.category
        summary = rule.meaning
    }
}

/// Judges by stack, state and trigger; the kernel's reason can only confirm or cast doubt.
public func judge(_ evidence: Evidence) -> Verdict {
    if evidence.path == nil, let reason = evidence.reason { return judge(reason: reason, evidence) }
    if evidence.isPathPartial, let path = evidence.path { return judge(partial: path, evidence) }
    if evidence.socket == .noneOrTimeWait { return judgeWithoutSocket(evidence) }
    let holding = evidence.repeats == .seen ? carried : rules(thatHoldFor: evidence)
    guard holding.count == 1, let rule = holding.first else {
        if holding.isEmpty, let reason = evidence.reason, evidence.dead == nil, evidence.origin == .active {
            // A recording of another program has the stack, and nothing of the socket.
            return judge(reason: reason, evidence)
        }
        return undecided(evidence, candidates: holding)
    }
    var verdict = Verdict(
        cause: rule.cause, category: rule.category, certainty: .proven, summary: rule.meaning, missing: [])
    verdict.advice = advice(rule, evidence)
    if let doubt = doubt(rule, evidence) {
        verdict.certainty = .inferred
        verdict.missing = [doubt]
        verdict.candidates = evidence.repeats == .seen ? [.forwarded, .userSpace] : alternatives(to: rule.cause)
    }
    if let reason = evidence.reason, reason != "NOT_SPECIFIED", !rule.reasons.isEmpty, !rule.reasons.contains(reason) {
        verdict.certainty = .inferred
        verdict.missing += ["the kernel's reason \(reason) does not fit this cause"]
    }
    verdict.summary = sentence(rule, evidence, verdict.certainty)
    return verdict
}

/// What keeps the only rule that holds from being proven: the kernel sends the same RST on the same path for another reason,
/// too, and what would tell them apart was not seen, or speaks against the rule.
private func doubt(_ rule: Rule, _ evidence: Evidence) -> String? {
    switch rule.cause {
    case .acceptQueueOverflow:
        guard let queue = evidence.acceptQueue else { return "how full the accept queue was" }
        return queue.isFull
            ? nil
            : "why the listener took nothing: \(queue.queued) connections waited in its queue of \(queue.backlog), so that there was room, and the kernel may have had no memory or no route"
    case .closedPort, .staleConnection:
        switch evidence.listener {
        case .fits?:
            return
                "why the listener on this address and port was not found: a BPF program (sk_lookup, SO_ATTACH_REUSEPORT_EBPF) may have refused the segment"
        case .mayFit?: return "the address of the listener on this port"
        case nil: return nil
        }
    case .dataAfterShutdown:
        // __tcp_close() calls sk_stream_wait_close() before sock_orphan().
        return evidence.linger == false
            ? nil
            : "whether the program had called shutdown(), or close(), which waits with the socket still open if SO_LINGER is on"
    case .forwarded where evidence.repeats == .seen:
        return "whether the program that wrote the segment had read it, or made one that is equal"
    case .forwarded:
        return evidence.calledFrom(.redirected)
            ? "whether it was for this host: a device may hand it to another one (ifb, a mirror) before it is received"
            : nil
    case .userSpace where evidence.repeats == .possible:
        return
            "whether the program made it, or carries it for another host: a RST with the same numbers had been there shortly before"
    case .userSpace where evidence.repeats == .unwatched:
        return
            "whether the program made it, or carries it for another host: its source is no address of this network namespace, and not all interfaces were captured"
    case .userSpace:
        return evidence.calledFrom(.tun)
            ? "whether the program that wrote it into the tun or tap device made it, or carries it for another host"
            : nil
    default: return nil
    }
}

/// The causes that such a doubt leaves, the likeliest first.
private func alternatives(to cause: Cause) -> [Cause] {
    switch cause {
    case .userSpace: [.userSpace, .forwarded]
    case .forwarded: [.forwarded, .received]
    case .dataAfterShutdown: [.dataAfterShutdown, .dataAfterClose]
    default: []
    }
}

/// A program wrote what had come before: it passes on the segments of others, as a bridge or a tunnel does.
private let carried = [Catalogue.rule(for: .forwarded)].compactMap(\.self)

/// What to do where the evidence tells more than the cause does.
private func advice(_ rule: Rule, _ evidence: Evidence) -> String? {
    switch rule.cause {
    case .staleConnection, .unexpectedSynAck, .straySegment: evidence.lostTranslation?.advice
    case .netfilterReject: evidence.firewall.flatMap { $0.isCertain ? $0.rules.first?.advice : nil }
    default: nil
    }
}

private func rules(thatHoldFor evidence: Evidence) -> [Rule] {
    // A span: all processors ask all rules, and none counts references to them meanwhile.
    let all = Catalogue.rules
    let rules = all.span
    var holding: [Rule] = []
    for index in rules.indices where rules[index].holds(evidence) { holding.append(rules[index]) }
    return holding
}

/// Recordings of other programs tell the kernel's reason and no stack. Several causes share most reasons; one that stands
/// alone is inferred, since a later kernel may use its reason elsewhere too.
private func judge(reason: String, _ evidence: Evidence) -> Verdict {
    inferred(
        evidence, from: Catalogue.rules.filter { $0.reasons.contains(reason) },
        missing: evidence.path == nil ? "the kernel's stack" : "what the application had done with the socket")
}

/// Judges by the functions that a recording names instead of a stack.
private func judge(partial path: KernelPath, _ evidence: Evidence) -> Verdict {
    let causes = path.names.lazy.reversed().compactMap { NamedFunction.causes[$0] }.first ?? []
    return inferred(
        evidence, from: causes.compactMap(Catalogue.rule(for:)),
        missing: "the functions that the recording does not name")
}

/// The only candidate, or all of them as candidates of none.
private func inferred(_ evidence: Evidence, from candidates: [Rule], missing: String) -> Verdict {
    guard candidates.count == 1, let rule = candidates.first else { return undecided(evidence, candidates: candidates) }
    return Verdict(
        cause: rule.cause, category: rule.category, certainty: .inferred, summary: sentence(rule, evidence, .inferred),
        missing: [missing])
}

/// What a function says by itself, where nothing is known of those that called it: `tcp_disconnect` is called by connect()
/// and by close() with SO_LINGER 0. Those are the functions that tcprst-gadget tells apart.
private enum NamedFunction {
    /// The likeliest first.
    static let causes: [String: [Cause]] = [
        "nf_send_reset": [.netfilterReject],
        "tcp_out_of_resources": [.abortOnMemory],
        "tcp_abort": [.socketDestroyed, .bpfSockDestroy],
        "tcp_close": [.abortOnClose, .linger2Expired, .abortOnMemory],
        "tcp_disconnect": [.lingerZero, .disconnect, .listenerClosed],
        "tcp_keepalive_timer": [.keepaliveTimeout, .userTimeout, .finWait2Timeout],
        "tcp_v4_rcv": [.closedPort, .staleConnection, .unexpectedSynAck, .straySegment, .dataAfterFullClose],
        "tcp_v4_do_rcv": [
            .staleConnectionAtListener, .dataAfterClose, .dataAfterShutdown, .linger2Expired, .badAckInHandshake,
        ],
    ]
}

/// An answer of which the kernel did not say whether it met no socket or one in TIME_WAIT: judges what either would mean.
private func judgeWithoutSocket(_ evidence: Evidence) -> Verdict {
    let triggers = evidence.trigger.map { [$0] } ?? conceivableTriggers(flags: evidence.flags)
    var possible: [Rule] = []
    for trigger in triggers {
        var assumed = evidence
        assumed.trigger = trigger
        assumed.socket = .absent
        possible += rules(thatHoldFor: assumed)
    }
    let timeWait = evidence.trigger == nil ? .possible : evidence.timeWait ?? .possible
    if timeWait != .excluded {
        var assumed = evidence
        assumed.socket = .connection
        assumed.state = .timeWait
        let rules = rules(thatHoldFor: assumed)
        possible = timeWait == .likely ? rules + possible : possible + rules
    }
    let isDecided = possible.count == 1 || timeWait == .likely || timeWait == .unlikely
    guard let rule = possible.first, isDecided else {
        return undecided(evidence, candidates: possible)
    }
    return Verdict(
        cause: rule.cause, category: rule.category, certainty: .inferred, summary: sentence(rule, evidence, .inferred),
        missing: [whatTheKernelOmits], candidates: possible.count == 1 ? [] : possible.map(\.cause))
}

private let whatTheKernelOmits =
    "the socket that the segment met: tcp_send_reset of this kernel tells of full sockets only (Linux 6.10 tells of all)"

/// RFC 9293, section 3.10.7.1: an answer with ACK is one to a segment without.
private func conceivableTriggers(flags: TCPFlags?) -> [Evidence.Trigger] {
    let conceivable: [TCPFlags] =
        switch flags?.contains(.ack) {
        case true?: [.syn, .fin]
        case false?: [[.psh, .ack], [.syn, .ack]]
        case nil: [.syn, .fin, [.psh, .ack], [.syn, .ack]]
        }
    return conceivable.map { Evidence.Trigger(flags: $0, length: 0, seq: 0, ack: 0) }
}

private func undecided(_ evidence: Evidence, candidates: [Rule]) -> Verdict {
    var missing: [String] = []
    if !candidates.isEmpty {
        missing.append("what would tell \(candidates.map(\.cause.rawValue).joined(separator: " from "))")
    }
    if evidence.path == nil { missing.append("the kernel's stack") }
    switch evidence.origin {
    case .passive:
        if evidence.socket == .noneOrTimeWait { missing.append(whatTheKernelOmits) }
        if evidence.socket == .notRecorded { missing.append("the socket that the segment met (tcp_send_reset event)") }
        if evidence.trigger == nil { missing.append("the segment that provoked the reset") }
        if evidence.state == .close, evidence.previousState == nil { missing.append("the state before CLOSE") }
    case .active:
        if evidence.state == nil { missing.append("the state of the socket (tcp_send_reset event)") }
        if evidence.state == .close, evidence.previousState == nil, evidence.linger2.map({ $0 < 0 }) == true {
            missing.append("the state before CLOSE")
        }
    case .unknown:
        let isNameless = evidence.path?.names.allSatisfy { $0.hasPrefix("0x") } == true
        missing.append(
            evidence.path?.hasWaited == true
                ? "what made it: it did not leave until \(evidence.path?.waitedFor ?? "")"
                : isNameless
                    ? "the names of the kernel's functions (recorded without CAP_SYSLOG, or kernel.kptr_restrict is 2)"
                    : "a rule for this kernel path")
    default: break
    }
    let rule = Catalogue.byCause[.unknown]
    return Verdict(
        cause: .unknown, category: .unknown, certainty: .unknown, summary: rule?.meaning ?? "", missing: missing,
        candidates: candidates.map(\.cause))
}

/// The meaning of the rule, with what this evidence adds to it; worded as a guess where it is one.
private func sentence(_ rule: Rule, _ evidence: Evidence, _ certainty: Certainty) -> String {
    switch rule.cause {
    case .closedPort where evidence.listener == nil && evidence.askedElsewhere != nil:
        if let (met, asked) = evidence.askedElsewhere {
            return
                "Nobody listened on \(met.sourceEnd), where this host's NAT (REDIRECT, DNAT) had sent the SYN for \(asked.sourceEnd)."
        }
    case .closedPort where evidence.listener == .fits:
        return "The kernel found no socket for the SYN, although one listens on its address and port."
    case .staleConnection where evidence.listener == .fits:
        return "The kernel found no socket for the segment, although one listens on its address and port."
    case .staleConnection, .unexpectedSynAck, .straySegment:
        if let sentence = evidence.lostTranslation?.sentence { return sentence }
    case .badAckInHandshake where certainty == .proven && evidence.reason == "TCP_RFC7323_PAWS":
        return "The other end echoed a timestamp in the handshake that this host had not sent."
    case .dataAfterFullClose where certainty == .proven && evidence.trigger?.flags.contains(.syn) == true:
        return
            "A SYN came on the ports of a connection that this host had just closed: the ports are used again too soon."
    case .forwarded where evidence.repeats == .seen:
        return "A program on this host passed the RST on: the same segment had come before the program wrote it."
    case .userSpace where evidence.calledFrom(.tun):
        return
            "A program passed the RST to this host through a tun or tap device: it made it, or carries it for another host."
    default: break
    }
    guard certainty == .proven else { return rule.guess }
    guard rule.cause == .netfilterReject, let path = evidence.path else { return rule.meaning }
    let kind = path.callers.contains(.xtables) ? "An iptables" : path.callers.contains(.nftables) ? "An nftables" : "A"
    guard let hook = path.netfilterHook else {
        return "\(kind) rule on this host rejected the segment with a TCP reset."
    }
    if let firewall = evidence.firewall, firewall.isCertain, let rule = firewall.rules.first {
        return "\(kind) rule in \(hook) on this host rejected the segment with a TCP reset: \(rule.place): \(rule.text)"
    }
    return "\(kind) rule in \(hook) on this host rejected the segment with a TCP reset."
}

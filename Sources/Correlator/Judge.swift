import KernelEvents
import NetworkTypes

/// Judges by stack, state and trigger; the kernel's reason can only confirm or cast doubt.
public func judge(_ evidence: Evidence) -> Verdict {
    if evidence.path == nil, let reason = evidence.reason { return judge(reason: reason, evidence) }
    if evidence.isPathPartial, let path = evidence.path { return judge(partial: path, evidence) }
    if evidence.socket == .noneOrTimeWait { return judgeWithoutSocket(evidence) }
    let holding = evidence.repeats == .seen ? carried : rules(thatHoldFor: evidence)
    guard holding.count == 1, let rule = holding.first else {
        if holding.isEmpty, let reason = evidence.reason, evidence.dead == nil, evidence.origin == .active {
            // A recording of another program has the stack, but nothing about the socket.
            return judge(reason: reason, evidence)
        }
        return undecided(evidence, candidates: holding)
    }
    var verdict = Verdict(rule, .proven)
    verdict.advice = rule.remedy?(evidence)
    if let doubt = rule.doubt?(evidence) {
        verdict.certainty = .inferred
        verdict.missing = [doubt.missing]
        verdict.candidates = doubt.candidates
    }
    if let reason = evidence.reason, reason != "NOT_SPECIFIED", !rule.reasons.isEmpty, !rule.reasons.contains(reason) {
        verdict.certainty = .inferred
        verdict.missing += ["why the kernel gave the reason \(reason), which does not fit this cause"]
    }
    verdict.summary = rule.summary(evidence, verdict.certainty)
    return verdict
}

/// A program wrote what had arrived before: it passes on segments of others, as a bridge or a tunnel does.
private let carried = [Catalogue.rule(for: .forwarded)].compactMap(\.self)

private func rules(thatHoldFor evidence: Evidence) -> [Rule] {
    // A span, so that processors do not count references while all of them try all rules.
    let all = Catalogue.rules
    let rules = all.span
    var holding: [Rule] = []
    for index in rules.indices where rules[index].holds(evidence) { holding.append(rules[index]) }
    return holding
}

/// Recordings of other programs have the kernel's reason but no stack. Several causes share most reasons; a cause with a
/// reason of its own is inferred, since a later kernel may use that reason elsewhere too.
private func judge(reason: String, _ evidence: Evidence) -> Verdict {
    inferred(
        evidence, from: Catalogue.byReason[reason] ?? [],
        missing: evidence.path == nil ? "the kernel's stack" : "what the application had done with the socket")
}

/// Judges by the functions that a recording names instead of a stack.
private func judge(partial path: KernelPath, _ evidence: Evidence) -> Verdict {
    let causes = path.names.lazy.reversed().compactMap { NamedFunction.causes[$0] }.first ?? []
    return inferred(
        evidence, from: causes.compactMap(Catalogue.rule(for:)),
        missing: "the kernel functions that the recording does not name")
}

/// The only candidate, or all of them as candidates of none.
private func inferred(_ evidence: Evidence, from candidates: [Rule], missing: String) -> Verdict {
    guard candidates.count == 1, let rule = candidates.first else { return undecided(evidence, candidates: candidates) }
    return Verdict(rule, .inferred, summary: rule.summary(evidence, .inferred), missing: [missing])
}

/// What a function says by itself, if its callers are not known: `tcp_disconnect` is called by connect() and by close() with
/// SO_LINGER 0. These are the functions that tcprst-gadget distinguishes.
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

/// Judges an answer for which the kernel did not report whether the segment met no socket or one in TIME_WAIT, by what either
/// would mean.
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
        rule, .inferred, summary: rule.summary(evidence, .inferred), missing: [whatTheKernelOmits],
        candidates: possible.count == 1 ? [] : possible.map(\.cause))
}

private let whatTheKernelOmits =
    "the socket that the segment met: tcp_send_reset of this kernel reports full sockets only (since Linux 6.10, all)"

/// RFC 9293, section 3.10.7.1: an answer with ACK is the answer to a segment without ACK.
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
        missing.append("what would distinguish \(candidates.map(\.cause.rawValue).joined(separator: " from "))")
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
                ? "what made the RST: it did not leave until \(evidence.path?.waitedFor ?? "")"
                : isNameless
                    ? "the names of the kernel's functions (recorded without CAP_SYSLOG, or kernel.kptr_restrict is 2)"
                    : "a rule for this kernel path")
    default: break
    }
    return Verdict(Catalogue.nothing, .unknown, missing: missing, candidates: candidates.map(\.cause))
}

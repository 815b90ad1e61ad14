import NetworkTypes

/// What the catalogue says of one RST.
public struct Verdict: Sendable, Equatable {
    public var cause: Cause
    public var category: Category
    public var certainty: Certainty
    public var summary: String
    /// What would have to be known to be sure.
    public var missing: [String]
    /// Causes that the evidence cannot tell apart, the likeliest first; empty when there is only one.
    public var candidates: [Cause] = []
}

/// Judges by stack, state and trigger; the kernel's reason can only confirm or cast doubt.
public func judge(_ evidence: Evidence) -> Verdict {
    if evidence.path == nil, let reason = evidence.reason { return judge(reason: reason, evidence) }
    if evidence.isPathPartial, let path = evidence.path { return judge(partial: path, evidence) }
    if evidence.socket == .noneOrTimeWait { return judgeWithoutSocket(evidence) }
    let holding = rules(thatHoldFor: evidence)
    guard holding.count == 1, let rule = holding.first else {
        return undecided(evidence, candidates: holding)
    }
    var verdict = Verdict(
        cause: rule.cause, category: rule.category, certainty: .proven, summary: sentence(rule, evidence), missing: [])
    if let reason = evidence.reason, reason != "NOT_SPECIFIED", !rule.reasons.isEmpty, !rule.reasons.contains(reason) {
        verdict.certainty = .inferred
        verdict.missing = ["the kernel's reason \(reason) does not fit this cause"]
    }
    return verdict
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
    inferred(evidence, from: Catalogue.rules.filter { $0.reasons.contains(reason) }, missing: "the kernel's stack")
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
        cause: rule.cause, category: rule.category, certainty: .inferred, summary: sentence(rule, evidence),
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
        assumed.socket = .none
        possible += rules(thatHoldFor: assumed)
    }
    let timeWait = evidence.trigger == nil ? .possible : evidence.timeWait ?? .possible
    if timeWait != .excluded {
        var assumed = evidence
        assumed.socket = .some
        assumed.state = .timeWait
        let rules = rules(thatHoldFor: assumed)
        possible = timeWait == .likely ? rules + possible : possible + rules
    }
    let isDecided = possible.count == 1 || timeWait == .likely || timeWait == .unlikely
    guard let rule = possible.first, isDecided else {
        return undecided(evidence, candidates: possible)
    }
    return Verdict(
        cause: rule.cause, category: rule.category, certainty: .inferred, summary: sentence(rule, evidence),
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
    case .unknown: missing.append("a rule for this kernel path")
    default: break
    }
    let rule = Catalogue.byCause[.unknown]
    return Verdict(
        cause: .unknown, category: .unknown, certainty: .unknown, summary: rule?.meaning ?? "", missing: missing,
        candidates: candidates.map(\.cause))
}

/// The meaning of the rule, with what this evidence adds to it.
private func sentence(_ rule: Rule, _ evidence: Evidence) -> String {
    guard rule.cause == .netfilterReject, let path = evidence.path else { return rule.meaning }
    let kind = path.callers.contains(.xtables) ? "An iptables" : path.callers.contains(.nftables) ? "An nftables" : "A"
    guard let hook = path.netfilterHook else {
        return "\(kind) rule on this host rejected the segment with a TCP reset."
    }
    return "\(kind) rule in \(hook) on this host rejected the segment with a TCP reset."
}

extension KernelPath {
    /// The hook a REJECT rule was called from, as `nft` and `iptables` name it.
    public var netfilterHook: String? {
        let hooks: [(Callers, String)] = [
            (.bridge, "BRIDGE"), (.input, "INPUT"), (.output, "OUTPUT"), (.forward, "FORWARD"),
            (.prerouting, "PREROUTING"), (.ingress, "INGRESS"), (.egress, "EGRESS"),
        ]
        return hooks.first { callers.contains($0.0) }?.1
    }

    /// Who let go of the socket, from the frames under `__fput`.
    public var release: String? {
        if callers.contains(.killed) { return "the process was killed" }
        if callers.contains(.exit) { return "the process exited" }
        if callers.contains(.closeSystemCall) { return "the process called close()" }
        if callers.contains(.deferred) { return "the last reference was dropped later" }
        return nil
    }
}

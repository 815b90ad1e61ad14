import NetworkTypes

extension Catalogue {
    static let stale: [Rule] = [
        Rule(
            .staleConnection, .stale,
            [.turnsAway, .answersEndedConnection, .meetsNoConnection, .mayFollow, .mayFollowOnWire],
            meaning: "A segment arrived for a connection that this host does not have, on a port where nobody listens.",
            guess:
                "The segment probably belongs to a connection that the sender of the RST no longer has, on a port where nobody listens.",
            advice: """
                The peer considers the connection open, but it is gone here: it was closed or timed out, the host or \
                container restarted, or the address moved. If NAT is in the path, look for segments that conntrack \
                found INVALID and let through untranslated (net.netfilter.nf_conntrack_tcp_be_liberal).
                """,
            checks: .conntrack,
            recognition: "tcp_v4_send_reset < tcp_v4_rcv, no socket, trigger has ACK and no SYN",
            basis: "RFC 9293, section 3.5.2, group 1; tcp_v4_rcv(), no_tcp_socket",
            reasons: ["NO_SOCKET"], fixture: "stale-connection-v4",
            doubt: { $0.doubtOfListener },
            sentence: { evidence, _ in
                evidence.listener == .fits
                    ? "The kernel found no socket for the segment, although one was listening on its address and port."
                    : evidence.lostTranslation?.sentence
            },
            remedy: { $0.lostTranslation?.advice },
            wire: { wire in
                switch wire.situation {
                case .answersAfterFin where wire.bothEnded:
                    return wire.refusesDataBeforeLastAck
                        ? WireScore(
                            .plausible, "both ends had sent their FIN, although the sender's was not acknowledged")
                        : WireScore(
                            wire.isServer == true ? .likely : .clear,
                            "both ends had sent their FIN: what came afterwards no longer belonged to a connection")
                case .answersAfterFin where wire.hasResetBefore:
                    return WireScore(
                        wire.isServer == true ? .plausible : .good,
                        "an earlier RST from the same sender had ended the connection")
                case .answersAfterFin:
                    if wire.labelSpeaksOfSocket == true { return nil }
                    return WireScore(
                        wire.labelSpeaksOfSocket == false || wire.outlastsFin ? .convincing : .weak,
                        "the sender may have forgotten the connection")
                case .answersOpen where wire.isBelowWindowOfTracking,
                    .answersAfterFin where wire.isBelowWindowOfTracking && !wire.bothEnded:
                    return WireScore(
                        .explicit,
                        "the segment lies so far below the window that conntrack finds it INVALID and does not translate it: its receiver has no such connection"
                    )
                case .answersOpen where wire.senderGoesOn:
                    return WireScore(
                        .plausible, "a segment that fits the connection was answered as if there were no connection")
                case .answersOpen where wire.trigger == nil:
                    return WireScore(
                        wire.mayAnswerUnseen ? .plausible : .doubtful,
                        "it has the form of an answer to a segment with ACK that was not captured")
                case .answersOpen:
                    return WireScore(
                        wire.showsListener ? .plausible : wire.isServer == false ? .strong : .convincing,
                        "a segment that fits the connection was answered as if there were no connection")
                case .answersSynAck where wire.isFiltered && wire.own.syn != nil:
                    return WireScore(.plausible, "what came after the handshake was not captured")
                case .answersUnknown where wire.translationGap != nil:
                    return WireScore(
                        .explicit,
                        "the segment belongs to another connection of this end: it was not translated (conntrack finds it INVALID)"
                    )
                case .answersUnknown:
                    return WireScore(
                        wire.isServer == true ? .likely : .convincing,
                        "the capture has nothing else from the end that sent the RST")
                case .answersHandshakeAck where wire.own.syn?.isSynAck == true:
                    return WireScore(.remote, "the half-open connection may have been forgotten")
                case .isolated where wire.answersUnseenAck:
                    return WireScore(
                        .doubtful, "it has the form of an answer to a segment with ACK that was not captured")
                default: return nil
                }
            }
        ) {
            $0.isSocketlessReply && $0.socket == .absent
                && $0.trigger.map { $0.flags.contains(.ack) && !$0.flags.contains(.syn) } == true
        },
        Rule(
            .staleConnectionAtListener, .stale,
            [.turnsAway, .answersEndedConnection, .meetsNoConnection, .mayFollow, .mayFollowOnWire],
            meaning: """
                A segment arrived at a listening port but belongs to no connection of this host, or acknowledges something \
                that was not sent in the handshake.
                """,
            guess: "The segment probably reached a listening port without belonging to any connection there.",
            advice: """
                The peer considers the connection open, but it is gone here (the service restarted, it closed or timed \
                out, a SYN cookie expired); or a NAT or load balancer in between forgot it and chose another port or \
                backend; or it is an ACK scan. After an accept-queue overflow the client's first data ends this way, too: \
                look at "nstat -az TcpExtListenOverflows".
                """,
            checks: .conntrack,
            recognition: "tcp_v4_send_reset called from tcp_v4_do_rcv, socket in LISTEN, trigger has ACK",
            basis: "RFC 9293, section 3.10.7.2; tcp_rcv_state_process()",
            reasons: ["TCP_FLAGS"], fixture: "stale-connection-at-listener-v4",
            wire: { wire in
                switch wire.situation {
                case .answersOpen where wire.isServer != false && wire.trigger == nil:
                    return WireScore(
                        !wire.mayAnswerUnseen ? .doubtful : wire.showsListener ? .likely : .better,
                        "it has the form of an answer to a segment with ACK that was not captured")
                case .answersOpen where wire.isServer != false:
                    return WireScore(
                        wire.showsListener ? .clear : .likely,
                        wire.whyListener)
                case .answersAfterFin where wire.bothEnded || wire.hasResetBefore || wire.outlastsFin:
                    guard wire.isServer != false else { return nil }
                    return WireScore(
                        wire.showsListener ? .clear : .good,
                        wire.whyListener)
                case .answersUnknown where wire.translationGap != nil: return nil
                case .answersUnknown where wire.isServer != false:
                    return wire.showsListener
                        ? WireScore(.clear, wire.whyListener)
                        : WireScore(
                            wire.isServer == true ? .good : .plausible,
                            "the capture does not show whether anybody listens on the port")
                case .answersHandshakeAck:
                    guard let syn = wire.own.syn, syn.isSynAck, let trigger = wire.trigger else { return nil }
                    guard trigger.ack != syn.end else {
                        return wire.endsHandshakeInTime
                            ? WireScore(.even, "the listener may have forgotten the SYN it had answered")
                            : WireScore(
                                .convincing,
                                "the ACK came too late to complete the handshake: the listener had forgotten it")
                    }
                    // Only a connection that already exists (TCP Fast Open) is ended by a wrong ACK.
                    let fast = wire.peer.syn.map { $0.length > 0 } == true
                    return WireScore(
                        fast ? .doubtful : .good, "the ACK does not acknowledge the SYN+ACK: no socket matches it")
                case .isolated where wire.answersUnseenAck:
                    return WireScore(
                        .possible, "it has the form of an answer to a segment with ACK that was not captured")
                default: return nil
                }
            }
        ) {
            $0.origin == .passive && $0.calledFrom(.stateProcessing) && $0.callersLack([.checkRequest, .mptcp])
                && $0.socket == .listener && $0.trigger?.flags.contains(.ack) == true
        },
        Rule(
            .unexpectedSynAck, .stale, [.answersEndedConnection, .meetsNoConnection, .mayEndScan, .sentByScanner],
            meaning: "A SYN+ACK arrived for a connection that this host is not opening.",
            guess: "A SYN+ACK probably arrived for a connection that its receiver was not opening.",
            advice: """
                Where addresses are translated (NAT, a service address), check that the answer returns by the same path \
                and is translated back: a bridge that bypasses conntrack, a second gateway, or a client in the backend's \
                own network prevents that. Otherwise this host cancelled connect() before the answer came, a program opens \
                connections bypassing the kernel (a scanner, a user-space stack), or somebody sends SYNs with this host's \
                address (backscatter).
                """,
            checks: .conntrack,
            recognition: "tcp_v4_send_reset < tcp_v4_rcv, no socket, trigger is a SYN+ACK",
            basis: "RFC 9293, section 3.10.7.1",
            reasons: ["NO_SOCKET"], fixture: "unexpected-syn-ack-v4",
            afterEnd: "The answer to connect() came after it had been cancelled",
            sentence: { evidence, _ in evidence.lostTranslation?.sentence },
            remedy: { $0.lostTranslation?.advice },
            wire: { wire in
                guard wire.situation == .answersSynAck, let trigger = wire.trigger else { return nil }
                if wire.translationGap != nil {
                    return WireScore(
                        .conclusive,
                        "the SYN+ACK answers a SYN to another address: it was not translated back on the way")
                }
                guard let syn = wire.own.syn else {
                    return WireScore(
                        .strong, "the capture has no SYN that the SYN+ACK answers, not even one to another address")
                }
                guard trigger.ack == syn.end else { return WireScore(.weak, "the SYN+ACK does not answer the SYN") }
                let because =
                    wire.isForwardedSyn
                    ? "the SYN+ACK answers the SYN, but was refused by a host other than the one that sent the SYN: it was not translated back"
                    : "the SYN+ACK answers the SYN, but was refused: no socket matches it, or the SYN was translated and the answer was not"
                return WireScore(wire.echoesForeignTimestamp ? .possible : .clear, because)
            }
        ) {
            $0.isSocketlessReply && $0.socket == .absent && $0.trigger?.flags.isSynAck == true
        },
        Rule(
            .straySegment, .stale, [.turnsAway],
            meaning: "A segment with neither ACK nor SYN (FIN only, null, xmas) matched no connection: a scan.",
            guess: "A segment with neither ACK nor SYN probably matched no connection: a scan.",
            advice: "No working TCP stack sends these. Look at the peer: it scans ports, or a device mangles flags.",
            recognition: "tcp_v4_send_reset < tcp_v4_rcv, no socket, trigger has neither SYN nor ACK",
            basis: "RFC 9293, section 3.10.7.1",
            reasons: ["NO_SOCKET"], fixture: "stray-xmas-v4",
            sentence: { evidence, _ in evidence.lostTranslation?.sentence },
            remedy: { $0.lostTranslation?.advice },
            wire: { wire in
                if wire.situation == .isolated, wire.hasAllSyns, wire.answersUnseenSyn {
                    return WireScore(
                        .doubtful, "it answers a segment without ACK, and the capture should have every SYN")
                }
                return wire.situation == .answersStray
                    ? WireScore(
                        .explicit, "the segment it answers has neither SYN nor ACK: no working TCP stack sends that")
                    : nil
            }
        ) {
            $0.isSocketlessReply && $0.socket == .absent
                && $0.trigger.map { $0.flags.isDisjoint(with: [.syn, .ack]) } == true
        },
        Rule(
            .dataAfterFullClose, .stale, [.answersEndedConnection, .meetsNoConnection, .mayFollow, .mayFollowOnWire],
            meaning:
                "The peer sent more after this host had closed the connection and had only a TIME_WAIT entry left.",
            guess:
                "The peer may have sent more after the connection had been closed and only a TIME_WAIT entry was left.",
            advice: """
                Usually the peer used an idle connection that this end had just closed: give the peer (its connection pool, \
                proxy or load balancer) an idle timeout shorter than this end's keep-alive timeout, or raise this end's. \
                Otherwise the application closed while its peer was still sending: let the exchange finish first.
                """,
            checks: [.calls],
            recognition: "tcp_v4_send_reset < tcp_v4_rcv, socket in TIME_WAIT (substate FIN_WAIT2)",
            basis: "RFC 9293, section 3.6.1; tcp_timewait_state_process()",
            reasons: ["TCP_TIMEWAIT_SOCKET"], fixture: "data-after-full-close-v4",
            afterEnd: "The peer sent more on a connection that had been closed here",
            sentence: { evidence, certainty in
                certainty == .proven && evidence.trigger?.flags.contains(.syn) == true
                    ? "A SYN arrived with the ports of a connection that this host had just closed: the ports are reused too soon."
                    : nil
            },
            wire: { wire in
                guard wire.situation == .answersAfterFin, !wire.bothEnded, wire.answersData != false,
                    wire.labelSpeaksOfSocket != false
                else { return nil }
                if wire.hasResetBefore {
                    return wire.isOfRefusedBurst && wire.meetsTimeWait
                        ? WireScore(.convincing, "the segment belongs to the burst that an earlier RST refused") : nil
                }
                if wire.meetsTimeWait {
                    return WireScore(
                        .clear,
                        "the sender's FIN had already been acknowledged: only a TIME_WAIT entry was left of its socket")
                }
                if wire.mayMeetTimeWait {
                    return WireScore(
                        .good,
                        "the sender's FIN had most likely been acknowledged: only a TIME_WAIT entry was left of its socket"
                    )
                }
                guard wire.trigger == nil, !wire.isFiltered, let fin = wire.own.fin, !fin.end.follows(wire.reset.seq)
                else { return nil }
                return WireScore(
                    .better, "the segment it answers, which was not captured, acknowledged the sender's FIN")
            }
        ) { $0.isSocketlessReply && $0.state == .timeWait },
    ]
}

extension WireEvidence {
    /// A clause: why the sender's port probably has a listener.
    fileprivate var whyListener: String {
        guard showsListener else { return "its port is one that servers use" }
        return listener.map { "the port is open: packet \($0.packet) accepts the SYN of another connection" }
            ?? "the port was open when the connection began"
    }
}

extension TCPFlags {
    /// A SYN that opens a connection.
    var isPlainSyn: Bool { contains(.syn) && isDisjoint(with: [.ack, .rst]) }
    var isSynAck: Bool { isSuperset(of: [.syn, .ack]) }
}

extension Evidence {
    func callersLack(_ callers: KernelPath.Callers) -> Bool { path?.callers.isDisjoint(with: callers) == true }
}

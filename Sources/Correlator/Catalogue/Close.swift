import KernelEvents
import NetworkTypes

extension Catalogue {
    static let close: [Rule] = [
        Rule(
            .abortOnClose, .close, [.mayEndCheck, .showsService, .explainedByProcessEnd],
            meaning: "The application closed the socket while received data was still unread.",
            guess: "The application may have closed the socket while received data was still unread.",
            advice: """
                Read until the end of the stream before close(), or shutdown(SHUT_WR) and drain; in a proxy or web \
                server, look for requests that are rejected before their body is read.
                """,
            checks: [.sockets, .calls],
            recognition: "tcp_send_active_reset < __tcp_close, socket not yet orphaned",
            basis: "RFC 2525, section 2.17; __tcp_close()",
            reasons: ["TCP_ABORT_ON_CLOSE"], fixture: "abort-on-close-v4",
            processEnd: { "The process \($0) while its socket held received data that it had not read." },
            wire: { wire in
                guard wire.abortsItself, !wire.usesMultipath else { return nil }
                guard wire.silenceIsShort else {
                    return wire.silenceFitsNoLimit && wire.peerSentData && !wire.answeredLastData && wire.own.fin == nil
                        ? WireScore(.better, "data from the other end may never have been read") : nil
                }
                if wire.dataIsUnseen {
                    return WireScore(.even, "the capture has no data, so it does not show whether any was left unread")
                }
                guard wire.peerSentData else { return nil }
                if wire.acknowledgesLateData {
                    return wire.hasSocketsHeader
                        ? WireScore(
                            .good, "data came after the sender's FIN and may not have been read: its socket was open")
                        : WireScore(.possible, "the other end had sent data")
                }
                if wire.tookLateData {
                    return WireScore(.likely, "data came after the sender's FIN and was taken: its socket was open")
                }
                if wire.own.fin != nil {
                    return wire.isPrompt && !wire.bothEnded
                        ? WireScore(.plausible, "the other end had sent data, and the sender sent its FIN just before")
                        : WireScore(.doubtful, "the other end had sent data")
                }
                return wire.unreadData
            }
        ) { $0.resetsFromClose && $0.dead == false },
        Rule(
            .lingerZero, .close, [.mayEndScan, .mayEndCheck, .showsService],
            meaning: "The application closed the socket with SO_LINGER set to zero seconds.",
            guess: "The application may have closed the socket with SO_LINGER set to zero seconds.",
            advice: """
                The program asked for this (often to avoid TIME_WAIT, or in a health check); remove the option where \
                the peer should see an orderly close.
                """,
            checks: [
                Check("strace -f -e trace=setsockopt -p PID", "who sets SO_LINGER or TCP_LINGER2, and to what"), .calls,
            ],
            recognition: "tcp_send_active_reset < tcp_disconnect < __tcp_close",
            basis: "socket(7), SO_LINGER; __tcp_close()",
            reasons: ["TCP_STATE", "TCP_DISCONNECT_WITH_DATA"], fixture: "linger-zero-v4",
            processEnd: { "The process \($0); its socket had SO_LINGER set to zero seconds." },
            wire: { wire in
                switch wire.situation {
                case .isolated where wire.reset.flags.contains(.ack) && wire.reset.seq != 0:
                    return WireScore(.possible, "it ends a connection that is older than the capture")
                case .aborts:
                    guard wire.abortsItself, !wire.usesMultipath else { return nil }
                    guard wire.silenceIsShort else {
                        return WireScore(
                            wire.silenceFitsNoLimit ? .even : .possible, "a program may have dropped the connection")
                    }
                    if wire.unansweredProbes > 0 { return WireScore(.weak, "a program may have timed out") }
                    if wire.own.fin != nil {
                        return WireScore(.possible, "the sender had already closed its side in order (FIN)")
                    }
                    if wire.dataIsUnseen {
                        return WireScore(
                            .even, "it ended the connection of its own accord, as far as the capture shows")
                    }
                    if !wire.peerSentData {
                        return WireScore(.likely, "the other end had sent nothing that could be left unread")
                    }
                    return wire.readAllData
                default: return nil
                }
            }
        ) {
            $0.origin == .active && $0.calledFrom([.disconnect, .close])
                && $0.callersLack([.listenStop, .connect, .mptcp, .abort, .smc])
        },
        Rule(
            .disconnect, .close, [.mayEndScan, .mayEndCheck, .showsService],
            meaning: "The application disconnected the socket with connect(AF_UNSPEC).",
            guess: "The application may have disconnected the socket with connect(AF_UNSPEC).",
            advice:
                "The program reuses the socket on purpose; shut it down in order first if the peer should not see a reset.",
            checks: [Check("strace -f -e trace=connect -p PID", "connect() with AF_UNSPEC")],
            recognition: "tcp_send_active_reset < tcp_disconnect < __inet_stream_connect",
            basis: "connect(2), AF_UNSPEC; tcp_disconnect()",
            reasons: ["TCP_STATE", "TCP_DISCONNECT_WITH_DATA"], fixture: "disconnect-v4"
        ) { $0.origin == .active && $0.calledFrom([.disconnect, .connect]) && $0.callersLack([.listenStop, .mptcp]) },
        Rule(
            .listenerClosed, .close, [.showsService, .explainedByProcessEnd],
            meaning:
                "The listening socket was closed while connections in its queue were still waiting to be accepted.",
            guess: "The listening socket may have been closed before this connection was accepted.",
            advice: """
                The service stopped or restarted under load: stop sending it connections first, drain its queue, or \
                hand the listening socket over. With SO_REUSEPORT, see net.ipv4.tcp_migrate_req.
                """,
            checks: [
                Check("journalctl -u UNIT --since -1h", "when and why the service stopped"), .listeners,
                Check("sysctl net.ipv4.tcp_migrate_req", "whether waiting connections move to another listener"),
            ],
            recognition: "tcp_send_active_reset called from inet_csk_listen_stop",
            basis: "inet_csk_listen_stop(), inet_child_forget()",
            reasons: ["TCP_STATE"], fixture: "listener-closed-v4",
            processEnd: {
                "The process \($0) while connections in its listener's queue were still waiting to be accepted."
            },
            wire: { wire in
                guard wire.abortsItself, wire.silenceIsShort, !wire.usesMultipath, wire.flow?.opener == .receiver,
                    wire.own.bytes == 0, wire.own.fin == nil, !wire.peerSentData,
                    !wire.dataIsUnseen
                else { return nil }
                return WireScore(
                    wire.isPrompt ? .better : .possible,
                    "the sender never sent a byte: the connection may never have been accepted"
                )
            }
        ) { $0.origin == .active && $0.calledFrom(.listenStop) && $0.callersLack(.abort) },
        Rule(
            .linger2Expired, .close, [.answersEndedConnection],
            meaning: "TCP_LINGER2 is negative: the closed connection did not wait for the peer's FIN.",
            guess:
                "The sender may have closed the connection without waiting for its peer's FIN (a negative TCP_LINGER2).",
            advice: "The program set TCP_LINGER2 below zero; remove it where the peer may still send.",
            checks: [
                Check("strace -f -e trace=setsockopt -p PID", "who sets SO_LINGER or TCP_LINGER2, and to what"), .calls,
            ],
            recognition: """
                tcp_send_active_reset < __tcp_close with an orphaned socket and TCP_LINGER2 below zero; or the ACK of its \
                FIN reaches an orphan with TCP_LINGER2 below zero
                """,
            basis: "tcp(7), TCP_LINGER2; __tcp_close(), tcp_rcv_state_process()",
            reasons: ["TCP_ABORT_ON_LINGER", "TCP_ABORT_ON_DATA"], fixture: "linger2-expired-v4",
            wire: { wire in
                // An earlier RST would have ended the socket, and its option with it.
                guard wire.own.fin != nil, !wire.bothEnded, !wire.hasResetBefore else { return nil }
                if wire.situation == .answersAfterFin, wire.trigger?.isPureAck == true, !wire.finWasAcknowledged,
                    let fin = wire.own.fin, let trigger = wire.trigger, !fin.end.follows(trigger.ack),
                    wire.triggerIsPrompt
                {
                    return WireScore(.clear, "the bare acknowledgment of the sender's FIN was answered with a RST")
                }
                // The option takes effect in close(): long after the FIN, another program or a timer must have caused the RST.
                guard wire.abortsItself, wire.finWasAcknowledged || wire.isFiltered,
                    wire.isFiltered || (wire.silence ?? 0) < 900_000_000
                else { return nil }
                return WireScore(
                    (wire.silence ?? 0) < 900_000_000 ? .likely : .doubtful,
                    "its FIN was acknowledged, and it did not wait for the other end's")
            }
        ) {
            if $0.resetsFromClose {
                return $0.dead == true && ($0.linger2 ?? 0) < 0 && $0.previousState == .finWait2
            }
            return $0.meetsDataAfterEnd && $0.dead == true && $0.isLinger2Answer
        },
        Rule(
            .dataAfterClose, .close, [.answersEndedConnection, .mayFollowOnWire, .mayEndCheck, .showsService],
            meaning: "The peer sent data after the application here had closed the socket.",
            guess: "The peer probably sent data after the application at the RST's sender had closed the socket.",
            advice: """
                This end closed first: it gave up waiting (a timeout of its own), or the two ends disagree about who \
                closes. Compare the application's timeouts on both ends; a proxy's idle timeout should be \
                shorter than its backend's.
                """,
            checks: [.sockets, .calls],
            recognition: """
                tcp_v4_send_reset called from tcp_v4_do_rcv, state CLOSE, previously FIN_WAIT1 or FIN_WAIT2, socket \
                orphaned
                """,
            basis: "RFC 2525, section 2.17; tcp_rcv_state_process()",
            reasons: ["TCP_ABORT_ON_DATA"], fixture: "data-after-close-v4",
            wire: { wire in
                if wire.acknowledgesLateData {
                    return WireScore(
                        wire.hasSocketsHeader ? .even : .convincing,
                        "data came after the sender's FIN, and the RST acknowledges it"
                    )
                }
                if wire.mayHoldBackFin {
                    return WireScore(
                        .compelling,
                        "the sender may have closed: its FIN cannot be sent while the other end's window is closed")
                }
                guard wire.situation == .answersAfterFin, wire.answersData != false else { return nil }
                guard wire.labelSpeaksOfSocket != false else { return nil }
                if wire.bothEnded {
                    return wire.refusesDataBeforeLastAck
                        ? WireScore(.likely, "data came before the sender's FIN was acknowledged") : nil
                }
                if wire.hasResetBefore {
                    return wire.isOfRefusedBurst && !wire.meetsTimeWait
                        ? WireScore(.convincing, "the segment belongs to the burst that an earlier RST refused") : nil
                }
                if wire.meetsTimeWait { return WireScore(.even, "data came after the sender's FIN") }
                guard wire.trigger != nil, !wire.finWasAcknowledged else {
                    return WireScore(.likely, "it answers a segment that came after the sender's FIN")
                }
                return WireScore(
                    .clear, "data came after the sender's FIN, which the other end had not yet acknowledged")
            }
        ) { $0.meetsDataAfterEnd && $0.dead == true && !$0.isLinger2Answer && ($0.trigger?.length ?? 0) > 0 },
        Rule(
            .dataAfterShutdown, .close, [.answersEndedConnection, .showsService],
            meaning: "The peer sent data after the application here had shut down its receiving side.",
            guess: "The peer may have sent data after the application had shut down its receiving side.",
            advice:
                "shutdown(SHUT_RD or SHUT_RDWR) says that no more data is wanted; use SHUT_WR to end only the sending side.",
            checks: [.sockets, .calls],
            recognition: """
                tcp_v4_send_reset called from tcp_v4_do_rcv, state CLOSE, previously FIN_WAIT1 or FIN_WAIT2, socket still \
                open; proven if SO_LINGER is off
                """,
            basis: "shutdown(2); tcp_rcv_state_process(), step 7",
            reasons: ["TCP_ABORT_ON_DATA"], fixture: "data-after-shutdown-v4",
            doubt: { evidence in
                // __tcp_close() calls sk_stream_wait_close() before sock_orphan().
                evidence.linger == false
                    ? nil
                    : Doubt(
                        "whether the program had called shutdown() or close(), which waits with the socket still open if SO_LINGER is on",
                        between: [.dataAfterShutdown, .dataAfterClose])
            },
            wire: { wire in
                guard wire.situation == .answersAfterFin, !wire.bothEnded, wire.answersData != false,
                    !wire.hasResetBefore
                else { return nil }
                guard wire.labelSpeaksOfSocket != false else { return nil }
                // A program that only shuts down usually goes on reading; a closed socket stays in FIN_WAIT2 only by a setting.
                return WireScore(
                    wire.meetsTimeWait ? .second : .plausible,
                    "the program may have shut the socket down without closing it")
            }
        ) { $0.meetsDataAfterEnd && $0.dead == false },
        Rule(
            .finWait2Timeout, .close, [.answersEndedConnection],
            meaning: "The peer never closed its side after the application here had closed: FIN_WAIT2 timed out.",
            guess: "The peer probably never closed its side, so FIN_WAIT2 timed out at the RST's sender.",
            advice:
                "The peer leaks connections, or its FIN was lost; net.ipv4.tcp_fin_timeout is how long this host waits.",
            checks: [
                Check("ss -tano state fin-wait-2", "connections waiting for their peer's FIN"),
                Check("sysctl net.ipv4.tcp_fin_timeout", "how long they wait"),
            ],
            recognition: "tcp_send_active_reset called from tcp_keepalive_timer, state FIN_WAIT2, socket orphaned",
            basis: "tcp_keepalive_timer()",
            reasons: ["TCP_STATE"], fixture: "fin-wait2-timeout-v4",
            wire: { wire in
                // Few kernels send a RST then (Linux for an orphan whose limit a program or an operator has set), and many
                // programs close for good what they had only shut down.
                guard wire.abortsItself, wire.finWasAcknowledged || wire.isFiltered, wire.own.fin != nil,
                    !wire.bothEnded, wire.own.resetCount + wire.peer.resetCount == 0,
                    let silence = wire.silence,
                    silence >= 900_000_000
                else { return nil }
                return WireScore(.second, "its FIN was acknowledged, and the other end's never came")
            }
        ) {
            $0.origin == .active && $0.calledFrom(.keepaliveTimer) && $0.callersLack(.outOfResources)
                && $0.state == .finWait2 && $0.dead == true
        },
    ]
}

extension WireEvidence {
    /// How well it fits that the sender of an abort had unread data and had not sent a FIN.
    fileprivate var unreadData: WireScore {
        if opensWindow {
            return WireScore(
                .convincing, "its window is larger than in the segment before: received data was discarded just then")
        }
        if own.lastData?.fatalAlert ?? 0 != 0 {
            return WireScore(
                .likely, "it had rejected what it received (TLS alert), and is unlikely to have read the rest")
        }
        if lastDataWantsNoAnswer {
            return WireScore(
                .even,
                lastDataIsLastWord
                    ? "the last message of the other end needs no answer: it may or may not have been read"
                    : "the other end had sent data and a FIN: the data may or may not have been read")
        }
        if answeredLastData {
            return WireScore(.even, "the other end had sent data, and the last of it was answered")
        }
        if wasAnswered, isPrompt { return WireScore(.better, "the answer to its request may not have been read") }
        return WireScore(.good, "the sender had not answered the data that it received: it may never have read it")
    }

    /// How well it fits that the sender of an abort had read everything and had not sent a FIN.
    fileprivate var readAllData: WireScore {
        if wasAnswered, isPrompt, !opensWindow {
            return WireScore(
                .plausible, "it had the answer to everything it had asked, and ended the connection at once")
        }
        if wasAnswered, isUnprovoked, hasSocketsHeader {
            return WireScore(.second, "the sender ended the connection of its own accord")
        }
        return WireScore(.better, "the sender ended the connection of its own accord")
    }
}

extension Evidence {
    /// `__tcp_close` resets by itself, not through `tcp_disconnect`.
    var resetsFromClose: Bool {
        // A tracer's trampoline may have replaced a caller, which may then have been a different one.
        origin == .active && (path?.caller == "__tcp_close" || path?.caller == "tcp_close")
            && callersLack([.disconnect, .listenStop, .mptcp, .abort, .smc, .outOfResources])
    }

    /// A segment reached a connection whose receiving side was shut down, and ended it.
    var meetsDataAfterEnd: Bool {
        origin == .passive && calledFrom(.stateProcessing) && callersLack([.checkRequest, .mptcp])
            && state == .close && (previousState == .finWait1 || previousState == .finWait2)
    }

    /// With TCP_LINGER2 below zero the ACK of the FIN ends the connection the moment it enters FIN_WAIT2, and data with
    /// that ACK makes no difference: no orphan stays in FIN_WAIT2 to receive any later.
    var isLinger2Answer: Bool { previousState == .finWait2 && (linger2 ?? 0) < 0 }
}

import KernelEvents
import NetworkTypes
import PcapReader

extension Catalogue {
    static let refused: [Rule] = [
        Rule(
            .closedPort, .refused, [.turnsAway, .refusesConnection],
            meaning: "No socket listened on the port: the kernel answered the SYN with a RST.",
            guess: "Probably no socket listened on the port.",
            advice: """
                Start the service, or correct the address and port that the client uses. Check with "ss -ltn" in the \
                same network namespace: a service that listens on 127.0.0.1 only, or on the other IP version, is \
                closed to everybody else.
                """,
            checks: [.namespaces, .enter, .listeners],
            recognition: """
                tcp_v4_send_reset (tcp_v6_send_reset) < tcp_v4_rcv, no socket, trigger is a SYN; proven if no \
                listener is bound to that address and port
                """,
            basis: "RFC 9293, section 3.10.7.1; tcp_v4_rcv(), no_tcp_socket",
            reasons: ["NO_SOCKET"], fixture: "closed-port-v4",
            doubt: { $0.doubtOfListener },
            sentence: { evidence, _ in
                if evidence.listener == .fits {
                    return "The kernel found no socket for the SYN, although one was listening on its address and port."
                }
                guard evidence.listener == nil, let (met, asked) = evidence.askedElsewhere else { return nil }
                return
                    "Nobody listened on \(met.sourceEnd), to which this host's NAT (REDIRECT, DNAT) had sent the SYN for \(asked.sourceEnd)."
            }
        ) {
            $0.isSocketlessReply && $0.socket == .absent && $0.trigger?.flags.isPlainSyn == true
        },
        Rule(
            .acceptQueueOverflow, .refused, [.showsService],
            meaning: """
                The accept queue of the listener was full when the handshake completed, and \
                net.ipv4.tcp_abort_on_overflow is 1.
                """,
            guess: "The listener's accept queue may have been full, with net.ipv4.tcp_abort_on_overflow set to 1.",
            advice: """
                The program accepts too slowly or its backlog is too small: raise the backlog of listen() and \
                net.core.somaxconn, and watch Recv-Q of the listener in "ss -ltn". Set tcp_abort_on_overflow to 0 to \
                let clients retry.
                """,
            checks: [
                .listeners,
                Check("nstat -az TcpExtListenOverflows TcpExtListenDrops", "connections that the listener dropped"),
                Check(
                    "sysctl net.core.somaxconn net.ipv4.tcp_abort_on_overflow",
                    "the upper limit of every backlog, and whether an overflow sends a RST"),
                Check("strace -f -e trace=accept4,listen -p PID", "how often the program accepts, and its backlog"),
            ],
            recognition: """
                tcp_v4_send_reset called from tcp_check_req, listener, trigger is an ACK without SYN; proven if the accept \
                queue was full
                """,
            basis: "tcp_check_req(), listen_overflow",
            reasons: ["INVALID_SYN"], fixture: "accept-queue-overflow-v4",
            doubt: { evidence in
                guard let queue = evidence.acceptQueue else { return Doubt("how full the accept queue was") }
                return queue.isFull
                    ? nil
                    : Doubt(
                        "why the listener did not take the connection: only \(queue.queued) waited in its queue of \(queue.backlog), so there was room; the kernel may have had no memory or no route"
                    )
            },
            wire: { wire in
                guard wire.situation == .answersHandshakeAck, let trigger = wire.trigger, let syn = wire.own.syn,
                    syn.isSynAck, trigger.ack == syn.end, wire.endsHandshakeInTime
                else { return nil }
                // Linux answers with window 0 and at once.
                let fits = wire.reset.window == 0 && !trigger.flags.contains(.fin)
                return WireScore(
                    fits ? .good : .possible,
                    "the ACK that completes the handshake is valid and in time, but was refused")
            }
        ) {
            $0.origin == .passive && $0.calledFrom(.checkRequest) && $0.callersLack(.mptcp)
                && $0.trigger.map { $0.flags.contains(.ack) && !$0.flags.contains(.syn) } == true
        },
        Rule(
            .netfilterReject, .refused, [.turnsAway],
            meaning: "A firewall rule on this host rejected the segment with a TCP reset.",
            guess: "A firewall rule may have rejected the segment with a TCP reset.",
            advice: """
                Find the rule: run "nft list ruleset" or "iptables -S" (and "ip6tables -S") in the network namespace \
                that the report names, and look for "reject with tcp reset" (iptables: "--reject-with tcp-reset") in \
                the chains of the hook that it names.
                """,
            checks: [
                .namespaces, Check("nsenter -n -t PID nft list ruleset", "the rules of that network namespace"),
                Check("nsenter -n -t PID iptables-save -c", "the same for iptables, with counters"),
            ],
            recognition: "nf_send_reset, nf_send_reset6 or nf_reject_skb_* called from reject_tg or nft_reject_*_eval",
            basis: "nf_send_reset() in net/ipv4/netfilter/nf_reject_ipv4.c",
            fixture: "netfilter-reject-nft-input-v4",
            sentence: { evidence, certainty in certainty == .proven ? evidence.path.map(evidence.rejection) : nil },
            remedy: { evidence in evidence.firewall.flatMap { $0.isCertain ? $0.rules.first?.advice : nil } },
            wire: { wire in
                guard wire.injection.claim != .claimed else { return nil }
                if wire.situation == .answersOpen, wire.senderGoesOn {
                    return WireScore(
                        wire.isMadeNearer ? .strong : .good,
                        "the sender goes on with the connection that the RST denies")
                }
                guard wire.isMadeNearer else { return nil }
                let because = "its TTL is that of a host in front of the end: a router may have rejected the segment"
                switch wire.situation {
                // If only a retransmission was answered, the refusing device was not there before: a rule answers at once.
                case .answersOpen where wire.trigger == nil: return WireScore(.doubtful, because)
                case .answersOpen: return WireScore(wire.answersRepetition ? .likely : .compelling, because)
                case .answersAfterFin, .answersUnknown, .answersHandshakeAck: return WireScore(.plausible, because)
                default: return nil
                }
            }
        ) { $0.origin == .netfilter },
        Rule(
            .connectionRefused, .refused, [.turnsAway, .refusesConnection],
            meaning: "A SYN was answered with a RST: the port is closed, or a firewall rejects it.",
            guess: "The port was probably closed, or a firewall rejected the SYN.",
            advice: """
                Record on the host that sent the RST to learn which: on the wire both look the same. Check there \
                with "ss -ltn" and "nft list ruleset".
                """,
            checks: [
                .listeners,
                Check("nft list ruleset", "rules with \"reject with tcp reset\", on the host that sent the RST"),
            ],
            recognition: "no kernel event; a RST with ACK answers a SYN",
            basis: "RFC 9293, section 3.10.7.1",
            wire: { wire in
                let both: [Cause] = [.closedPort, .netfilterReject]
                switch wire.situation {
                case .answersSyn where wire.own.segments == 0:
                    return WireScore(
                        wire.trigger?.kinds.contains(.multipathJoin) == true ? .doubtful : .explicit,
                        "a SYN was answered with a RST",
                        standsFor: both)
                case .answersSyn where wire.answersUnseenSyn && !wire.isInHandshake:
                    // A socket that still has the connection would send a challenge ACK (RFC 5961, section 4).
                    return WireScore(
                        .plausible, "a SYN that reuses the ports of an earlier connection was answered with a RST",
                        standsFor: both)
                case .answersSyn: return WireScore(.remote, "a SYN was answered with a RST")
                case .isolated where wire.answersUnseenSyn:
                    return WireScore(
                        .plausible, "it acknowledges a segment without ACK that was not captured, most likely a SYN",
                        standsFor: both)
                default: return nil
                }
            }
        ) { _ in false },
    ]
}

extension Evidence {
    /// What it means if there is a listener on the port after all.
    var doubtOfListener: Doubt? {
        switch listener {
        case .fits?:
            Doubt(
                "why the listener on this address and port was not found: a BPF program (sk_lookup, SO_ATTACH_REUSEPORT_EBPF) may have refused the segment"
            )
        case .mayFit?: Doubt("the address of the listener on this port")
        case nil: nil
        }
    }

    /// Which firewall rule rejected the segment, as far as known.
    fileprivate func rejection(_ path: KernelPath) -> String {
        let kind =
            path.callers.contains(.xtables) ? "An iptables" : path.callers.contains(.nftables) ? "An nftables" : "A"
        let place = path.netfilterHook.map { " in \($0)" } ?? ""
        let sentence = "\(kind) rule\(place) on this host rejected the segment with a TCP reset"
        guard !place.isEmpty, let firewall, firewall.isCertain, let rule = firewall.rules.first else {
            return sentence + "."
        }
        return "\(sentence): \(rule.place): \(rule.text)"
    }
}

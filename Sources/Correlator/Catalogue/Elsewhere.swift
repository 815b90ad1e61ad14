import PcapReader

extension Catalogue {
    static let elsewhere: [Rule] = [
        Rule(
            .forwarded, .elsewhere,
            meaning: "The RST was not made on this host: it only passed through.",
            guess: "The RST probably only passed through this host.",
            advice: "Record on the host it came from, or look at the devices on the path.",
            checks: [Check("ip route get ADDRESS", "the route to an address"), .interfaces],
            recognition: "ip_forward, br_forward or another forwarding function at the root of the stack",
            basis: "ip_forward(), br_handle_frame()", fixture: "forwarded-v4",
            doubt: { evidence in
                if evidence.repeats == .seen {
                    return Doubt(
                        "whether the program that wrote the segment had received it, or made an identical one",
                        between: [.forwarded, .userSpace])
                }
                return evidence.calledFrom(.redirected)
                    ? Doubt(
                        "whether it was for this host: a device may pass it to another one (ifb, a mirror) before it is received",
                        between: [.forwarded, .received])
                    : nil
            },
            sentence: { evidence, _ in
                evidence.repeats == .seen
                    ? "A program on this host passed the RST on: the same segment had arrived before the program wrote it."
                    : nil
            }
        ) { $0.origin == .forwarded && $0.callersLack(.tun) },
        Rule(
            .userSpace, .elsewhere, [.mayEndCheck],
            meaning: "A program wrote the RST into a raw or packet socket, bypassing kernel TCP.",
            guess: "A program may have written the RST itself, bypassing kernel TCP, or carried it for another host.",
            advice:
                "The report names the process where it can: a scanner, an intrusion-prevention system, a VPN or a user-space stack.",
            checks: [
                Check("ss -0pan", "packet sockets and their processes"),
                Check("ss -wpan", "raw sockets and their processes"),
                Check("ip tuntap", "tun and tap devices"),
            ],
            recognition: """
                raw_sendmsg, packet_sendmsg or tun_get_user in the stack; proven for the first two if the same RST had \
                not been seen before and could not have arrived unseen
                """,
            basis: "raw(7), packet(7)", fixture: "raw-socket-v4",
            doubt: { evidence in evidence.doubtOfAuthor.map { Doubt($0, between: [.userSpace, .forwarded]) } },
            sentence: { evidence, _ in
                evidence.calledFrom(.tun)
                    ? "A program passed the RST to this host through a tun or tap device: it made it or carried it for another host."
                    : nil
            },
            wire: { wire in
                if wire.situation == .aborts, wire.isOnlyOpening {
                    return WireScore(
                        .doubtful, "no TCP stack resets a connection that it is still opening; half-open scanners do")
                }
                guard wire.situation == .isolated, !wire.answersUnseenSyn, !wire.answersUnseenAck,
                    !wire.options.kinds.contains(.timestamps)
                else { return nil }
                return WireScore(.doubtful, "it belongs to no connection in the capture: a program may have made it")
            }
        ) { $0.origin == .userSpace || $0.origin == .forwarded && $0.calledFrom(.tun) },
        Rule(
            .injected, .elsewhere,
            meaning: "A third party between the two ends sent the RST.",
            guess: "A third party between the two ends probably sent the RST.",
            advice: """
                Capture at both ends, to confirm that the apparent sender did not send it. Look at the devices between them: a \
                firewall or load balancer that forgot an idle connection, an intrusion-prevention system, a traffic shaper, \
                a censor. The TTL shows how far away it is.
                """,
            checks: [
                Check(
                    "tcpdump -nvi IFACE 'tcp[tcpflags] & tcp-rst != 0'",
                    "TTL and IP ID of the RSTs; run it at both ends at the same time"),
                Check("traceroute -T -p PORT ADDRESS", "the devices on the path"),
            ],
            recognition: """
                no kernel event; the RST does not fit the connection it claims to belong to; proven if the host that it \
                seems to come from was recorded, too, completely, and has no such RST
                """,
            basis: "RFC 5961, section 3",
            wire: { wire in
                switch wire.injection.claim {
                case .claimed: return WireScore(.conclusive)
                case .suspected:
                    return WireScore(.plausible, "one sign of a third party, which may have another explanation")
                case .rejected, .odd, .none:
                    // An end that no longer has the connection may have lost it in the same way.
                    guard wire.trigger != nil, let earlier = wire.flow?.strangers.earlier else { return nil }
                    return WireScore(
                        .better,
                        "a third party had already reset this connection (packet \(earlier)), perhaps at this end too")
                }
            }
        ) { _ in false },
        Rule(
            .received, .elsewhere,
            meaning: "The peer sent the RST; what was captured does not show why.",
            guess: "The peer, or something on the path, sent the RST; what was captured does not show why.",
            advice: "Record on the peer, or capture whole connections (--full), so that their packets can be examined.",
            recognition: "no kernel event; the destination is an address of this host",
            basis: "wire only"
        ) { _ in false },
        Rule(
            .unknown, .unknown,
            meaning: "The evidence is not enough to name a cause.",
            guess: "The evidence is not enough to name a cause.",
            advice:
                "The report says what is missing. If it shows a kernel stack that no rule recognises, please report it.",
            recognition: "no rule matches",
            basis: "none"
        ) { _ in false },
    ]
}

extension Evidence {
    /// Why a program that wrote a RST need not have made it.
    fileprivate var doubtOfAuthor: String? {
        switch repeats {
        case .possible?:
            "whether the program made it or carried it for another host: a RST with the same numbers had been seen shortly before"
        case .unwatched?:
            "whether the program made it or carried it for another host: its source is not an address of this network namespace, and not all interfaces were captured"
        case .seen?, nil:
            calledFrom(.tun)
                ? "whether the program that wrote it into the tun or tap device made it or carried it for another host"
                : nil
        }
    }
}

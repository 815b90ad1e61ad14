import KernelEvents
import NetworkTypes
import Testing

@testable import Correlator

@Suite struct CatalogueTests {
    /// Every limit that a report can name says where it is set.
    @Test func idleLimitsHaveSources() {
        let seconds = IdleLimits.sources.map(\.seconds)
        #expect(seconds == seconds.sorted())
        #expect(Set(seconds) == Set(IdleLimits.known.map(\.seconds)))
        for source in IdleLimits.sources {
            #expect(source.setting.count > 5)
            #expect(source.page?.hasPrefix("https://") ?? true)
        }
    }

    @Test func everyWordHasOneEntry() {
        #expect(Set(Catalogue.rules.map(\.cause)) == Set(Cause.allCases))
        #expect(Catalogue.rules.count == Cause.allCases.count)
    }

    @Test func everyEntryIsComplete() {
        for rule in Catalogue.rules {
            #expect(rule.meaning.hasSuffix("."), "\(rule.cause.rawValue)")
            #expect(rule.advice.count > 20, "\(rule.cause.rawValue)")
            #expect(!rule.recognition.isEmpty && !rule.basis.isEmpty, "\(rule.cause.rawValue)")
        }
    }

    /// Every combination of what the rules look at: never do two of them hold.
    @Test func noTwoRulesHoldForOneEvidence() {
        let stacks: [[String]] = [
            ["tcp_v4_send_reset", "tcp_v4_rcv"], ["tcp_v4_send_reset", "tcp_v4_do_rcv", "tcp_v4_rcv"],
            ["tcp_v4_send_reset", "tcp_check_req", "tcp_v4_rcv"],
            ["tcp_v4_send_reset", "subflow_syn_recv_sock", "tcp_check_req", "tcp_v4_rcv"],
            ["tcp_v6_send_reset", "tcp_v6_do_rcv", "__release_sock", "tcp_close"],
            ["tcp_send_active_reset", "__tcp_close"], ["tcp_send_active_reset", "tcp_disconnect", "__tcp_close"],
            ["tcp_send_active_reset", "tcp_disconnect", "__inet_stream_connect"],
            ["tcp_send_active_reset", "tcp_disconnect", "inet_child_forget", "inet_csk_listen_stop", "__tcp_close"],
            ["tcp_send_active_reset", "tcp_abort", "tcp_diag_destroy"],
            ["tcp_send_active_reset", "tcp_abort", "bpf_prog_1", "bpf_iter_run_prog"],
            ["tcp_send_active_reset", "tcp_abort", "smc_conn_abort"],
            ["tcp_send_active_reset", "tcp_keepalive_timer"],
            ["tcp_send_active_reset", "tcp_out_of_resources", "tcp_write_timeout"],
            ["tcp_send_active_reset", "tcp_out_of_resources", "tcp_keepalive_timer"],
            ["tcp_send_active_reset", "mptcp_do_fastclose", "mptcp_close"],
            ["tcp_send_active_reset", "tcp_disconnect", "__tcp_close", "mptcp_do_fastclose"],
            ["tcp_send_active_reset", "mptcp_subflow_reset", "mptcp_worker"],
            ["nf_send_reset", "reject_tg", "nf_hook_slow", "ip_forward"], ["raw_sendmsg"], ["ip_forward"],
            ["ip_forward", "tun_get_user"], ["tun_get_user"], ["some_new_function"],
        ]
        let triggers: [TCPFlags?] = [nil, .syn, [.syn, .ack], .ack, [.fin, .ack], .fin, []]
        let states: [TCPState?] = [nil] + TCPState.allCases
        for frames in stacks {
            var evidence = Evidence()
            evidence.path = KernelPath(frames: frames)
            for flags in triggers {
                evidence.trigger = flags.map { Evidence.Trigger(flags: $0, length: 0, seq: 0, ack: 0) }
                for state in states {
                    evidence.state = state
                    for previous in [nil, TCPState.finWait1, .finWait2, .established] {
                        evidence.previousState = previous
                        for dead in [nil, false, true] {
                            evidence.dead = dead
                            for number in [nil, 0, 1000] as [UInt32?] {
                                evidence.userTimeout = number
                                evidence.linger2 = number.map { Int32($0) - 1 }
                                for socket in [Evidence.SocketKind.notRecorded, .absent, .listener, .connection] {
                                    // What the assembly never makes: a socket without a state, or the reverse.
                                    switch socket {
                                    case .absent where state != nil, .listener where state != .listen,
                                        .connection where state == nil || state == .listen:
                                        continue
                                    default: evidence.socket = socket
                                    }
                                    let holding = Catalogue.rules.filter { $0.holds(evidence) }
                                    if holding.count > 1 {
                                        Issue.record("\(holding.map(\.cause.rawValue)) for \(evidence)")
                                        return
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// The same path, with what nobody but the rule explains, and with what leaves another explanation.
    @Test func onlyWhatNothingElseExplainsIsProven() {
        func certainty(_ frames: [String], _ change: (inout Evidence) -> Void) -> Certainty {
            var evidence = Evidence()
            evidence.path = KernelPath(frames: frames + ["handle_softirqs"])
            change(&evidence)
            return judge(evidence).certainty
        }
        let overflowing = ["tcp_v4_send_reset", "tcp_check_req", "tcp_v4_rcv"]
        for (queued, expected) in [(4, .proven), (3, .inferred), (0, .inferred)] as [(UInt32, Certainty)] {
            let got = certainty(overflowing) {
                $0.trigger = Evidence.Trigger(flags: .ack, length: 0, seq: 0, ack: 0)
                $0.acceptQueue = ResetEvent.AcceptQueue(queued: queued, backlog: 3)
            }
            #expect(got == expected)
        }
        for (fit, expected) in [(nil, .proven), (.fits, .inferred), (.mayFit, .inferred)]
            as [(Evidence.ListenerFit?, Certainty)]
        {
            let got = certainty(["tcp_v4_send_reset", "tcp_v4_rcv"]) {
                $0.socket = .absent
                $0.trigger = Evidence.Trigger(flags: .syn, length: 0, seq: 0, ack: 0)
                $0.listener = fit
            }
            #expect(got == expected)
        }
        for (linger, expected) in [(false, .proven), (true, .inferred), (nil, .inferred)] as [(Bool?, Certainty)] {
            let got = certainty(["tcp_v4_send_reset", "tcp_v4_do_rcv", "tcp_v4_rcv"]) {
                $0.socket = .connection
                $0.state = .close
                $0.previousState = .finWait1
                $0.dead = false
                $0.linger = linger
            }
            #expect(got == expected)
        }
        #expect(certainty(["tun_get_user", "tun_chr_write_iter"]) { _ in } == .inferred)
        #expect(certainty(["ip_forward", "ip_rcv"]) { _ in } == .proven)
        #expect(certainty(["tcf_mirred_act", "__netif_receive_skb_core"]) { _ in } == .inferred)
    }

    /// A tracer's trampoline stands where the caller was: tcp_disconnect(), it may be.
    @Test(arguments: [("__tcp_close", Cause.abortOnClose), ("kretprobe_trampoline", .unknown)])
    func aHiddenCallerIsNotGuessed(_ caller: String, _ cause: Cause) {
        var evidence = Evidence()
        evidence.path = KernelPath(frames: [
            "tcp_send_active_reset", caller, "__tcp_close", "tcp_close", "do_syscall_64",
        ])
        evidence.dead = false
        #expect(judge(evidence).cause == cause)
    }

    /// TCP_LINGER2 is looked at in FIN_WAIT2 only.
    @Test(
        arguments: [
            (.finWait2, Int32(-1), Cause.linger2Expired), (.finWait2, 0, .abortOnMemory),
            (.finWait1, -1, .abortOnMemory),
            (.finWait1, 0, .abortOnMemory), (nil, -1, .unknown), (nil, 0, .abortOnMemory),
        ] as [(TCPState?, Int32, Cause)])
    func anOrphanIsResetForOneOfTwoReasons(_ previous: TCPState?, _ linger2: Int32, _ cause: Cause) {
        var evidence = Evidence()
        evidence.path = KernelPath(frames: ["tcp_send_active_reset", "__tcp_close", "tcp_close", "do_syscall_64"])
        evidence.dead = true
        evidence.state = .close
        evidence.previousState = previous
        evidence.linger2 = linger2
        #expect(judge(evidence).cause == cause)
    }

    @Test func aReasonThatDoesNotFitCastsDoubt() {
        var evidence = Evidence()
        evidence.path = KernelPath(frames: ["tcp_send_active_reset", "tcp_keepalive_timer", "handle_softirqs"])
        evidence.userTimeout = 0
        evidence.state = .established
        #expect(judge(evidence).cause == .keepaliveTimeout)
        #expect(judge(evidence).certainty == .proven)
        evidence.reason = "TCP_ABORT_ON_CLOSE"
        #expect(judge(evidence).certainty == .inferred)
    }

    @Test func withoutAPathNothingIsProven() {
        var evidence = Evidence()
        evidence.reason = "NO_SOCKET"
        evidence.trigger = Evidence.Trigger(flags: .syn, length: 0, seq: 0, ack: 0)
        evidence.socket = .absent
        let verdict = judge(evidence)
        #expect(verdict.cause == .unknown)
        #expect(verdict.missing.contains("the kernel's stack"))
    }
}

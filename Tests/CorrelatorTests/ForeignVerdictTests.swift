import KernelEvents
import NetworkTypes
import Testing

@testable import Correlator

/// What recordings of other programs are worth: the kernel's reason, or two functions, and never the whole stack.
@Suite struct ForeignVerdictTests {
    private func resets(_ text: String) throws -> ResetList {
        let recording = try RecordingDecoder.decode(Array(text.utf8))
        return correlate(captures: [], recordings: [EventInput(file: "trace", recording: recording)]).resets
    }

    private func traced(state: String, reason: String) throws -> Reset {
        // Linux 6.10 and later.
        let line =
            "  python3-17468   [001] .....  1857.399330: tcp_send_reset: skbaddr=0000000000000000 skaddr=000000009dbf56d8 "
            + "src=127.0.0.1:43384 dest=127.0.0.1:32781 state=\(state) reason=\(reason)\n"
        return try #require(resets("# tracer: nop\n#\n\(line)").first)
    }

    @Test func aReasonOfSeveralCausesChoosesNone() throws {
        let reset = try traced(state: "UNKNOWN", reason: "NO_SOCKET")
        #expect(reset.cause == .unknown && reset.certainty == .unknown)
        #expect(Set(reset.candidates) == [.closedPort, .staleConnection, .unexpectedSynAck, .straySegment])
    }

    @Test func aReasonOfOneCauseIsInferred() throws {
        let reset = try traced(state: "TCP_LISTEN", reason: "TCP_FLAGS")
        #expect(reset.cause == .staleConnectionAtListener && reset.certainty == .inferred)
        #expect(reset.candidates.isEmpty)
    }

    @Test func aReasonNobodyKnowsIsUnknown() throws {
        let reset = try traced(state: "TCP_CLOSE", reason: "TCP_OF_THE_FUTURE")
        #expect(reset.cause == .unknown && reset.candidates.isEmpty)
        #expect(reset.evidence.contains { $0.fact.contains("TCP_OF_THE_FUTURE") })
    }

    private func gadget(_ caller: String) throws -> Reset {
        let line =
            #"{"callee":"FUNC_TCP_SEND_ACTIVE_RESET","caller":"FUNC_\#(caller)","comm":"x","#
            + #""dst":{"addr":"10.0.0.2","port":40000},"pid":0,"sk_state":1,"socket_comm":"nginx","#
            + #""socket_netns_id":4026531840,"socket_pid":812,"socket_uid":33,"#
            + #""src":{"addr":"10.0.0.1","port":80},"tid":0,"uid":0}"#
        return try #require(resets(line).first)
    }

    /// As in the tool's own README, where a server closes with SO_LINGER 0.
    @Test func namedFunctionsLeaveOpenWhoCalledThem() throws {
        let reset = try gadget("TCP_DISCONNECT")
        #expect(reset.cause == .unknown)
        #expect(reset.candidates == [.lingerZero, .disconnect, .listenerClosed])
        #expect(reset.process == Reset.Process(pid: 812, comm: "nginx", role: .owner))
    }

    @Test func namedFunctionsOfOneCauseAreInferred() throws {
        let reset = try gadget("TCP_OUT_OF_RESOURCES")
        #expect(reset.cause == .abortOnMemory && reset.certainty == .inferred)
    }
}

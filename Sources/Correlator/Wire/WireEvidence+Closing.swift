import NetworkTypes
import PcapReader

/// How the connection was closing, or had been closed or reset, before the RST.
extension WireEvidence {
    /// The sender's FIN had been acknowledged when the segment came that the RST answers, or when the sender reset of its
    /// own accord.
    var finWasAcknowledged: Bool {
        let answered = situation == .aborts ? nil : trigger?.number
        return context.answerHistory.finWasAcknowledged(before: answered ?? .max)
    }

    /// The FIN was acknowledged, and the segment that the RST answers came while the end of the connection was still
    /// remembered (net.ipv4.tcp_fin_timeout, 60 s). Linux keeps no more than that of a connection that was closed and whose
    /// FIN was acknowledged (tcp_rcv_state_process(), tcp_time_wait()).
    var meetsTimeWait: Bool {
        guard finWasAcknowledged, let fin = own.fin else { return false }
        return (trigger?.time ?? reset.time).distance(from: fin.time) < Self.rememberedEnd
    }

    /// What the RST answers, and the capture leaves out, acknowledged the FIN, and came so late that an acknowledgment of its
    /// own most likely came before it: none is put off for longer than 40 ms by Linux (TCP_DELACK_MIN).
    var mayMeetTimeWait: Bool {
        guard isFiltered, trigger == nil, let fin = own.fin, !fin.end.follows(reset.seq), reset.time > fin.time else {
            return false
        }
        return (40_000_000..<Self.rememberedEnd).contains(reset.time.distance(from: fin.time))
    }

    /// What the sender kept of the connection after its FIN was gone when the segment came.
    var outlastsFin: Bool { finWasAcknowledged ? !meetsTimeWait : !triggerIsPrompt }

    /// TCP_TIMEWAIT_LEN and the default of net.ipv4.tcp_fin_timeout, and some seconds for the FIN to be acknowledged.
    private static let rememberedEnd: UInt64 = 65_000_000_000

    /// An earlier RST of the same sender had ended what socket there was, whatever that one was for.
    var hasResetBefore: Bool { own.resetCount > 0 }

    /// The segment that the RST answers is data of the burst that an earlier RST of the sender refused: it was sent before
    /// that RST can have come.
    var isOfRefusedBurst: Bool {
        guard let first = own.resets.first, let trigger, trigger.length > 0, trigger.time >= first.time,
            !first.flags.contains(.ack), first.seq == reset.seq
        else { return false }
        return trigger.time.distance(from: first.time) < Self.burst
    }

    /// As long as a round trip may take, nanoseconds.
    private static let burst: UInt64 = 500_000_000

    /// Data may have found a socket whose FIN could not be sent yet: the other end had closed its window.
    var mayHoldBackFin: Bool {
        situation == .answersOpen && own.bytes > 0 && peer.windowIsZero && !hasResetBefore
            && trigger.map { $0.length > 0 } == true
    }

    /// Both ends had finished when the segment came that the RST answers, or else when the RST was sent.
    var bothEnded: Bool {
        guard own.fin != nil, let fin = peer.fin else { return false }
        // Data that comes with the FIN is still data to an end that has closed.
        return trigger.map { fin.number < $0.number || fin.number == $0.number && $0.length == 0 } ?? true
    }

    /// Data of the other end came after the sender's FIN, and the RST acknowledges it, as BSD stacks answer it.
    var acknowledgesLateData: Bool {
        guard situation == .aborts, let fin = own.fin, reset.flags.contains(.ack), own.last?.number == fin.number else {
            return false
        }
        guard let data = peer.lastData else {
            // Of the other end nothing was captured: the acknowledgment has moved on since the FIN.
            return peer.segments == 0 && own.highestAck.map(reset.ack.follows) == true
        }
        return data.number > fin.number && reset.ack == data.end
    }

    /// Data of the other end came after the sender's FIN, and the sender took it: it had ended its side, and no more.
    var tookLateData: Bool {
        guard situation == .aborts, let fin = own.fin, let data = peer.lastData, let ack = own.highestAck else {
            return false
        }
        return data.number > fin.number && !data.end.follows(ack)
    }

    /// Data came when both ends had finished and the sender waited for its FIN to be acknowledged: it had a socket
    /// (LAST_ACK, CLOSING), which no RST had ended.
    var refusesDataBeforeLastAck: Bool {
        guard bothEnded, own.resetCount + peer.resetCount == 0, triggerIsPrompt, !finWasAcknowledged, let fin = own.fin,
            let trigger
        else { return false }
        return trigger.length > 0 && trigger.flags.contains(.ack) && fin.end.follows(trigger.ack)
    }

    /// The sender ended a connection that it had, and nothing provoked it.
    var abortsItself: Bool { situation == .aborts && own.segments > 0 && !isOnlyOpening && !handshakeTimedOut }
}

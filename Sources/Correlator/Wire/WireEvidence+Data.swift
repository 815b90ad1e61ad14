import NetworkTypes
import PcapReader

/// What was sent, read and acknowledged before the RST.
extension WireEvidence {
    /// Bytes of the other end that the sender of the RST had acknowledged when it sent it, as the numbers tell; nil if
    /// the capture has no beginning of the connection.
    var received: UInt32? {
        // The first acknowledgment of the end that opened a connection is that of the SYN+ACK.
        guard reset.flags.contains(.ack),
            let start = peer.syn.map({ $0.seq &+ 1 }) ?? (own.syn?.isPlainSyn == true ? own.firstAck : nil)
        else { return nil }
        let end = peer.fin != nil && reset.ack == peer.nextSeq ? reset.ack &- 1 : reset.ack
        let count = end &- start
        return count < 1 << 31 ? count : nil
    }

    /// Whether the other end sent data does not show: a filter kept it out, and the RST acknowledges nothing.
    var dataIsUnseen: Bool { isFiltered && received == nil && peer.bytes == 0 }

    /// The other end ended its side with its last data or right after it: that asks for no answer (the unbind of LDAP, the
    /// end of a request without a response), and no answer is no sign that it was not read.
    var lastDataWantsNoAnswer: Bool {
        guard let data = lastReceivedData else { return false }
        if lastDataIsLastWord { return true }
        guard let fin = peer.fin else { return false }
        return fin.end == data.end &+ (fin.number == data.number ? 0 : 1)
            && fin.time.distance(from: data.time) < Self.program
    }

    /// A message that needs no answer, judging by its content.
    var lastDataIsLastWord: Bool { lastReceivedData?.last == .unanswered }

    /// Whether the other end had sent data that may not have been read.
    var peerSentData: Bool {
        // Data that crossed the RST had not come when it was sent.
        received.map { $0 > 0 } ?? (peer.bytes > 0)
    }

    /// The last data of the other end that the sender of the RST had received, as its acknowledgment tells.
    var lastReceivedData: SegmentNote? {
        hasCrossed(peer.lastData) ? context.answerHistory.lastKnownData : peer.lastData
    }

    /// The RST does not acknowledge the segment: its sender did not know of it.
    func hasCrossed(_ note: SegmentNote?) -> Bool {
        reset.flags.contains(.ack) && reset.seq != 0 && note?.end.follows(reset.ack) == true
    }

    /// The sender of the RST sent data after it had received the last data of the other end: it had read it, or part.
    var answeredLastData: Bool {
        guard let theirs = lastReceivedData, let mine = own.lastData else { return false }
        return mine.number > theirs.number && !theirs.end.follows(mine.ack)
    }

    /// Bytes that the sender of the RST had sent and the other end had not acknowledged.
    var unacknowledged: UInt32 {
        guard own.segments > 0, let ack = peer.highestAck, own.nextSeq.follows(ack) else { return 0 }
        let count = own.nextSeq &- ack
        // What is further back is of another connection: no window is larger (RFC 7323, section 2.3), nor was more sent.
        guard count <= 1 << 30, own.syn.map({ count <= own.nextSeq &- $0.seq }) ?? true else { return 0 }
        return count
    }

    /// Data of one end has not been acknowledged by the other, and will not be.
    var losesData: Bool {
        // A FIN counts as one, and is no data.
        if unacknowledged > (own.fin?.end == own.nextSeq ? 1 : 0) { return true }
        guard let data = peer.lastData else { return false }
        return own.highestAck.map { data.end.follows($0) } ?? true
    }

    /// Neither end ever sent data, as the RST's numbers show.
    var isWithoutData: Bool {
        guard let syn = own.syn, reset.flags.contains(.ack) else { return false }
        return reset.seq == syn.end && received == 0
    }

    /// The sender is the end that asks, and the last data is an answer to all that it had sent. What an end that serves gets
    /// after its last answer is the next question.
    var wasAnswered: Bool {
        guard isServer == false, let mine = own.lastData, let theirs = lastReceivedData else { return false }
        return theirs.number > mine.number && !mine.end.follows(theirs.ack)
    }

    /// The window of the RST is wider than that of the sender's last segment: closing a socket throws its unread data away,
    /// and with that makes room, before the RST is sent (__tcp_close(), tcp_select_window()).
    var opensWindow: Bool {
        guard let last = own.last, !last.flags.contains(.syn), reset.flags.contains(.ack), hasSocketsHeader else {
            return false
        }
        return reset.window > last.window && Int(reset.window - last.window) * 8 >= Int(reset.window)
    }

    /// Whether the segment that the RST answers carries data or a FIN; nil if it was not captured.
    var answersData: Bool? { trigger.map { $0.length > 0 || $0.flags.contains(.fin) } }

    /// So many bytes before what the sender of the RST expects next the segment begins that it answers: the sender had
    /// acknowledged them. Nil where it is not before.
    var bytesBelowWindow: UInt32? {
        guard let trigger, let expected = own.highestAck, trigger.flags.isDisjoint(with: [.syn]), peer.otherSyn == nil,
            expected.follows(trigger.seq), !trigger.end.follows(expected), own.otherSyn == nil
        else { return nil }
        return expected &- trigger.seq
    }

    /// Conntrack takes what begins at most a window before what was acknowledged (tcp_in_window()): further down it is
    /// INVALID, and no address of it is translated.
    var isBelowWindowOfTracking: Bool {
        guard let below = bytesBelowWindow, trigger?.length ?? 0 > 0 else { return false }
        // Without the SYN the scale is not known.
        guard own.syn != nil else { return below > 1 << 20 }
        return below > max(own.scaledWindow(peer), 1 << 12)
    }

    /// The segment that it answers had been sent before, without an answer.
    var answersRepetition: Bool { peer.retransmissionsSinceHeard > 0 }
}

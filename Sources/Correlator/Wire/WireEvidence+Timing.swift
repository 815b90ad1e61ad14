import NetworkTypes
import PcapReader

/// When the RST came: how long before and after it the connection was silent.
extension WireEvidence {
    /// Nanoseconds without any segment before the RST; nil if its time is before that of the last segment: clocks that are
    /// set, and records without a time, say nothing of how long it was.
    var silence: UInt64? {
        guard let last = flow?.last, clock != nil || reset.time >= last.time else { return nil }
        return distance(reset, last)
    }

    /// Nanoseconds since the last segment that the sender of the RST had sent or knew of; nil if that does not show.
    private var pause: UInt64? {
        guard hasCrossed(peer.last) else { return silence }
        let known = [own.last, context.answerHistory.lastKnown].compactMap(\.self).max { $0.number < $1.number }
        guard let known, clock != nil || reset.time >= known.time else { return nil }
        return distance(reset, known)
    }

    /// How much later or earlier one segment is than another, nanoseconds.
    func distance(_ one: SegmentNote, _ other: SegmentNote) -> UInt64 { Self.distance(one, other, clock) }

    static func distance(_ one: SegmentNote, _ other: SegmentNote, _ clock: PacketClock?) -> UInt64 {
        guard let clock else { return one.time.distance(from: other.time) }
        return clock.steady(one.time, ofPacket: one.number)
            .distance(from: clock.steady(other.time, ofPacket: other.number))
    }

    /// The silence that the segment ended which the RST answers; it was measured by a clock that nobody set.
    var pauseBeforeTrigger: Pause? {
        trigger == nil || clock != nil ? nil : context.answerHistory.pauseBeforeTrigger
    }

    /// The silence that data ended which the RST came right after, and acknowledges: devices that have forgotten a connection
    /// answer so, with the numbers of its segments.
    var pauseBeforeData: Pause? {
        guard situation == .aborts, clock == nil, own.fin == nil, let data = peer.lastData, data.end == reset.ack,
            data.number > own.last?.number ?? 0, distance(reset, data) < 1_000_000_000,
            let pause = context.answerHistory.pauseBeforeTrigger, pause.length >= Self.longSilence
        else { return nil }
        return pause
    }

    /// From here on a silence before a RST speaks of an idle limit: the shortest that is in wide use.
    static let longSilence: UInt64 = 59_500_000_000

    /// So soon after another segment that a program was probably waiting for that: who kills a socket from outside is not.
    var isPrompt: Bool { (pause ?? .max) < 2_000_000 }

    var silenceIsShort: Bool { (silence ?? 0) < Self.longSilence || !silenceIsCertain }

    /// The connection was silent, and not only its SYNs and FINs, in a capture that says that it was restricted or whose
    /// numbers have moved on.
    var silenceIsCertain: Bool { !isFiltered && flow.map { !Self.hasMovedOn($0, reset) } ?? true }

    /// A long silence that is as long as no idle limit that is well known.
    var silenceFitsNoLimit: Bool { silence.map { IdleLimits.fitting(nanoseconds: $0).isEmpty } ?? true }

    /// A restricted capture has a connection that was opened, never used, and reset at least a second later.
    var idlesUnseen: Bool {
        isFiltered && abortsItself && own.fin == nil && isWithoutData && (silence ?? 0) >= 1_000_000_000
    }

    /// The sender had an answer to all that it had sent, or had answered all that it had received, and stayed silent
    /// longer than a program needs that waits for nothing: what ended the connection then was not a segment.
    var isUnprovoked: Bool { (pause ?? 0) >= Self.program }

    /// How long a program takes between two successive actions, nanoseconds.
    static let program: UInt64 = 50_000_000

    /// The segment that the RST answers may itself answer the sender's last one. Much later the socket may be gone: the
    /// kernel gives an orphan up whose FIN nobody acknowledges.
    var triggerIsPrompt: Bool {
        guard let trigger, let last = own.last else { return true }
        return distance(trigger, last) < 5_000_000_000
    }

    /// Keepalive probes of the sender that nothing answered before the RST.
    var unansweredProbes: Int {
        own.probesSinceHeard > 0 || isFiltered ? own.probesSinceHeard : context.answerHistory.lookBacks
    }

    /// There may have been more of them than are remembered.
    var probesReachBack: Bool { unansweredProbes == RecentSegments.kept && own.probesSinceHeard == 0 }

    /// The sender sends more after the RST, and not only what was on its way.
    var senderGoesOn: Bool {
        // A file that repeats its packets goes back in time.
        guard let next = flow?.after.senderFirst, !next.flags.contains(.syn), next.time > reset.time else {
            return false
        }
        return next.time.distance(from: reset.time) > 1_000_000
    }

    /// The first segment with which the other end goes on, so long after the RST that it was not on its way: the RST had no
    /// effect. Who takes a RST says no more (RFC 9293, section 3.10.7.4).
    var ignoredBy: LaterNote? {
        guard let next = flow?.after.peerFirst, next.flags.isDisjoint(with: [.syn, .rst]),
            next.time > reset.time, next.time.distance(from: reset.time) > 1_000_000_000
        else { return nil }
        return next
    }
}

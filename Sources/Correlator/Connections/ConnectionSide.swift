import NetworkTypes
import PcapReader

/// What one end of a connection has sent so far, as one observer saw it; its latest segments are kept apart, in
/// `RecentSegments`.
///
/// A copy of it is kept for each RST, so that it is small: what most ends never do stands elsewhere.
struct ConnectionSide: Sendable, Equatable {
    // What every segment looks at or changes stands together, in few lines of the processor's cache; the connections of a
    // large capture take turns, and each line that is not there costs more than all the arithmetic.
    var segments = 0
    /// TCP payload, bytes; retransmissions count again.
    var bytes: UInt64 = 0
    /// The sequence number after all that was seen; meaningless before `segments` > 0.
    var nextSeq: UInt32 = 0
    /// The highest acknowledgment sent.
    var highestAck: UInt32?
    var firstAck: UInt32?
    var lastFlowLabel: UInt32 = 0
    /// Of the last segment.
    var lastID: UInt16?
    /// Everything Multipath TCP that this end sent.
    var kinds: TCPOptions.Kinds = []
    var lowestTTL: UInt8 = 255
    var highestTTL: UInt8 = 0
    /// The window of the last segment is 0.
    var windowIsZero = false
    /// There is an `otherSyn` that would open a connection.
    private(set) var hasOtherSyn = false
    /// Of `synOptions`.
    private(set) var synKinds: TCPOptions.Kinds = []
    /// Consecutive IP identifications that differ by 1 to 64, of how many pairs.
    var smallIDSteps = 0
    var idPairs = 0
    /// Segments with timestamps; RSTs do not count.
    var withTimestamps = 0
    /// Segments whose sequence number was ahead of what had been seen: something is missing from the capture, or comes late.
    var holes = 0
    /// Probes and retransmissions since the other end was last heard.
    var probesSinceHeard = 0
    var retransmissionsSinceHeard = 0
    /// The last segment that is no RST.
    private(set) var last: SegmentNote?
    /// The last segment with payload.
    private(set) var lastData: SegmentNote?
    private var marks = Seldom<HandshakeMarks>()
    private var losses = Seldom<LossCounters>()
    /// RSTs of this end, the latest at the end.
    private(set) var resets: [SegmentNote] = []
    var resetCount = 0
    private var repeats = Seldom<Repeats>()
    /// Segments that do not fit the others of this end.
    var suspects: [Suspect] = []

    /// How the end began and ended.
    private struct HandshakeMarks: Sendable, Equatable, StartsEmpty {
        var syn: SegmentNote?
        var synOptions = TCPOptions()
        var otherSyns: [ConnectionSegment] = []
        var lastBeforeOtherSyn: SegmentNote?
        var synRepeats = 0
        var firstAckTime: Int64?
        var fin: SegmentNote?
        var pauseBeforeFin: Pause?
    }

    /// The latest RSTs of the end, as long as each is like the one before it.
    struct Repeats: Sendable, Equatable, StartsEmpty {
        /// Without the first.
        var count = 0
        var firstTime: Int64 = 0
        /// Nanoseconds from one to the next.
        var shortest = UInt64.max
        var longest: UInt64 = 0

        mutating func add(_ note: SegmentNote, after last: SegmentNote) {
            if count == 0 { firstTime = last.time }
            count += 1
            let gap = note.time.distance(from: last.time)
            shortest = min(shortest, gap)
            longest = max(longest, gap)
        }
    }

    private struct LossCounters: Sendable, Equatable, StartsEmpty {
        var retransmissions = 0
        var lastRetransmission: SegmentNote?
        var retransmissionTimes: [Int64] = []
        var probes = 0
        var lastProbe: SegmentNote?
        var windowProbes = 0
        var lastWindowProbe: SegmentNote?
        var zeroWindows = 0
        var lastZeroWindow: SegmentNote?
    }

    /// The SYN or SYN+ACK that began the connection.
    var syn: SegmentNote? { marks.value.syn }
    var synOptions: TCPOptions { marks.value.synOptions }
    /// A SYN or SYN+ACK with another sequence number than `syn`, the latest one.
    var otherSyn: SegmentNote? { marks.value.otherSyns.last?.note }
    /// The same, and what it repeats; at most `keptSyns`.
    var otherSyns: [ConnectionSegment] { marks.value.otherSyns }
    /// The last segment before the first of these.
    var lastBeforeOtherSyn: SegmentNote? { marks.value.lastBeforeOtherSyn }
    var synRepeats: Int { marks.value.synRepeats }
    /// When an end that opened the connection first acknowledged something.
    var firstAckTime: Int64? { marks.value.firstAckTime }
    var fin: SegmentNote? { marks.value.fin }
    /// How long neither end had sent anything when the FIN came, from `Pause.least` on.
    var pauseBeforeFin: Pause? { marks.value.pauseBeforeFin }
    var retransmissions: Int { losses.value.retransmissions }
    var lastRetransmission: SegmentNote? { losses.value.lastRetransmission }
    /// Times of the latest retransmissions, at most `keptTimes`.
    var retransmissionTimes: [Int64] { losses.value.retransmissionTimes }
    /// Keepalive probes (RFC 9293, section 3.8.4).
    var probes: Int { losses.value.probes }
    var lastProbe: SegmentNote? { losses.value.lastProbe }
    /// Probes of a window that the other end had closed (RFC 9293, section 3.8.6.1).
    var windowProbes: Int { losses.value.windowProbes }
    var lastWindowProbe: SegmentNote? { losses.value.lastWindowProbe }
    /// How often the end closed its window.
    var zeroWindows: Int { losses.value.zeroWindows }
    var lastZeroWindow: SegmentNote? { losses.value.lastZeroWindow }

    /// An identification that is at most so much further on belongs to the same row.
    static let usualIDStep: UInt16 = 1024

    static let keptResets = 8
    static let keptTimes = 8
    static let keptSyns = 8
    static let keptSuspects = 4

    /// A segment that somebody else may have sent in this end's name.
    struct Suspect: Sendable, Equatable {
        var note: SegmentNote
        var signs: Signs
        /// The segment that contradicts it.
        var conflict: SegmentNote?
    }

    struct Signs: OptionSet, Sendable, Equatable {
        let rawValue: UInt8
        /// Without timestamps, although both ends agreed on them (RFC 7323, section 3.2).
        static let noTimestamps = Signs(rawValue: 1)
        static let otherTTL = Signs(rawValue: 2)
        /// IP identification copied from the segment it answers.
        static let copiedID = Signs(rawValue: 4)
        /// Later data with the same sequence number differs.
        static let conflict = Signs(rawValue: 8)
    }

    var timestampsAgreed: Bool { withTimestamps > 0 && synKinds.contains(.timestamps) }

    /// A segment that another one contradicts, and that bears more signs of a stranger.
    var injected: Suspect? {
        suspects.first { $0.signs.contains(.conflict) && $0.signs != .conflict }
    }

    /// Those of its RSTs that are like its latest one.
    var equalResets: Repeats { repeats.value }

    mutating func rememberReset(_ note: SegmentNote) {
        if let last = resets.last, last.repeats(note) {
            repeats.value.add(note, after: last)
        } else if repeats != Seldom<Repeats>() {
            repeats = Seldom<Repeats>()
        }
        resetCount += 1
        if resets.count == Self.keptResets { resets.removeFirst() }
        resets.append(note)
    }
}

extension ConnectionSide {
    /// The SYN+ACK cannot be the one of what this end has sent before.
    func opensAnother(_ note: SegmentNote) -> Bool {
        guard hasMoreThanSyn else { return false }
        return syn.map { $0.seq != note.seq } ?? (nextSeq &- note.end >= Self.shortlyAfter)
    }

    /// Takes in a segment of this end that is not a RST.
    ///
    /// - Parameters:
    ///   - recent: the segments of this end before it.
    ///   - peer: the other end.
    mutating func add(_ segment: ConnectionSegment, after recent: RecentSegments, peer: borrowing ConnectionSide) {
        let note = segment.note
        let begins = segments == 0
        let before = nextSeq
        countHeader(segment)
        // What the SYN of another connection is numbered with says nothing of this one.
        if note.flags.contains(.syn), !addSyn(segment) {
            last = note
            return
        }
        if note.flags.contains(.ack) {
            if firstAck == nil {
                firstAck = note.ack
                if syn?.isPlainSyn == true { marks.value.firstAckTime = note.time }
            }
            if highestAck.map(note.ack.follows) ?? true { highestAck = note.ack }
        }
        var isProbe = false
        if begins {
            nextSeq = note.end
        } else {
            isProbe = place(note, recent, peer) == .probe
        }
        // A FIN within what was sent before is an old one, or a wrong one.
        if note.flags.contains(.fin), begins || note.end.follows(before), fin == nil { addFin(note, peer) }
        if note.length > 0 && !isProbe || note.flags.contains(.fin) {
            let isNew = begins || !before.follows(note.seq)
            if note.length > 0, !isNew { findConflict(note, recent) }
            addSuspicion(note, peerKinds: peer.synKinds, peerID: peer.lastID)
        }
        // The byte of a probe is an old one, or none at all.
        if note.length > 0, !isProbe {
            bytes = bytes.saturatingAdd(UInt64(note.length))
            lastData = note
        }
        last = note
    }

    private mutating func addFin(_ note: SegmentNote, _ peer: borrowing ConnectionSide) {
        marks.value.fin = note
        var before = last
        if let theirs = peer.last, theirs.number > before?.number ?? 0 { before = theirs }
        marks.value.pauseBeforeFin = before.flatMap { Pause(from: $0, to: note) }
    }

    private mutating func countHeader(_ segment: ConnectionSegment) {
        let note = segment.note
        segments += 1
        kinds.formUnion(note.kinds)
        // A segment without an identification has none to count on from (Linux before it knows whether DF holds).
        if let lastID, lastID != 0, note.ipID != 0 {
            idPairs += 1
            if (1...64).contains(note.ipID &- lastID) { smallIDSteps += 1 }
        }
        lastID = note.ipID
        lowestTTL = min(lowestTTL, note.ttl)
        highestTTL = max(highestTTL, note.ttl)
        if note.kinds.contains(.timestamps) { withTimestamps += 1 }
        lastFlowLabel = segment.flowLabel
        let closesWindow = note.window == 0 && !note.flags.contains(.syn)
        if closesWindow {
            if !windowIsZero { losses.value.zeroWindows += 1 }
            losses.value.lastZeroWindow = note
        }
        windowIsZero = closesWindow
    }

    /// - Returns: false for a SYN that opens another connection with the same addresses and ports, if anybody answers it.
    private mutating func addSyn(_ segment: ConnectionSegment) -> Bool {
        let note = segment.note
        if let syn, note.seq == syn.seq {
            marks.value.synRepeats += 1
            return true
        }
        // Where the connection is older than the capture: its own SYN may have been captured after what followed it.
        let isFirst = syn == nil && (!note.isPlainSyn || segments == 1 || nextSeq &- note.end < Self.shortlyAfter)
        if isFirst {
            marks.value.syn = note
            marks.value.synOptions = segment.options
            synKinds = note.kinds
            return true
        }
        if !hasOtherSyn { marks.value.lastBeforeOtherSyn = last }
        if otherSyn?.seq != note.seq { marks.value.otherSyns = [] }
        if otherSyns.count == Self.keptSyns { marks.value.otherSyns.remove(at: 1) }
        marks.value.otherSyns.append(segment)
        // Another SYN+ACK answers the same SYN (a SYN cookie, a load balancer).
        guard note.isPlainSyn else { return true }
        hasOtherSyn = true
        return false
    }

    /// As many bytes as a window without scaling has.
    private static let shortlyAfter: UInt32 = 1 << 16

    private enum Place { case empty, new, probe, repetition }

    /// Finds out whether the segment is new, a probe, or a repetition, and counts it.
    private mutating func place(
        _ note: SegmentNote, _ recent: RecentSegments, _ peer: borrowing ConnectionSide
    ) -> Place {
        guard note.end != note.seq || note.seq == nextSeq &- 1 else { return .empty }
        if note.length <= 1, note.seq == nextSeq &- 1, note.flags.isDisjoint(with: [.syn, .fin]),
            note.flags.contains(.ack)
        {
            if peer.windowIsZero {
                losses.value.windowProbes += 1
                losses.value.lastWindowProbe = note
                return .probe
            }
            if note.length == 0 || wasAcknowledged(note, by: peer) {
                probesSinceHeard += 1
                losses.value.probes += 1
                losses.value.lastProbe = note
                return .probe
            }
        }
        if note.seq.follows(nextSeq) { holes += 1 }
        if note.end.follows(nextSeq) {
            nextSeq = note.end
            return .new
        } else if holes > 0, !recent.contains(where: { $0.seq == note.seq && $0.length == note.length }) {
            holes -= 1
            return .new
        } else {
            retransmissionsSinceHeard += 1
            losses.value.retransmissions += 1
            losses.value.lastRetransmission = note
            if retransmissionTimes.count == Self.keptTimes { losses.value.retransmissionTimes.removeFirst() }
            losses.value.retransmissionTimes.append(note.time)
            return .repetition
        }
    }

    /// Whether the other end has the last byte that this one sent: a byte that it lacks is sent again, and is no probe.
    private func wasAcknowledged(_ note: SegmentNote, by peer: borrowing ConnectionSide) -> Bool {
        guard let ack = peer.highestAck else {
            // Of the other end nothing was captured: a byte that was sent alone, and comes alone again, is most likely lost.
            return lastData.map { $0.seq != note.seq || $0.length != 1 } ?? true
        }
        return !nextSeq.follows(ack)
    }

    /// Notes what speaks against this end as the sender of a segment.
    private mutating func addSuspicion(_ note: SegmentNote, peerKinds: TCPOptions.Kinds, peerID: UInt16?) {
        guard !note.flags.contains(.syn) else { return }
        var signs: Signs = []
        if synKinds.contains(.timestamps), peerKinds.contains(.timestamps),
            !note.kinds.contains(.timestamps), !note.kinds.contains(.incomplete)
        {
            signs.insert(.noTimestamps)
        }
        if let last, last.ttl != note.ttl { signs.insert(.otherTTL) }
        if note.ipID != 0, peerID == note.ipID { signs.insert(.copiedID) }
        if !signs.isEmpty, suspects.count < Self.keptSuspects {
            suspects.append(Suspect(note: note, signs: signs, conflict: nil))
        }
    }

    /// An earlier segment with the same first byte that cannot have come from the same sender as this one.
    private mutating func findConflict(_ note: SegmentNote, _ recent: RecentSegments) {
        guard
            let earlier = recent.inOrder.last(where: {
                $0.seq == note.seq && $0.length > 0 && $0.length != note.length
                    && ($0.ttl != note.ttl || $0.kinds.contains(.timestamps) != note.kinds.contains(.timestamps)
                        || $0.flags.contains(.fin) && note.end.follows($0.end))
            })
        else { return }
        if let index = suspects.firstIndex(where: { $0.note.number == earlier.number }) {
            suspects[index].signs.insert(.conflict)
            suspects[index].conflict = note
        } else if suspects.count < Self.keptSuspects {
            suspects.append(Suspect(note: earlier, signs: .conflict, conflict: note))
        }
    }
}

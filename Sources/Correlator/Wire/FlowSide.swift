import NetworkTypes
import PcapReader

/// What one end of a connection has sent so far, as one observer saw it.
struct FlowSide: Sendable, Equatable {
    var segments = 0
    /// TCP payload, bytes; retransmissions count again.
    var bytes: UInt64 = 0
    var first: SegmentNote?
    /// The last ones, the latest at the end; RSTs are not among them.
    private(set) var recent: [SegmentNote] = []
    /// The SYN or SYN+ACK that began the connection.
    var syn: SegmentNote?
    var synOptions = TCPOptions()
    /// A SYN with another sequence number than `syn`.
    var otherSyn: SegmentNote?
    var synRepeats = 0
    var fin: SegmentNote?
    /// The sequence number after all that was seen; meaningless before `segments` > 0.
    var nextSeq: UInt32 = 0
    /// The highest acknowledgment sent, and the packet that did.
    var highestAck: UInt32?
    var highestAckNumber = 0
    var firstAck: UInt32?
    /// The last segment with payload.
    var lastData: SegmentNote?
    var retransmissions = 0
    var lastRetransmission: SegmentNote?
    /// Times of the latest retransmissions, at most `keptTimes`.
    var retransmissionTimes: [Int64] = []
    /// Segments whose sequence number was ahead of what had been seen: something is missing from the capture, or comes late.
    var holes = 0
    /// Keepalive probes (RFC 9293, section 3.8.4).
    var probes = 0
    var lastProbe: SegmentNote?
    /// Probes and retransmissions since the other end was last heard.
    var probesSinceHeard = 0
    var retransmissionsSinceHeard = 0
    var zeroWindows = 0
    var lastZeroWindow: SegmentNote?
    /// The window of the last segment is 0.
    var windowIsZero = false
    var lowestTTL: UInt8 = 255
    var highestTTL: UInt8 = 0
    /// Consecutive IP identifications that differ by 1 to 64, of how many pairs.
    var smallIDSteps = 0
    var idPairs = 0
    var lastID: UInt16?
    /// Segments with timestamps; RSTs do not count.
    var withTimestamps = 0
    var lastFlowLabel: UInt32 = 0
    /// Everything Multipath TCP that this end sent.
    var kinds: TCPOptions.Kinds = []
    /// RSTs of this end, the latest at the end.
    private(set) var resets: [SegmentNote] = []
    var resetCount = 0
    /// Segments that do not fit the others of this end.
    var suspects: [Suspect] = []

    static let keptSegments = 8
    static let keptResets = 8
    static let keptTimes = 8
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

    var last: SegmentNote? { recent.last }
    var timestampsAgreed: Bool { withTimestamps > 0 && synOptions.kinds.contains(.timestamps) }

    /// A segment that another one contradicts, and that bears more signs of a stranger.
    var injected: Suspect? {
        suspects.first { $0.signs.contains(.conflict) && $0.signs != .conflict }
    }

    /// Whether an equal segment came just before: one that was captured twice (a mirror port, a bridge).
    func hasJustSeen(_ note: SegmentNote, within window: UInt64) -> Bool {
        // Without an identification two equal acknowledgments may well be two.
        guard note.ipID != 0 || note.length > 0 || note.flags.contains(.syn) else { return false }
        return recent.suffix(4).contains {
            $0.seq == note.seq && $0.ack == note.ack && $0.flags == note.flags && $0.length == note.length
                && $0.window == note.window && $0.ipID == note.ipID && $0.timestamp == note.timestamp
                && $0.time.distance(from: note.time) <= window
        }
    }

    mutating func remember(_ note: SegmentNote) {
        if recent.count == Self.keptSegments { recent.removeFirst() }
        recent.append(note)
    }

    mutating func rememberReset(_ note: SegmentNote) {
        resetCount += 1
        if resets.count == Self.keptResets { resets.removeFirst() }
        resets.append(note)
    }

    /// The latest segment that a predicate accepts, and that is kept.
    func latest(where accepts: (SegmentNote) -> Bool) -> SegmentNote? { recent.last(where: accepts) }
}

extension FlowSide {
    /// Takes in a segment of this end that is not a RST.
    ///
    /// - Parameters:
    ///   - peerKinds: the options of the other end's SYN.
    ///   - peerID: IP identification of the other end's last segment.
    mutating func add(
        _ note: SegmentNote, _ segment: TCPSegment, peerKinds: TCPOptions.Kinds, peerID: UInt16?
    ) {
        let begins = segments == 0
        let before = nextSeq
        countHeader(note, segment)
        if note.flags.contains(.syn) { addSyn(note, segment.options) }
        if note.flags.contains(.ack) { firstAck = firstAck ?? note.ack }
        if note.flags.contains(.ack), highestAck.map(note.ack.follows) ?? true {
            highestAck = note.ack
            highestAckNumber = note.number
        }
        if begins {
            first = note
            nextSeq = note.end
        } else {
            place(note)
        }
        if note.length > 0 {
            let (sum, overflow) = bytes.addingReportingOverflow(UInt64(note.length))
            bytes = overflow ? .max : sum
            lastData = note
        }
        // A FIN within what was sent before is an old one, or a wrong one.
        if note.flags.contains(.fin), begins || note.end.follows(before) { fin = fin ?? note }
        addSuspicion(note, peerKinds: peerKinds, peerID: peerID)
        remember(note)
    }

    private mutating func countHeader(_ note: SegmentNote, _ segment: TCPSegment) {
        segments += 1
        kinds.formUnion(note.kinds)
        if let lastID {
            idPairs += 1
            if (1...64).contains(note.ipID &- lastID) { smallIDSteps += 1 }
        }
        lastID = note.ipID
        lowestTTL = min(lowestTTL, note.ttl)
        highestTTL = max(highestTTL, note.ttl)
        if note.kinds.contains(.timestamps) { withTimestamps += 1 }
        lastFlowLabel = segment.flowLabel
        windowIsZero = note.window == 0 && !note.flags.contains(.syn)
        if windowIsZero {
            zeroWindows += 1
            lastZeroWindow = note
        }
    }

    private mutating func addSyn(_ note: SegmentNote, _ options: TCPOptions) {
        guard let syn else {
            self.syn = note
            synOptions = options
            return
        }
        if note.seq == syn.seq { synRepeats += 1 } else { otherSyn = note }
    }

    /// Finds out whether the segment is new, a keepalive probe, or a repetition.
    private mutating func place(_ note: SegmentNote) {
        guard note.end != note.seq || note.seq == nextSeq &- 1 else { return }
        if note.length <= 1, note.seq == nextSeq &- 1, note.flags.isDisjoint(with: [.syn, .fin]),
            note.flags.contains(.ack)
        {
            probes += 1
            probesSinceHeard += 1
            lastProbe = note
            return
        }
        if note.seq.follows(nextSeq) { holes += 1 }
        if note.end.follows(nextSeq) {
            nextSeq = note.end
        } else if holes > 0, !recent.contains(where: { $0.seq == note.seq && $0.length == note.length }) {
            holes -= 1
        } else {
            retransmissions += 1
            retransmissionsSinceHeard += 1
            lastRetransmission = note
            if retransmissionTimes.count == Self.keptTimes { retransmissionTimes.removeFirst() }
            retransmissionTimes.append(note.time)
        }
    }

    private mutating func addSuspicion(_ note: SegmentNote, peerKinds: TCPOptions.Kinds, peerID: UInt16?) {
        if note.length > 0 { findConflict(note) }
        guard note.length > 0 || note.flags.contains(.fin), !note.flags.contains(.syn) else { return }
        var signs: Signs = []
        if synOptions.kinds.contains(.timestamps), peerKinds.contains(.timestamps),
            !note.kinds.contains(.timestamps), !note.kinds.contains(.incomplete)
        {
            signs.insert(.noTimestamps)
        }
        if let earlier = recent.last, earlier.ttl != note.ttl { signs.insert(.otherTTL) }
        if note.ipID != 0, peerID == note.ipID { signs.insert(.copiedID) }
        if !signs.isEmpty, suspects.count < Self.keptSuspects {
            suspects.append(Suspect(note: note, signs: signs, conflict: nil))
        }
    }

    /// An earlier segment with the same first byte that cannot have come from the same sender as this one.
    private mutating func findConflict(_ note: SegmentNote) {
        guard
            let earlier = recent.last(where: {
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

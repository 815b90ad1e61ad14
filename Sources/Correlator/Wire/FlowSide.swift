import NetworkTypes
import PcapReader

/// What one end of a connection has sent so far, as one observer saw it.
struct FlowSide: Sendable, Equatable {
    // What every segment looks at or changes stands together, in few lines of the processor's cache; the connections of a
    // large capture take turns, and each line that is not there costs more than all the arithmetic.
    var segments = 0
    /// TCP payload, bytes; retransmissions count again.
    var bytes: UInt64 = 0
    /// The last segments, RSTs not among them, in a ring that `newest` points into.
    private var ring: [SegmentNote] = []
    private var newest = 0
    /// The highest acknowledgment sent, and the packet that did.
    var highestAck: UInt32?
    var highestAckNumber = 0
    /// The sequence number after all that was seen; meaningless before `segments` > 0.
    var nextSeq: UInt32 = 0
    var firstAck: UInt32?
    /// Of the last segment.
    var lastID: UInt16?
    var lastTTL: UInt8?
    var lowestTTL: UInt8 = 255
    var highestTTL: UInt8 = 0
    /// The window of the last segment is 0.
    var windowIsZero = false
    /// Everything Multipath TCP that this end sent.
    var kinds: TCPOptions.Kinds = []
    var lastFlowLabel: UInt32 = 0
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
    var synOptions = TCPOptions()
    /// The last segment with payload.
    var lastData: SegmentNote?

    // What few segments look at.
    var first: SegmentNote?
    /// The SYN or SYN+ACK that began the connection.
    var syn: SegmentNote?
    /// A SYN with another sequence number than `syn`.
    var otherSyn: SegmentNote?
    var synRepeats = 0
    var fin: SegmentNote?
    var retransmissions = 0
    var lastRetransmission: SegmentNote?
    /// Times of the latest retransmissions, at most `keptTimes`.
    var retransmissionTimes: [Int64] = []
    /// Keepalive probes (RFC 9293, section 3.8.4).
    var probes = 0
    var lastProbe: SegmentNote?
    var zeroWindows = 0
    var lastZeroWindow: SegmentNote?
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

    var last: SegmentNote? { ring.isEmpty ? nil : ring[newest] }

    /// The last segments, the latest at the end.
    var recent: [SegmentNote] { ring.isEmpty ? [] : Array(ring[(newest + 1)...] + ring[...newest]) }

    var timestampsAgreed: Bool { withTimestamps > 0 && synOptions.kinds.contains(.timestamps) }

    /// A segment that another one contradicts, and that bears more signs of a stranger.
    var injected: Suspect? {
        suspects.first { $0.signs.contains(.conflict) && $0.signs != .conflict }
    }

    /// Whether an equal segment came just before: one that was captured twice (a mirror port, a bridge).
    func hasJustSeen(_ note: SegmentNote, within window: UInt64) -> Bool {
        // Without an identification two equal acknowledgments may well be two.
        guard note.ipID != 0 || note.length > 0 || note.flags.contains(.syn) else { return false }
        // From the latest backwards, at most four, and no further than the window reaches.
        var index = newest
        for _ in 0..<min(4, ring.count) {
            guard ring[index].time.distance(from: note.time) <= window else { return false }
            if ring[index].isEqual(to: note) { return true }
            index = index == 0 ? ring.count - 1 : index - 1
        }
        return false
    }

    mutating func remember(_ note: SegmentNote) {
        lastTTL = note.ttl
        if ring.count < Self.keptSegments {
            if ring.isEmpty { ring.reserveCapacity(Self.keptSegments) }
            newest = ring.count
            ring.append(note)
        } else {
            newest = newest + 1 == ring.count ? 0 : newest + 1
            ring[newest] = note
        }
    }

    mutating func rememberReset(_ note: SegmentNote) {
        resetCount += 1
        if resets.count == Self.keptResets { resets.removeFirst() }
        resets.append(note)
    }

    /// Whether a predicate accepts one of the last segments.
    func hasRecent(where accepts: (SegmentNote) -> Bool) -> Bool { ring.contains(where: accepts) }
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
        addSuspicion(note, isNew: begins || !before.follows(note.seq), peerKinds: peerKinds, peerID: peerID)
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
        } else if holes > 0, !hasRecent(where: { $0.seq == note.seq && $0.length == note.length }) {
            holes -= 1
        } else {
            retransmissions += 1
            retransmissionsSinceHeard += 1
            lastRetransmission = note
            if retransmissionTimes.count == Self.keptTimes { retransmissionTimes.removeFirst() }
            retransmissionTimes.append(note.time)
        }
    }

    /// - Parameter isNew: the segment begins where nothing was seen before, so that it contradicts none.
    private mutating func addSuspicion(
        _ note: SegmentNote, isNew: Bool, peerKinds: TCPOptions.Kinds, peerID: UInt16?
    ) {
        if note.length > 0, !isNew { findConflict(note) }
        guard note.length > 0 || note.flags.contains(.fin), !note.flags.contains(.syn) else { return }
        var signs: Signs = []
        if synOptions.kinds.contains(.timestamps), peerKinds.contains(.timestamps),
            !note.kinds.contains(.timestamps), !note.kinds.contains(.incomplete)
        {
            signs.insert(.noTimestamps)
        }
        if let lastTTL, lastTTL != note.ttl { signs.insert(.otherTTL) }
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

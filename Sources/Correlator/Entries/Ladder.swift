public import NetworkTypes

/// The segments of a connection around a RST that are known: how both ends began, what each sent last, what the RST answers,
/// what came after it. They are those that the verdict can rest on, kept while the capture was read; others are only counted.
public struct Ladder: Sendable, Equatable {
    /// One segment.
    public struct Rung: Sendable, Equatable {
        /// 1-based, in the capture.
        public var packet: Int
        /// Nanoseconds since 1970-01-01 UTC, as the capture has it.
        public var time: Int64
        /// Whether the end that sent the RST sent it.
        public var isFromSender: Bool
        public var flags: TCPFlags
        public var seq: UInt32
        /// 0 without ACK.
        public var ack: UInt32
        /// TCP payload, bytes.
        public var length: UInt32
        /// Nil where it was not kept.
        public var window: UInt16?
        public var role = Role.other

        public enum Role: String, Sendable {
            /// The RST of the report.
            case reset
            /// The segment that the RST answers.
            case trigger
            case other
        }
    }

    /// The capture with most of the connection.
    public var file: String
    /// In the order of the capture.
    public var rungs: [Rung]
    /// Segments of both ends before the RST that are not among them.
    public var leftOut: Int
}

extension EntryBuilder {
    /// - Parameter members: the observations of a RST.
    /// - Returns: nil if no capture has anything of its connection.
    func ladder(of members: ArraySlice<Reference>) -> Ladder? {
        let packets = ObservedReset(members, inventory).packets
        guard let (reference, found) = judge.builder.bestContext(packets), let flow = found, let reset = flow.reset
        else { return nil }
        var rungs: [Int: Ladder.Rung] = [:]
        func add(_ notes: [SegmentNote?], isFromSender: Bool) {
            for case let note? in notes where note.number <= reset.number && rungs[note.number] == nil {
                rungs[note.number] = Ladder.Rung(note, isFromSender: isFromSender)
            }
        }
        for (side, isFromSender) in [(flow.own, true), (flow.peer, false)] {
            add(
                [
                    side.syn, side.otherSyn, side.lastData, side.last, side.fin, side.lastRetransmission,
                    side.lastProbe,
                    side.lastWindowProbe, side.lastZeroWindow,
                ] + side.resets.map { $0 }, isFromSender: isFromSender)
        }
        add([flow.answerHistory.lastKnown, flow.answerHistory.lastKnownData, flow.trigger], isFromSender: false)
        add([reset], isFromSender: true)
        rungs[reset.number]?.role = .reset
        if let trigger = flow.trigger { rungs[trigger.number]?.role = .trigger }
        let all = [flow.own, flow.peer].reduce(0) { $0 + $1.segments + $1.resetCount }
        let before = rungs.values.count { $0.role != .reset && $0.packet < reset.number }
        for (note, isFromSender) in [
            (flow.after.senderFirst, true), (flow.after.senderFirstData, true), (flow.after.nextReset, true),
            (flow.after.peerFirst, false), (flow.after.peerReset, false),
        ] {
            guard let note, rungs[note.number] == nil else { continue }
            rungs[note.number] = Ladder.Rung(note, isFromSender: isFromSender)
        }
        return Ladder(
            file: inventory.captures[Int(reference.source)].file, rungs: rungs.values.sorted { $0.packet < $1.packet },
            leftOut: max(0, all - before))
    }
}

extension Ladder.Rung {
    fileprivate init(_ note: SegmentNote, isFromSender: Bool) {
        self.init(
            packet: note.number, time: note.time, isFromSender: isFromSender, flags: note.flags, seq: note.seq,
            ack: note.ack, length: note.length, window: note.window)
    }

    fileprivate init(_ note: LaterNote, isFromSender: Bool) {
        self.init(
            packet: note.number, time: note.time, isFromSender: isFromSender, flags: note.flags, seq: note.seq,
            ack: note.ack, length: note.length, window: nil)
    }
}

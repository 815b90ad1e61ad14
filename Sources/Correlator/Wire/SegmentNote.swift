import NetworkTypes
import PcapReader

/// What is kept of one captured segment while its flow is followed.
struct SegmentNote: Sendable, Equatable {
    /// 1-based, in its capture.
    var number: Int
    /// Nanoseconds since 1970-01-01 UTC.
    var time: Int64
    var seq: UInt32
    /// 0 without ACK.
    var ack: UInt32
    /// TCP payload, bytes.
    var length: UInt32
    var timestamp: UInt32
    var timestampEcho: UInt32
    var flags: TCPFlags
    var window: UInt16
    var ipID: UInt16
    var ttl: UInt8
    /// See `TCPSegment`.
    var fatalAlert: UInt8
    var kinds: TCPOptions.Kinds
    var last: TCPSegment.LastWord
    /// Says nothing: a Bool has values to spare, so that an optional note takes no more room than a note.
    private let isNote = true

    init(_ captured: CapturedSegment) {
        let segment = captured.segment
        number = captured.number
        time = captured.time
        seq = segment.seq
        flags = segment.flags
        ack = segment.flags.contains(.ack) ? segment.ack : 0
        length = segment.payloadLength
        timestamp = segment.options.timestamp
        timestampEcho = segment.options.timestampEcho
        window = segment.window
        ipID = segment.ipID
        ttl = segment.ttl
        fatalAlert = segment.fatalAlert
        last = segment.last
        kinds = segment.options.kinds
    }

    /// The sequence number after it (RFC 9293, section 3.4: SYN and FIN count as one).
    var end: UInt32 {
        seq &+ length &+ (flags.contains(.syn) ? 1 : 0) &+ (flags.contains(.fin) ? 1 : 0)
    }

    /// It is a SYN, and the number acknowledges it, with or without data that it carries (RFC 7413).
    func isAcknowledged(by ack: UInt32) -> Bool { ack &- seq &- 1 <= length }

    /// The same segment, whenever and wherever it was seen.
    func isEqual(to other: SegmentNote) -> Bool {
        seq == other.seq && ack == other.ack && flags == other.flags && length == other.length
            && window == other.window && ipID == other.ipID && timestamp == other.timestamp
    }

    /// The same segment, or one that its sender sent again.
    func repeats(_ other: SegmentNote) -> Bool {
        seq == other.seq && ack == other.ack && flags == other.flags && length == other.length && window == other.window
    }

    /// Both are RSTs that answer a segment with the same numbers.
    func answersLike(_ other: SegmentNote) -> Bool {
        seq == other.seq && ack == other.ack && flags.contains(.ack) == other.flags.contains(.ack)
    }

    var isPlainSyn: Bool { flags.isPlainSyn }
    var isSynAck: Bool { flags.isSynAck }
    /// No stack sends it: a RST that opens a connection as well, or ends one in order. What follows from such a header is
    /// anybody's guess.
    var isMalformed: Bool { flags.contains(.rst) && !flags.isDisjoint(with: [.syn, .fin, .urg]) }
    /// The form of an answer to a segment that belongs to no connection, by whoever (RFC 9293, section 3.5.2): without ACK, or
    /// with sequence number 0; and no window.
    var isBareAnswer: Bool { window == 0 && (flags.contains(.ack) ? seq == 0 : true) }
    /// An acknowledgment and nothing else.
    var isPureAck: Bool { length == 0 && flags.contains(.ack) && flags.isDisjoint(with: [.syn, .fin, .rst]) }
}

/// What is kept of one segment after a RST.
struct LaterNote: Sendable, Equatable {
    let number: Int
    let time: Int64
    let seq: UInt32
    let ack: UInt32
    let length: UInt32
    let flags: TCPFlags
    /// See `SegmentNote.isNote`.
    private let isNote = true

    init(_ note: SegmentNote) {
        number = note.number
        time = note.time
        seq = note.seq
        ack = note.ack
        length = note.length
        flags = note.flags
    }

    var isSynAck: Bool { flags.isSynAck }
}

/// A segment of a connection that is followed.
struct ConnectionSegment: Sendable, Equatable {
    var note: SegmentNote
    let flowLabel: UInt32
    let maximumSegmentSize: UInt16
    let windowScale: UInt8
    /// It goes against the direction in which its connection is numbered.
    var isReversed: Bool

    init(_ captured: CapturedSegment) {
        note = SegmentNote(captured)
        flowLabel = captured.segment.flowLabel
        maximumSegmentSize = captured.segment.options.maximumSegmentSize
        windowScale = captured.segment.options.windowScale
        isReversed = captured.isReversed
    }

    /// The same, however its connection is numbered.
    static func == (a: Self, b: Self) -> Bool {
        a.note == b.note && a.windowScale == b.windowScale && a.maximumSegmentSize == b.maximumSegmentSize
            && a.flowLabel == b.flowLabel
    }

    /// What a SYN offers.
    var options: TCPOptions {
        var options = TCPOptions()
        options.kinds = note.kinds
        options.maximumSegmentSize = maximumSegmentSize
        options.windowScale = windowScale
        options.timestamp = note.timestamp
        options.timestampEcho = note.timestampEcho
        return options
    }
}

/// A segment, and the connection and interface that it belongs to.
struct RoutedSegment: Sendable {
    var segment: ConnectionSegment
    /// See `CapturedSegment`.
    var connection: Int32
    let interface: Int32
    let ifindex: Int32
    let sourcePort: UInt16
    let destinationPort: UInt16

    init(_ captured: CapturedSegment) {
        segment = ConnectionSegment(captured)
        connection = captured.connection
        interface = captured.interface
        ifindex = captured.ifindex
        sourcePort = captured.segment.tuple.sourcePort
        destinationPort = captured.segment.tuple.destinationPort
    }
}

extension UInt32 {
    /// Serial number arithmetic (RFC 9293, section 3.4): whether this number comes after the other.
    func follows(_ other: UInt32) -> Bool { Int32(bitPattern: self &- other) > 0 }

    /// The number is at or after the start and before start + count.
    func isWithin(_ start: UInt32, count: UInt32) -> Bool { self &- start < count }
}

/// What the options of a TCP header say, as far as they were captured (RFC 9293, section 3.2).
@frozen
public struct TCPOptions: Hashable, Sendable {
    /// The kinds that are present.
    public var kinds: Kinds
    /// Maximum segment size; 0 without that option.
    public var maximumSegmentSize: UInt16
    /// Shift count of the window (RFC 7323, section 2.2); meaningless without that option.
    public var windowScale: UInt8
    /// Why a Multipath TCP subflow was reset (RFC 8684, section 3.6); meaningless without `MP_TCPRST`.
    public var multipathReason: UInt8
    /// TSval and TSecr (RFC 7323, section 3.2); meaningless without that option.
    public var timestamp: UInt32
    public var timestampEcho: UInt32

    public init() {
        kinds = []
        maximumSegmentSize = 0
        windowScale = 0
        multipathReason = 0
        timestamp = 0
        timestampEcho = 0
    }

    /// A set of option kinds (IANA, TCP Option Kind Numbers).
    @frozen
    public struct Kinds: OptionSet, Hashable, Sendable {
        public let rawValue: UInt16
        @inlinable
        public init(rawValue: UInt16) { self.rawValue = rawValue }

        @inlinable public static var maximumSegmentSize: Kinds { Kinds(rawValue: 1 << 0) }
        @inlinable public static var windowScale: Kinds { Kinds(rawValue: 1 << 1) }
        @inlinable public static var selectiveAckPermitted: Kinds { Kinds(rawValue: 1 << 2) }
        @inlinable public static var selectiveAck: Kinds { Kinds(rawValue: 1 << 3) }
        @inlinable public static var timestamps: Kinds { Kinds(rawValue: 1 << 4) }
        /// RFC 2385.
        @inlinable public static var signature: Kinds { Kinds(rawValue: 1 << 5) }
        /// RFC 5925.
        @inlinable public static var authentication: Kinds { Kinds(rawValue: 1 << 6) }
        /// RFC 8684, whatever the subtype.
        @inlinable public static var multipath: Kinds { Kinds(rawValue: 1 << 7) }
        /// MP_JOIN: a further subflow.
        @inlinable public static var multipathJoin: Kinds { Kinds(rawValue: 1 << 8) }
        /// MP_FASTCLOSE: the whole connection ends.
        @inlinable public static var multipathFastclose: Kinds { Kinds(rawValue: 1 << 9) }
        /// MP_TCPRST: a subflow ends, with a reason.
        @inlinable public static var multipathReset: Kinds { Kinds(rawValue: 1 << 10) }
        /// RFC 7413.
        @inlinable public static var fastOpen: Kinds { Kinds(rawValue: 1 << 11) }
        @inlinable public static var other: Kinds { Kinds(rawValue: 1 << 12) }
        /// A length did not fit, or the capture ends within the options.
        @inlinable public static var incomplete: Kinds { Kinds(rawValue: 1 << 13) }
    }

    /// Reads the options that lie between two offsets of the span.
    init(_ bytes: RawSpan, from start: Int, to end: Int) {
        self.init()
        var at = start
        while at < end {
            let kind = bytes.u8(at)
            if kind == 0 { return }
            if kind == 1 {
                at += 1
                continue
            }
            guard at + 2 <= end, case let length = Int(bytes.u8(at + 1)), length >= 2, at + length <= end else {
                kinds.insert(.incomplete)
                return
            }
            read(bytes, kind: kind, at: at, length: length)
            at += length
        }
    }

    private mutating func read(_ bytes: RawSpan, kind: UInt8, at: Int, length: Int) {
        switch (kind, length) {
        case (2, 4):
            kinds.insert(.maximumSegmentSize)
            maximumSegmentSize = bytes.be16(at + 2)
        case (3, 3):
            kinds.insert(.windowScale)
            windowScale = bytes.u8(at + 2)
        case (4, 2): kinds.insert(.selectiveAckPermitted)
        case (5, _): kinds.insert(.selectiveAck)
        case (8, 10):
            kinds.insert(.timestamps)
            timestamp = bytes.be32(at + 2)
            timestampEcho = bytes.be32(at + 6)
        case (19, 18): kinds.insert(.signature)
        case (29, 4...): kinds.insert(.authentication)
        case (30, 3...):
            kinds.insert(.multipath)
            switch bytes.u8(at + 2) >> 4 {
            case 1: kinds.insert(.multipathJoin)
            case 7: kinds.insert(.multipathFastclose)
            case 8:
                kinds.insert(.multipathReset)
                if length >= 4 { multipathReason = bytes.u8(at + 3) }
            default: break
            }
        case (34, _): kinds.insert(.fastOpen)
        default: kinds.insert(.other)
        }
    }
}

public import NetworkTypes

/// The header of one TCP segment as captured, innermost when it travelled in a tunnel.
@frozen
public struct TCPSegment: Hashable, Sendable {
    public var tuple: FourTuple
    public var seq: UInt32
    public var ack: UInt32
    public var flags: TCPFlags
    /// The window field, not scaled.
    public var window: UInt16
    /// IPv4 identification; 0 over IPv6.
    public var ipID: UInt16
    /// TTL or hop limit.
    public var ttl: UInt8
    /// TOS or traffic class.
    public var trafficClass: UInt8
    /// IPv4 DF bit; false over IPv6.
    public var dontFragment: Bool
    /// Bytes of TCP options, 0 to 40, as the data offset says.
    public var optionsLength: UInt8
    /// What they say, as far as they were captured.
    public var options: TCPOptions
    /// IPv6 flow label, 20 bits; 0 over IPv4.
    public var flowLabel: UInt32
    /// TCP payload in bytes as the IP header says, however much of it was captured.
    public var payloadLength: UInt32
    /// Where the payload starts in the captured bytes of the packet, or -1 when none of it was captured.
    public var payloadOffset: Int32
    /// The outermost encapsulation the segment was found in, `.none` for a plain packet.
    public var tunnel: Tunnel
    /// Description of the fatal TLS alert in clear with which the payload begins (RFC 8446, section 6); 0 for none.
    public var fatalAlert: UInt8
    /// What is known of an answer to the payload.
    public var last: LastWord

    public init(tuple: FourTuple) {
        self.tuple = tuple
        seq = 0
        ack = 0
        flags = []
        window = 0
        ipID = 0
        ttl = 0
        trafficClass = 0
        dontFragment = false
        optionsLength = 0
        options = TCPOptions()
        flowLabel = 0
        payloadLength = 0
        payloadOffset = -1
        tunnel = .none
        fatalAlert = 0
        last = .unknown
    }

    /// Whether a message is one that may well be the last one.
    public enum LastWord: UInt8, Sendable {
        case unknown
        /// Nobody answers it: the unbind of LDAP (RFC 4511, section 4.3), some PDUs of DCE/RPC (C706, section 12.6.3).
        case unanswered
        /// A TLS alert, which mostly ends the conversation (RFC 8446, section 6).
        case alert
    }

    /// What carried the segment inside another packet.
    public enum Tunnel: UInt8, Sendable {
        case none, gre, erspan, ipInIP, sixInFour, teredo, l2tp, vxlan, geneve, gtpU, mpls, pppoe
        /// Any other: Ethernet in IP, LISP, TZSP, NSH, CAPWAP, AYIYA.
        case other
    }
}

/// A segment and where it stands in its capture.
@frozen
public struct CapturedSegment: Hashable, Sendable {
    public var segment: TCPSegment
    /// 1-based number of the packet in its file, as tshark counts frames.
    public var number: Int
    /// Where the packet's record begins in the (decompressed) file, bytes.
    public var offset: Int
    /// Nanoseconds since 1970-01-01 UTC.
    public var time: Int64
    /// Index into `CaptureSummary.interfaces`.
    public var interface: Int32
    /// The interface index that a Linux cooked v2 header carries, otherwise 0.
    public var ifindex: Int32
    public var direction: Direction
    /// Where the captured bytes of the packet begin in the (decompressed) file.
    public var packetOffset: Int
    /// Bytes of the packet in the file.
    public var capturedLength: Int32
    /// Bytes of the packet on the wire, as the record says; some writers leave it 0.
    public var originalLength: UInt32
    /// The number of its connection in the `ConnectionFilter` that selected it, or -1.
    public var connection: Int32
    /// It goes against the direction in which the filter has the connection.
    public var isReversed: Bool

    public init(segment: TCPSegment, number: Int, offset: Int, time: Int64, interface: Int32) {
        self.segment = segment
        self.number = number
        self.offset = offset
        self.time = time
        self.interface = interface
        ifindex = 0
        direction = .unknown
        packetOffset = 0
        capturedLength = 0
        originalLength = 0
        connection = -1
        isReversed = false
    }

    /// As a Linux cooked header or pcapng's epb_flags tell it.
    public enum Direction: UInt8, Sendable { case unknown, inbound, outbound }
}

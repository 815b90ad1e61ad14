public import NetworkTypes

/// An ICMP error message about a TCP segment: a host or router says that the segment could not be delivered.
public struct ICMPError: Sendable, Equatable {
    /// 1-based number of the packet.
    public var packet: Int
    /// Nanoseconds since 1970-01-01 UTC.
    public var time: Int64
    /// Who says so.
    public var sender: IPAddress
    /// Whether it is one of ICMPv6 (RFC 4443), whose types have other numbers than those of ICMP (RFC 792).
    public var isVersion6: Bool
    public var type: UInt8
    public var code: UInt8
    /// Of the segment, as it is quoted: its source is the end that the message is for.
    public var tuple: FourTuple
    public var seq: UInt32
    /// Nil if the quotation ends before them: RFC 792 requires 8 bytes of the TCP header only.
    public var flags: TCPFlags?

    public init(
        packet: Int, time: Int64, sender: IPAddress, isVersion6: Bool, type: UInt8, code: UInt8, tuple: FourTuple,
        seq: UInt32, flags: TCPFlags?
    ) {
        self.packet = packet
        self.time = time
        self.sender = sender
        self.isVersion6 = isVersion6
        self.type = type
        self.code = code
        self.tuple = tuple
        self.seq = seq
        self.flags = flags
    }
}

extension PacketDecoder {
    /// RFC 792, RFC 4443: type, code, checksum, 4 bytes, and the packet that could not be delivered. Only messages that can end a
    /// connection are read: destination unreachable, time exceeded, parameter problem.
    @inline(never)
    mutating func icmp(_ bytes: RawSpan, isVersion6: Bool) -> Layer {
        guard available >= 8 else { return .done(.other) }
        let (type, code) = (bytes.u8(at), bytes.u8(at + 1))
        guard (isVersion6 ? [1, 3, 4] : [3, 11, 12]).contains(type) else { return .done(.other) }
        // The segment has become too big: it is sent again in pieces (RFC 1191).
        if !isVersion6, type == 3, code == 4 { return .done(.other) }
        var quoted = PacketDecoder(at: at + 8, captured: end - at - 8, original: UInt32(clamping: end - at - 8))
        guard let place = quoted.quotedHeader(bytes, isVersion6: isVersion6) else { return .done(.other) }
        let flags = end >= place + 14 ? TCPFlags(rawValue: bytes.be16(place + 12) & 0x1ff) : nil
        icmpError = ICMPError(
            packet: 0, time: 0, sender: source, isVersion6: isVersion6, type: type, code: code,
            tuple: FourTuple(
                source: quoted.source, sourcePort: bytes.be16(place), destination: quoted.destination,
                destinationPort: bytes.be16(place + 2)), seq: bytes.be32(place + 4), flags: flags)
        return .done(.icmpError)
    }

    /// Where the quoted TCP header begins, of which at least 8 bytes are there; nil if none is quoted.
    private mutating func quotedHeader(_ bytes: RawSpan, isVersion6: Bool) -> Int? {
        let stop = end
        var layer = isVersion6 ? ipv6(bytes) : ipv4(bytes)
        for _ in 0..<8 {
            guard case .ipProtocol(let number) = layer else { break }
            layer = number == 6 ? .tcp : [0, 43, 60].contains(number) ? ipProtocol(bytes, number) : .done(.other)
        }
        guard case .tcp = layer, segment.tunnel == .none, stop - at >= 8 else { return nil }
        return at
    }
}

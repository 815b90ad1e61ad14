import NetworkTypes

/// How much of a packet is to be recorded where payloads are none of the recorder's business.
///
/// A TCP segment keeps its headers, and a RST up to 256 bytes of the reason that a device may have put into it
/// (RFC 9293, section 3.5.3 allows data in a RST). Of any other packet, what the headers of most take is kept.
public struct PayloadLimit: Sendable, Equatable {
    /// Bytes of payload.
    public var bytes: Int

    /// Of a packet that carries no TCP segment, or none that can be decoded, so many bytes and `bytes` are kept: link layer, an
    /// IPv6 header with extensions, and the quote in an ICMP error fit.
    public static let otherPackets = 160
    /// Of the payload of a RST.
    public static let resets = 256

    public init(bytes: Int) { self.bytes = max(0, bytes) }

    /// The number of bytes to keep, at most those that were captured.
    public func kept(of packet: RawSpan, linkType: UInt16, originalLength: UInt32) -> Int {
        let captured = packet.byteCount
        guard let layer = LinkType.layer(linkType) else { return Self.cut(captured, Self.otherPackets, bytes) }
        var decoder = PacketDecoder(at: 0, captured: captured, original: originalLength)
        guard decoder.decode(packet, from: layer) == .segment else {
            return Self.cut(captured, Self.otherPackets, bytes)
        }
        // Without captured payload there is nothing to cut but padding.
        guard decoder.segment.payloadOffset >= 0 else { return captured }
        let payload = decoder.segment.flags.contains(.rst) ? max(bytes, Self.resets) : bytes
        return Self.cut(captured, Int(decoder.segment.payloadOffset), payload)
    }

    private static func cut(_ captured: Int, _ headers: Int, _ payload: Int) -> Int {
        min(captured, headers.saturatingAdd(payload))
    }

    /// The same from a pointer, which is what libpcap hands out.
    @unsafe
    public func kept(of packet: UnsafeRawBufferPointer, linkType: UInt16, originalLength: UInt32) -> Int {
        unsafe kept(
            of: RawSpan(_unsafeBytes: packet), linkType: linkType, originalLength: originalLength)
    }
}

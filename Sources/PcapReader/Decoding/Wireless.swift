import NetworkTypes

extension PacketDecoder {
    /// <https://www.radiotap.org>: version, padding, length, and bits that say which fields follow.
    mutating func radiotap(_ bytes: RawSpan) -> Layer {
        guard available >= 8 else { return .undecoded(.truncatedLink) }
        let length = Int(bytes.le16(at + 2))
        guard length >= 8 else { return .undecoded(.invalidTunnel) }
        guard available >= length else { return .undecoded(.truncatedLink) }
        // The flags come first or after the time stamp, which is aligned to 8 bytes; the last bit of each word of bits
        // says that another word follows.
        let present = bytes.le32(at + 4)
        var words = 1
        while bytes.le32(at + 4 * words) & 0x8000_0000 != 0, 4 * words + 8 <= length { words += 1 }
        var field = 4 + 4 * words
        if present & 1 != 0 { field = ((field + 7) & ~7) + 8 }
        var isPadded = false
        if present & 2 != 0, field < length {
            let flags = bytes.u8(at + field)
            // 0x10: the frame check sequence is captured too; 0x20: the header is padded to 4 bytes.
            if flags & 0x10 != 0, wireEnd - at >= length + 4 {
                wireEnd -= 4
                end = min(end, wireEnd)
            }
            isPadded = flags & 0x20 != 0
        }
        at += length
        return wlan(bytes, padded: isPadded)
    }

    /// Prism's monitoring header: message code and length in the byte order of the machine; or AVS under its number.
    mutating func prism(_ bytes: RawSpan) -> Layer {
        guard available >= 8 else { return .undecoded(.truncatedLink) }
        if bytes.be32(at) >> 12 == 0x80211 { return .avs }
        let order: ByteOrder = bytes.le32(at) < 0x1_0000 ? .little : .big
        return skip(max(8, Int(bytes.u32(at + 4, order))), then: .wlan)
    }

    /// The AVS header: version and length, big-endian.
    mutating func avs(_ bytes: RawSpan) -> Layer {
        guard available >= 8 else { return .undecoded(.truncatedLink) }
        return skip(max(8, Int(bytes.be32(at + 4))), then: .wlan)
    }

    /// IEEE 802.11, section 9.2: frame control, duration, three or four addresses, sequence control, QoS control.
    ///
    /// - Parameter isSwapped: the bytes of the frame control changed places.
    mutating func wlan(_ bytes: RawSpan, padded: Bool, isSwapped: Bool = false) -> Layer {
        guard available >= 2 else { return .undecoded(.truncatedLink) }
        let control = bytes.u8(isSwapped ? at + 1 : at)
        let flags = bytes.u8(isSwapped ? at : at + 1)
        // Version 0, type 2 (data), and not one of the subtypes that carry none.
        guard control & 0x0f == 0x08, control & 0x40 == 0 else { return .done(.other) }
        let hasQoS = control & 0x80 != 0
        var length = 24
        if flags & 3 == 3 { length += 6 }
        let qos = at + length
        if hasQoS { length += flags & 0x80 != 0 ? 6 : 2 }
        if padded { length = (length + 3) & ~3 }
        guard available >= length else { return .undecoded(.truncatedLink) }
        if flags & 0x40 != 0 { return .undecoded(.encrypted) }
        // A fragment other than the first has no LLC header; some drivers number what is none.
        if bytes.u8(at + 22) & 0x0f != 0 {
            guard available >= length + 3, bytes.be16(at + length) == 0xaaaa, bytes.u8(at + length + 2) == 3 else {
                return .done(.other)
            }
        }
        let isAggregate = hasQoS && bytes.u8(qos) & 0x80 != 0
        at += length
        return isAggregate ? aggregate(bytes) : .llc
    }

    /// An A-MSDU: several frames, each of destination, source, length, LLC, and padded to 4 bytes. One of them can be
    /// reported: the first with RST, or the first with TCP.
    private mutating func aggregate(_ bytes: RawSpan) -> Layer {
        // One within another would let a packet cost the square of its length.
        guard !isInAggregate else { return .undecoded(.tooManyLayers) }
        isInAggregate = true
        let frames = self
        var next = at
        var found: PacketDecoder?
        var reason: DecodedPacket = .other
        while next + 14 <= frames.end {
            let length = Int(bytes.be16(next + 12))
            var frame = frames
            frame.at = next + 14
            frame.wireEnd = frame.at + length
            frame.end = min(frames.end, frame.wireEnd)
            switch frame.decode(bytes, from: .llc) {
            case .segment:
                if found == nil || frame.segment.flags.contains(.rst) { found = frame }
            case .undecoded(let kind): reason = .undecoded(kind)
            case .other, .icmpError: break
            }
            if found?.segment.flags.contains(.rst) == true { break }
            next += (14 + length + 3) & ~3
        }
        guard let found else { return .done(reason) }
        self = found
        return .done(.segment)
    }
}

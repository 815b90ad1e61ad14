import NetworkTypes

extension PacketDecoder {
    /// IPv4 or IPv6, as the first half byte says.
    mutating func ip(_ bytes: RawSpan) -> Layer {
        guard available >= 1 else { return .undecoded(.truncatedNetwork) }
        switch bytes.u8(at) >> 4 {
        case 4: return .ipv4
        case 6: return .ipv6
        default: return .undecoded(.invalidNetwork)
        }
    }

    /// RFC 791, section 3.1.
    mutating func ipv4(_ bytes: RawSpan) -> Layer {
        guard available >= 20 else { return .undecoded(.truncatedNetwork) }
        let first = bytes.u8(at)
        // Some programs say IPv4 of all IP.
        if first >> 4 == 6 { return .ipv6 }
        let headerLength = Int(first & 15) * 4
        guard first >> 4 == 4, headerLength >= 20 else { return .undecoded(.invalidNetwork) }
        guard available >= headerLength else { return .undecoded(.truncatedNetwork) }
        let totalLength = Int(bytes.be16(at + 2))
        // 0 stands in packets that the network device has yet to cut into segments: they end where the record does.
        if totalLength != 0 {
            guard totalLength >= headerLength else { return .undecoded(.invalidNetwork) }
            wireEnd = at + totalLength
            end = min(end, wireEnd)
        }
        let fragment = bytes.be16(at + 6)
        let number = bytes.u8(at + 9)
        segment.trafficClass = bytes.u8(at + 1)
        segment.flowLabel = 0
        segment.ipID = bytes.be16(at + 4)
        segment.dontFragment = fragment & 0x4000 != 0
        segment.ttl = bytes.u8(at + 8)
        source = IPAddress(ipv4: bytes.be32(at + 12))
        destination = IPAddress(ipv4: bytes.be32(at + 16))
        at += headerLength
        guard fragment & 0x1fff == 0 else {
            return number == 6 ? .undecoded(.laterFragment) : .done(.other)
        }
        return .ipProtocol(number)
    }

    /// RFC 8200, section 3.
    mutating func ipv6(_ bytes: RawSpan) -> Layer {
        guard available >= 40 else { return .undecoded(.truncatedNetwork) }
        let first = bytes.be32(at)
        guard first >> 28 == 6 else { return .undecoded(.invalidNetwork) }
        let payloadLength = Int(bytes.be16(at + 4))
        let next = bytes.u8(at + 6)
        segment.trafficClass = UInt8(truncatingIfNeeded: first >> 20)
        segment.flowLabel = first & 0xf_ffff
        segment.ipID = 0
        segment.dontFragment = false
        segment.ttl = bytes.u8(at + 7)
        source = IPAddress(high: bytes.be64(at + 8), low: bytes.be64(at + 16))
        destination = IPAddress(high: bytes.be64(at + 24), low: bytes.be64(at + 32))
        at += 40
        // 0 is a jumbogram (RFC 2675), or a packet the device has yet to cut: both end where the record does.
        if payloadLength != 0 {
            wireEnd = at + payloadLength
            end = min(end, wireEnd)
        }
        return .ipProtocol(next)
    }

    /// What an IP header says follows; IPv6 extension headers among it.
    mutating func ipProtocol(_ bytes: RawSpan, _ number: UInt8) -> Layer {
        switch number {
        case 6: return .tcp
        case 17: return .udp
        case 1: return icmp(bytes, isVersion6: false)
        case 58: return icmp(bytes, isVersion6: true)
        case 4, 94:
            enter(.ipInIP)
            return .ip
        case 41:
            enter(source.isIPv4 ? .sixInFour : .ipInIP)
            return .ipv6
        case 47: return .gre
        case 97: return etherIP(bytes)
        case 115: return l2tp3(bytes)
        case 137:
            enter(.mpls)
            return .mpls
        // Hop-by-hop options, routing, destination options, mobility, HIP, Shim6 (RFC 8200, 6275, 7401, 5533).
        case 0, 43, 60, 135, 139, 140: return extensionHeader(bytes, unit: 8, extra: 1)
        // Authentication header: its length counts 4-byte words less 2 (RFC 4302, section 2.2).
        case 51: return extensionHeader(bytes, unit: 4, extra: 2)
        case 44: return fragmentHeader(bytes)
        case 50: return .undecoded(.encrypted)
        case 108: return .undecoded(.compressed)
        default: return .done(.other)
        }
    }

    private mutating func extensionHeader(_ bytes: RawSpan, unit: Int, extra: Int) -> Layer {
        guard available >= 8 else { return .undecoded(.truncatedNetwork) }
        let length = (Int(bytes.u8(at + 1)) + extra) * unit
        guard available >= length else { return .undecoded(.truncatedNetwork) }
        let next = bytes.u8(at)
        at += length
        return .ipProtocol(next)
    }

    /// RFC 8200, section 4.5.
    private mutating func fragmentHeader(_ bytes: RawSpan) -> Layer {
        guard available >= 8 else { return .undecoded(.truncatedNetwork) }
        let next = bytes.u8(at)
        let offset = bytes.be16(at + 2) >> 3
        at += 8
        guard offset == 0 else { return next == 6 ? .undecoded(.laterFragment) : .done(.other) }
        return .ipProtocol(next)
    }

    /// RFC 9293, section 3.1. The first 16 bytes suffice: what follows them is checksum, urgent pointer and options.
    mutating func tcp(_ bytes: RawSpan) -> Layer {
        guard available >= 16 else { return .undecoded(.truncatedTCP) }
        let offsetAndFlags = bytes.be16(at + 12)
        let headerLength = Int(offsetAndFlags >> 12) * 4
        guard headerLength >= 20 else { return .undecoded(.invalidTCP) }
        segment.tuple = FourTuple(
            source: source, sourcePort: bytes.be16(at), destination: destination,
            destinationPort: bytes.be16(at + 2))
        segment.seq = bytes.be32(at + 4)
        segment.ack = bytes.be32(at + 8)
        segment.flags = TCPFlags(rawValue: offsetAndFlags & 0x1ff)
        segment.window = bytes.be16(at + 14)
        segment.optionsLength = UInt8(truncatingIfNeeded: headerLength - 20)
        optionsAt = at + 20
        let payload = at + headerLength
        segment.payloadLength = UInt32(clamping: wireEnd - payload)
        segment.payloadOffset = payload < end ? Int32(clamping: payload - start) : -1
        return .done(.segment)
    }
    /// What the options say: left out while a segment's way is found, since most are not delivered.
    mutating func readOptions(_ bytes: RawSpan) {
        guard segment.optionsLength > 0 else { return }
        let optionsEnd = optionsAt + Int(segment.optionsLength)
        segment.options = TCPOptions(bytes, from: optionsAt, to: min(optionsEnd, end))
        if optionsEnd > end { segment.options.kinds.insert(.incomplete) }
    }

    /// Looks at the first bytes of the payload for what says how the connection ends: few segments begin so.
    mutating func readPayload(_ bytes: RawSpan) {
        let at = start + Int(segment.payloadOffset)
        guard segment.payloadLength >= 7, segment.payloadOffset >= 0, end - at >= 7 else { return }
        let first = bytes.u8(at)
        switch first {
        case 21:
            // RFC 8446, sections 5.1 and 6: type, version, length 2, level 2 (fatal), description.
            guard bytes.u8(at + 1) == 3, bytes.u8(at + 2) <= 4 else { return }
            let length = bytes.be16(at + 3)
            if length == 2, bytes.u8(at + 5) == 2 { segment.fatalAlert = bytes.u8(at + 6) }
            if segment.payloadLength == UInt32(length) + 5 { segment.last = .alert }
        case 0x30:
            // RFC 4511, section 4.3: SEQUENCE, INTEGER messageID, [APPLICATION 2] NULL.
            let length = Int(bytes.u8(at + 1))
            guard segment.payloadLength == length + 2, (5...8).contains(length), end - at >= length + 2,
                bytes.u8(at + 2) == 2, Int(bytes.u8(at + 3)) == length - 4, bytes.be16(at + length) == 0x4200
            else { return }
            segment.last = .unanswered
        case 5 where end - at >= 16:
            // C706, section 12.6.3: version, minor version, PTYPE, flags, data representation, fragment length.
            let (type, flags) = (bytes.u8(at + 2), bytes.u8(at + 3))
            let isLittleEndian = bytes.u8(at + 4) & 0xf0 == 0x10
            let length = isLittleEndian ? bytes.be16(at + 8).byteSwapped : bytes.be16(at + 8)
            guard bytes.u8(at + 1) <= 1, segment.payloadLength == length, flags & 2 != 0 else { return }
            // shutdown, co_cancel, orphaned, and rpc_auth_3 (MS-RPCE, section 2.2.2.5); a request with PFC_MAYBE.
            if (16...19).contains(type) || type == 0 && flags & 0x40 != 0 { segment.last = .unanswered }
        default: break
        }
    }
}

/// Packets in UDP datagrams, known by the port. A datagram that does not look like the tunnel of its port is just UDP.
extension PacketDecoder {
    /// RFC 768.
    mutating func udp(_ bytes: RawSpan) -> Layer {
        guard available >= 8 else { return .done(.other) }
        let (source, destination) = (bytes.be16(at), bytes.be16(at + 2))
        let length = Int(bytes.be16(at + 4))
        if length >= 8 {
            wireEnd = min(wireEnd, at + length)
            end = min(end, wireEnd)
        }
        at += 8
        // The destination tells more often than the source: a sender may choose its port by the packet inside.
        if let layer = datagramTunnel(bytes, port: destination) { return layer }
        return datagramTunnel(bytes, port: source) ?? .done(.other)
    }

    private mutating func datagramTunnel(_ bytes: RawSpan, port: UInt16) -> Layer? {
        switch port {
        case 4789: vxlan(bytes, mayUseReserved: true)
        // Linux before the port was assigned, and flannel to this day.
        case 8472: vxlan(bytes, mayUseReserved: false)
        case 4790: vxlanGPE(bytes)
        case 6081: geneve(bytes)
        case 2152: gtp(bytes)
        case 3386: gtp0(bytes)
        case 1701: l2tp2(bytes)
        case 3544: teredo(bytes)
        case 4341: lisp(bytes)
        case 6635: mplsInUDP(bytes)
        case 37008: tzsp(bytes)
        case 4500: espInUDP(bytes)
        case 4754: greInUDP(bytes)
        case 5072: ayiya(bytes)
        case 5247: capwap(bytes)
        default: nil
        }
    }

    /// RFC 7348: flags, reserved, VNI, reserved.
    private mutating func vxlan(_ bytes: RawSpan, mayUseReserved: Bool) -> Layer? {
        guard available >= 8 else { return wireEnd - at >= 8 ? .undecoded(.truncatedTunnel) : nil }
        // The I flag: the VNI is valid. Group policy and others use reserved bits.
        guard bytes.u8(at) & 0x08 != 0 || mayUseReserved && looksLikeEthernet(bytes, at: 8) else { return nil }
        if !mayUseReserved { guard bytes.be32(at) == 0x0800_0000, bytes.u8(at + 7) == 0 else { return nil } }
        enter(.vxlan)
        return tunnelled(8, in: .ethernet)
    }

    /// draft-ietf-nvo3-vxlan-gpe: the same with a next protocol.
    private mutating func vxlanGPE(_ bytes: RawSpan) -> Layer? {
        guard available >= 8, bytes.u8(at) & 0x0c == 0x0c else { return nil }
        enter(.vxlan)
        switch bytes.u8(at + 3) {
        case 1: return tunnelled(8, in: .ipv4)
        case 2: return tunnelled(8, in: .ipv6)
        case 3: return tunnelled(8, in: .ethernet)
        case 4: return tunnelled(8, in: .nsh)
        case 5: return tunnelled(8, in: .mpls)
        default: return .done(.other)
        }
    }

    /// RFC 8926: version and length of the options in words, flags, EtherType, VNI, reserved, options.
    private mutating func geneve(_ bytes: RawSpan) -> Layer? {
        guard available >= 8 else { return wireEnd - at >= 8 ? .undecoded(.truncatedTunnel) : nil }
        let first = bytes.u8(at)
        guard first >> 6 == 0 else { return nil }
        let type = bytes.be16(at + 2)
        enter(.geneve)
        return tunnelled(8 + Int(first & 0x3f) * 4, in: type <= 1500 ? .done(.other) : .etherType(type))
    }

    /// 3GPP TS 29.281, section 5: version 1, G-PDU.
    private mutating func gtp(_ bytes: RawSpan) -> Layer? {
        guard available >= 8 else { return wireEnd - at >= 8 ? .undecoded(.truncatedTunnel) : nil }
        let flags = bytes.u8(at)
        guard flags >> 4 == 3, bytes.u8(at + 1) == 255 else { return nil }
        wireEnd = min(wireEnd, at + 8 + Int(bytes.be16(at + 2)))
        end = min(end, wireEnd)
        enter(.gtpU)
        guard flags & 7 != 0 else { return gtpPayload(bytes, after: 8) }
        // Sequence number, N-PDU number, type of the first extension header.
        guard available >= 12 else { return .undecoded(.truncatedTunnel) }
        var next = bytes.u8(at + 11)
        at += 12
        while next != 0, flags & 4 != 0 {
            guard available >= 4 else { return .undecoded(.truncatedTunnel) }
            // Length in words, content, type of the next one.
            let length = Int(bytes.u8(at)) * 4
            guard length > 0 else { return .undecoded(.invalidTunnel) }
            guard available >= length else { return .undecoded(.truncatedTunnel) }
            next = bytes.u8(at + length - 1)
            at += length
        }
        return gtpPayload(bytes, after: 0)
    }

    /// GSM 09.60: version 0, a header of 20 bytes.
    private mutating func gtp0(_ bytes: RawSpan) -> Layer? {
        guard available >= 20, bytes.u8(at) >> 4 == 1, bytes.u8(at + 1) == 255 else { return nil }
        enter(.gtpU)
        return gtpPayload(bytes, after: 20)
    }

    private mutating func gtpPayload(_ bytes: RawSpan, after header: Int) -> Layer {
        guard available > header else { return .undecoded(.truncatedTunnel) }
        at += header
        switch bytes.u8(at) >> 4 {
        case 4: return .ipv4
        case 6: return .ipv6
        default:
            if looksLikeEthernet(bytes, at: 0) { return .ethernet }
            return available >= 2 && bytes.be16(at) == 0xff03 ? .ppp : .done(.other)
        }
    }

    /// RFC 2661 and, in version 3, RFC 3931: flags and version say which fields there are.
    private mutating func l2tp2(_ bytes: RawSpan) -> Layer? {
        guard available >= 6 else { return nil }
        let flags = bytes.be16(at)
        // T: a control message.
        guard flags & 0x8000 == 0 else { return nil }
        if flags & 15 == 3 {
            at += 4
            return l2tp3(bytes)
        }
        // The other bits are reserved.
        guard flags & 0x34ff == 2 else { return nil }
        // L: length; then tunnel and session; S: sequence numbers; O: an offset and so much padding.
        var length = flags & 0x4000 != 0 ? 8 : 6
        if flags & 0x0800 != 0 { length += 4 }
        if flags & 0x0200 != 0 {
            guard available >= length + 2 else { return .undecoded(.truncatedTunnel) }
            length += 2 + Int(bytes.be16(at + length))
        }
        enter(.l2tp)
        return tunnelled(length, in: .ppp)
    }

    /// RFC 4380, section 5.1.1: authentication and origin may stand before the IPv6 packet.
    private mutating func teredo(_ bytes: RawSpan) -> Layer? {
        let start = at
        if available >= 4, bytes.be16(at) == 1 {
            let length = 13 + Int(bytes.u8(at + 2)) + Int(bytes.u8(at + 3))
            guard available >= length else { return .undecoded(.truncatedTunnel) }
            at += length
        }
        if available >= 8, bytes.be16(at) == 0 { at += 8 }
        guard looksLikeIP(bytes, at: 0, mayHaveTrailer: true), bytes.u8(at) >> 4 == 6 else {
            // The other port may say what it is.
            at = start
            return nil
        }
        enter(.teredo)
        return .ipv6
    }

    /// RFC 9300, section 5.3: 8 bytes, then IP.
    private mutating func lisp(_ bytes: RawSpan) -> Layer? {
        guard looksLikeIP(bytes, at: 8) else { return nil }
        enter(.other)
        return tunnelled(8, in: .ip)
    }

    /// RFC 7510.
    private mutating func mplsInUDP(_ bytes: RawSpan) -> Layer? {
        var labels = 0
        repeat {
            labels += 4
            guard available > labels else { return nil }
        } while bytes.u8(at + labels - 2) & 1 == 0
        return looksLikeIP(bytes, at: labels) || looksLikeEthernet(bytes, at: labels) ? .mpls : nil
    }

    /// Whether an IP header whose length fits the datagram stands so many bytes further on: for tunnels whose own
    /// header could be anything.
    private func looksLikeIP(_ bytes: RawSpan, at distance: Int, mayHaveTrailer: Bool = false) -> Bool {
        let start = at + distance
        guard end - start >= 20 else { return false }
        let length: Int
        switch bytes.u8(start) >> 4 {
        case 4: length = Int(bytes.be16(start + 2))
        case 6: length = 40 + Int(bytes.be16(start + 4))
        default: return false
        }
        return mayHaveTrailer ? length <= wireEnd - start : length == wireEnd - start
    }

    /// TaZmen sniffer protocol: version, type, link layer, tagged fields up to tag 1.
    private mutating func tzsp(_ bytes: RawSpan) -> Layer? {
        guard available >= 5, bytes.u8(at) == 1, bytes.u8(at + 1) <= 1 else { return nil }
        let encapsulation = bytes.be16(at + 2)
        var field = at + 4
        while true {
            guard field + 1 < end else { return nil }
            let tag = bytes.u8(field)
            if tag == 1 { break }
            field += tag == 0 ? 1 : 2 + Int(bytes.u8(field + 1))
        }
        at = field + 1
        enter(.other)
        switch encapsulation {
        case 1: return .ethernet
        case 18: return .wlan
        default: return .done(.other)
        }
    }

    /// RFC 8086: without a source route, and of version 0.
    private mutating func greInUDP(_ bytes: RawSpan) -> Layer? {
        guard available >= 4, bytes.be16(at) & 0x4fff == 0 else { return nil }
        return .gre
    }

    /// draft-massar-v6ops-ayiya: lengths of identity and signature, operation, next header, time.
    private mutating func ayiya(_ bytes: RawSpan) -> Layer? {
        guard available >= 8 else { return nil }
        let identity = 1 << Int(bytes.u8(at) >> 4)
        let signature = Int(bytes.u8(at + 1) >> 4) * 4
        // 1: forward what follows.
        guard bytes.u8(at + 2) & 15 == 1, bytes.u8(at + 3) == 41 else { return nil }
        enter(.other)
        return tunnelled(8 + identity + signature, in: .ipv6)
    }

    /// RFC 5415, section 4.3: a preamble, then length in words, binding and flags in 24 bits, fragment and its offset.
    private mutating func capwap(_ bytes: RawSpan) -> Layer? {
        guard available >= 8 else { return nil }
        // 1 is DTLS.
        guard bytes.u8(at) == 0 else { return bytes.u8(at) == 1 ? .undecoded(.encrypted) : nil }
        let header = bytes.be32(at)
        let length = Int(header >> 19 & 0x1f) * 4
        guard length >= 8 else { return nil }
        // K is a keepalive; a fragment other than the first has no frame header.
        guard header & 0x08 == 0, bytes.be16(at + 6) & 0xfff8 == 0 else { return .done(.other) }
        let isNative = header & 0x100 != 0
        let binding = header >> 9 & 0x1f
        enter(.other)
        guard available >= length else { return .undecoded(.truncatedTunnel) }
        at += length
        guard isNative else { return .ethernet }
        guard binding == 1, available >= 2 else { return .done(.other) }
        // Cisco's controllers exchange the two bytes of the frame control, whose version is 0.
        return wlan(bytes, padded: false, isSwapped: bytes.u8(at) & 3 != 0)
    }

    /// RFC 3948: four zero bytes mark IKE, one byte 0xff is a keepalive, anything else is ESP.
    private func espInUDP(_ bytes: RawSpan) -> Layer? {
        guard available >= 8, bytes.be32(at) != 0 else { return nil }
        return .undecoded(.encrypted)
    }
}

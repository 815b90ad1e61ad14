/// Packets in packets, directly over IP or Ethernet.
extension PacketDecoder {
    /// RFC 3032: labels of 4 bytes up to the one with the S bit. Nothing says what follows: RFC 4928 tells IP apart by
    /// its first half byte.
    mutating func mpls(_ bytes: RawSpan) -> Layer {
        enter(.mpls)
        repeat {
            guard available >= 4 else { return .undecoded(.truncatedTunnel) }
            at += 4
        } while bytes.u8(at - 2) & 1 == 0
        guard available >= 1 else { return .undecoded(.truncatedTunnel) }
        switch bytes.u8(at) >> 4 {
        case 4: return .ipv4
        case 6: return .ipv6
        default:
            if looksLikeEthernet(bytes, at: 0) { return .ethernet }
            // After the control word of a pseudowire (RFC 4448).
            return looksLikeEthernet(bytes, at: 4) ? skip(4, then: .ethernet) : .done(.other)
        }
    }

    /// RFC 2784 and 2890; version 1 is that of PPTP (RFC 2637).
    mutating func gre(_ bytes: RawSpan) -> Layer {
        guard available >= 4 else { return .undecoded(.truncatedTunnel) }
        let flags = bytes.be16(at)
        let type = bytes.be16(at + 2)
        var length = 4
        // C or R: checksum and offset; K: key; S: sequence number; A, in version 1: acknowledgment.
        if flags & 0xc000 != 0 { length += 4 }
        if flags & 0x2000 != 0 { length += 4 }
        if flags & 0x1000 != 0 { length += 4 }
        if flags & 0x0087 == 0x0081 { length += 4 }
        guard flags & 7 <= 1 else { return .undecoded(.invalidTunnel) }
        // R: a source route (RFC 1701) that nobody sends any more.
        guard flags & 0x4000 == 0 else { return .undecoded(.invalidTunnel) }
        guard available >= length else { return .undecoded(.truncatedTunnel) }
        at += length
        switch type {
        case 0x88be:
            enter(.erspan)
            // Type I has no sequence number and no header, type II 8 bytes.
            return flags & 0x1000 == 0 ? .ethernet : tunnelled(8, in: .ethernet)
        case 0x22eb: return erspan3(bytes)
        case 0x0800, 0x86dd, 0x6558, 0x880b, 0x8847, 0x8848, 0x894f, 0x8100:
            enter(.gre)
            return .etherType(type)
        // MikroTik's EoIP has the length of the frame and a tunnel number in the place of the key.
        case 0x6400 where flags == 0x2001:
            enter(.gre)
            return .ethernet
        // WCCP version 2 puts 4 bytes before the packet, version 1 none.
        case 0x883e:
            enter(.gre)
            guard available >= 1 else { return .undecoded(.truncatedTunnel) }
            return bytes.u8(at) >> 4 == 4 ? .ipv4 : tunnelled(4, in: .ip)
        // Aruba: 802.11 frames between access point and controller.
        case 0x8200...0x83ff, 0x9000...0x90ff:
            enter(.gre)
            return .wlan
        default: return .done(.other)
        }
    }

    /// ERSPAN type III: 12 bytes, of which the last bit says that 8 more follow.
    private mutating func erspan3(_ bytes: RawSpan) -> Layer {
        guard available >= 12 else { return .undecoded(.truncatedTunnel) }
        enter(.erspan)
        let hasMore = bytes.u8(at + 11) & 1 != 0
        // Frame type: 0 is Ethernet, 2 IP.
        let kind = bytes.be16(at + 10) >> 10 & 0x1f
        return tunnelled(hasMore ? 20 : 12, in: kind == 2 ? .ip : .ethernet)
    }

    /// RFC 3378: version 3 and 12 bits of zero, then Ethernet.
    mutating func etherIP(_ bytes: RawSpan) -> Layer {
        guard available >= 2 else { return .undecoded(.truncatedTunnel) }
        guard bytes.u8(at) == 0x30 else { return .undecoded(.invalidTunnel) }
        enter(.other)
        return tunnelled(2, in: .ethernet)
    }

    /// RFC 8300: version, length in words, and the next protocol.
    mutating func nsh(_ bytes: RawSpan) -> Layer {
        guard available >= 8 else { return .undecoded(.truncatedTunnel) }
        let length = Int(bytes.u8(at + 1) & 0x3f) * 4
        guard length >= 8 else { return .undecoded(.invalidTunnel) }
        enter(.other)
        switch bytes.u8(at + 3) {
        case 1: return tunnelled(length, in: .ipv4)
        case 2: return tunnelled(length, in: .ipv6)
        case 3: return tunnelled(length, in: .ethernet)
        case 5: return tunnelled(length, in: .mpls)
        default: return .done(.other)
        }
    }

    /// RFC 3931 over IP: a session number, then a cookie and a sublayer whose lengths only the control connection knows.
    mutating func l2tp3(_ bytes: RawSpan) -> Layer {
        guard available >= 4 else { return .undecoded(.truncatedTunnel) }
        // Session 0 is the control connection.
        guard bytes.be32(at) != 0 else { return .done(.other) }
        at += 4
        for distance in [0, 4, 8, 12] where looksLikeEthernet(bytes, at: distance) {
            enter(.l2tp)
            return tunnelled(distance, in: .ethernet)
        }
        return .done(.other)
    }

    /// Passes over a tunnel's header.
    mutating func tunnelled(_ length: Int, in next: Layer) -> Layer {
        guard available >= length else { return .undecoded(.truncatedTunnel) }
        at += length
        return next
    }
}

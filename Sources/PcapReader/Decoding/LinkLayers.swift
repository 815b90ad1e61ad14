extension PacketDecoder {
    /// IEEE 802.3: destination, source, then an EtherType or a length.
    mutating func ethernet(_ bytes: RawSpan) -> Layer {
        guard available >= 14 else { return .undecoded(.truncatedLink) }
        let type = bytes.be16(at + 12)
        // Cisco ISL puts 26 bytes before the frame, which begin with one of two addresses and have a length where others
        // have a type.
        if type <= 1500, bytes.be32(at) | 0x0200_0000 == 0x0300_0c00, bytes.u8(at + 4) == 0 {
            return skip(26, then: .ethernet)
        }
        at += 14
        return .etherType(type)
    }

    mutating func etherType(_ bytes: RawSpan, _ type: UInt16) -> Layer {
        switch type {
        case 0x0800: return .ipv4
        case 0x86dd: return .ipv6
        // 802.1Q, 802.1ad, and the numbers that QinQ had before it was standardised.
        case 0x8100, 0x88a8, 0x9100, 0x9200, 0x9300:
            guard available >= 4 else { return .undecoded(.truncatedLink) }
            let inner = bytes.be16(at + 2)
            at += 4
            return .etherType(inner)
        case 0x8847, 0x8848: return .mpls
        case 0x8864: return .pppoe
        case 0x6558: return .ethernet
        case 0x880b: return .ppp
        case 0x894f: return .nsh
        // An LLC frame longer than a length can say.
        case 0x8870: return .llc
        // Cisco VN-Tag, Cisco metadata with one option, 802.1BR E-tag: a tag, then an EtherType.
        case 0x8926: return tag(bytes, length: 4)
        case 0x8909: return tag(bytes, length: 6)
        case 0x893f: return tag(bytes, length: 6)
        // Cisco FabricPath: a tag, then a whole frame.
        case 0x8903: return skip(2, then: .ethernet)
        // 802.1ah: an I-tag, then a whole frame.
        case 0x88e7: return skip(4, then: .ethernet)
        // HSR (IEC 62439-3): path, size and sequence number, then an EtherType.
        case 0x892f: return tag(bytes, length: 4)
        case 0x22f3: return trill(bytes)
        case 0x88e5: return macsec(bytes)
        // A length: what follows is padded to the minimum frame, which the length leaves out.
        case 0...1500:
            wireEnd = min(wireEnd, at + Int(type))
            end = min(end, wireEnd)
            return .llc
        default: return .done(.other)
        }
    }

    private mutating func tag(_ bytes: RawSpan, length: Int) -> Layer {
        guard available >= length + 2 else { return .undecoded(.truncatedLink) }
        let type = bytes.be16(at + length)
        at += length + 2
        return .etherType(type)
    }

    /// RFC 6325, section 3: the length of the options, in words, is in the first two bytes; then a whole frame.
    private mutating func trill(_ bytes: RawSpan) -> Layer {
        guard available >= 6 else { return .undecoded(.truncatedLink) }
        return skip(6 + Int(bytes.be16(at) >> 6 & 0x1f) * 4, then: .ethernet)
    }

    /// IEEE 802.1AE: what is only authenticated can be read.
    private mutating func macsec(_ bytes: RawSpan) -> Layer {
        guard available >= 6 else { return .undecoded(.truncatedLink) }
        let control = bytes.u8(at)
        // E: encrypted; C: changed.
        guard control & 0x0c == 0 else { return .undecoded(.encrypted) }
        // SC: the secure channel identifier is there.
        return tag(bytes, length: control & 0x20 != 0 ? 14 : 6)
    }

    mutating func taggedEthernet(_ bytes: RawSpan, tag: Int) -> Layer {
        guard available >= 14 + tag else { return .undecoded(.truncatedLink) }
        let type = bytes.be16(at + 12 + tag)
        at += 14 + tag
        return .etherType(type)
    }

    /// IEEE 802.2 with SNAP (RFC 1042).
    mutating func llc(_ bytes: RawSpan) -> Layer {
        guard available >= 3 else { return .undecoded(.truncatedLink) }
        let (destination, source, control) = (bytes.u8(at), bytes.u8(at + 1), bytes.u8(at + 2))
        guard destination == 0xaa, source == 0xaa, control == 3 else {
            // SAP 6 is IP itself (RFC 948).
            guard destination == 6, source == 6, control == 3 else { return .done(.other) }
            at += 3
            return .ipv4
        }
        at += 3
        return snap(bytes)
    }

    /// An organisation and a protocol number of its own.
    mutating func snap(_ bytes: RawSpan) -> Layer {
        guard available >= 5 else { return .undecoded(.truncatedLink) }
        let organisation = bytes.be32(at) >> 8
        let type = bytes.be16(at + 3)
        at += 5
        switch organisation {
        // 00-00-00 is an EtherType, 00-00-f8 the same over a bridge tunnel (IEEE 802.1H).
        case 0, 0xf8: return type <= 1500 ? .done(.other) : .etherType(type)
        // Bridged Ethernet with or without its frame check sequence (RFC 2684), after padding over ATM.
        case 0x80c2 where type == 1 || type == 7:
            return looksLikeEthernet(bytes, at: 0) ? .ethernet : skip(2, then: .ethernet)
        default: return .done(.other)
        }
    }

    /// Frame control, destination, source, LLC (RFC 1390).
    mutating func fddi(_ bytes: RawSpan) -> Layer {
        guard available >= 13 else { return .undecoded(.truncatedLink) }
        // LLC frames: 0x50 to 0x5f asynchronous, 0xd0 to 0xdf synchronous.
        guard bytes.u8(at) & 0x70 == 0x50 else { return .done(.other) }
        at += 13
        return .llc
    }

    /// IEEE 802.5: access control, frame control, destination, source, perhaps a source route, LLC.
    mutating func tokenRing(_ bytes: RawSpan) -> Layer {
        guard available >= 16 else { return .undecoded(.truncatedLink) }
        guard bytes.u8(at + 1) & 0xc0 == 0x40 else { return .done(.other) }
        let isRouted = bytes.u8(at + 8) & 0x80 != 0
        return skip(14 + (isRouted ? Int(bytes.u8(at + 14) & 0x1f) : 0), then: .llc)
    }

    /// As Linux hands it out: source, destination, two bytes of offset, protocol; with RFC 1201 a split flag and a
    /// sequence number, which an exception frame has after four bytes of padding.
    mutating func arcnet(_ bytes: RawSpan) -> Layer {
        guard available >= 8 else { return .undecoded(.truncatedLink) }
        let type = bytes.u8(at + 4)
        let isException = bytes.u8(at + 5) == 0xff
        switch type {
        // IP of RFC 1051 has no fragments.
        case 0xf0: return skip(5, then: .ipv4)
        case 0xd4: return skip(isException ? 12 : 8, then: .ipv4)
        case 0xc4: return skip(isException ? 12 : 8, then: .ipv6)
        default: return .done(.other)
        }
    }

    /// BSD loopback: an address family in the byte order of the machine that captured, or in network order (LOOP).
    mutating func null(_ bytes: RawSpan) -> Layer {
        guard available >= 4 else { return .undecoded(.truncatedLink) }
        if bytes.be16(at) == 0xff03 { return .ppp }
        var family = bytes.le32(at)
        if family & 0xffff == 0 { family = family.byteSwapped }
        at += 4
        switch family {
        case 2: return .ipv4
        // AF_INET6 of Linux, of NetBSD and OpenBSD, of FreeBSD, of macOS; 23 of Windows.
        case 10, 23, 24, 28, 30: return .ipv6
        // Some systems write an EtherType.
        case 0x600...0xffff: return .etherType(UInt16(truncatingIfNeeded: family))
        default: return .done(.other)
        }
    }

    /// Linux cooked v1 (LINKTYPE_LINUX_SLL): type, ARPHRD, address length, address, protocol; 16 bytes.
    mutating func cooked(_ bytes: RawSpan) -> Layer {
        guard available >= 16 else { return .undecoded(.truncatedLink) }
        setDirection(packetType: bytes.be16(at))
        let hardware = bytes.be16(at + 2)
        let type = bytes.be16(at + 14)
        at += 16
        return cookedPayload(hardware: hardware, type: type)
    }

    /// Linux cooked v2 (LINKTYPE_LINUX_SLL2): protocol, reserved, ifindex, ARPHRD, type, address; 20 bytes.
    mutating func cooked2(_ bytes: RawSpan) -> Layer {
        guard available >= 20 else { return .undecoded(.truncatedLink) }
        let type = bytes.be16(at)
        ifindex = Int32(bitPattern: bytes.be32(at + 4))
        let hardware = bytes.be16(at + 8)
        setDirection(packetType: UInt16(bytes.u8(at + 10)))
        at += 20
        return cookedPayload(hardware: hardware, type: type)
    }

    private mutating func cookedPayload(hardware: UInt16, type: UInt16) -> Layer {
        switch hardware {
        case 770: return .frameRelay
        case 801: return .wlan
        case 802: return .prism
        case 803: return .radiotap
        // ARPHRD_NETLINK: the protocol is a netlink family.
        case 824: return .done(.other)
        default: break
        }
        switch type {
        // LINUX_SLL_P_802_3 is Novell's raw 802.3, LINUX_SLL_P_802_2 LLC.
        case 1: return .done(.other)
        case 4: return .llc
        default: return type <= 1500 ? .done(.other) : .etherType(type)
        }
    }

    /// PACKET_HOST to PACKET_OUTGOING of <linux/if_packet.h>.
    mutating func setDirection(packetType: UInt16) {
        switch packetType {
        case 0, 1, 2: direction = .inbound
        case 4: direction = .outbound
        default: break
        }
    }
}

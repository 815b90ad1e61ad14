extension PacketDecoder {
    /// IEEE 802.3: destination, source, then an EtherType or a length.
    mutating func ethernet(_ bytes: RawSpan) -> Layer {
        guard available >= 14 else { return .undecoded(.truncatedLink) }
        let type = bytes.be16(at + 12)
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
        // A length: what follows is padded to the minimum frame, which the length leaves out.
        case 0...1500:
            wireEnd = min(wireEnd, at + Int(type))
            end = min(end, wireEnd)
            return .llc
        default: return .done(.other)
        }
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
        guard available >= 8 else { return .undecoded(.truncatedLink) }
        let organisation = bytes.be32(at + 2) & 0xff_ffff
        let type = bytes.be16(at + 6)
        at += 8
        // 00-00-00 is an EtherType, 00-00-f8 the same over a bridge tunnel (IEEE 802.1H).
        guard organisation == 0 || organisation == 0xf8 else { return .done(.other) }
        return .etherType(type)
    }

    /// BSD loopback: an address family in the byte order of the machine that captured, or in network order (LOOP).
    mutating func null(_ bytes: RawSpan) -> Layer {
        guard available >= 4 else { return .undecoded(.truncatedLink) }
        var family = bytes.le32(at)
        if family & 0xffff == 0 { family = family.byteSwapped }
        at += 4
        switch family {
        case 2: return .ipv4
        // AF_INET6 of Linux, of NetBSD and OpenBSD, of FreeBSD, of macOS; 23 of Windows.
        case 10, 23, 24, 28, 30: return .ipv6
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
        // ARPHRD_NETLINK: the protocol is a netlink family.
        if hardware == 824 { return .done(.other) }
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

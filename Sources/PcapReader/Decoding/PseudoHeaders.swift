/// Headers that were never on the wire: those of firewalls, of kernels and of capturing programs.
extension PacketDecoder {
    /// LINKTYPE_NFLOG: family, version, resource, then TLVs in the byte order of the machine; one holds the packet.
    mutating func nflog(_ bytes: RawSpan) -> Layer {
        guard available >= 4 else { return .undecoded(.truncatedLink) }
        let family = bytes.u8(at)
        guard bytes.u8(at + 1) == 0 else { return .done(.other) }
        at += 4
        while available >= 4 {
            // The types are small numbers, which tells the byte order.
            let order: ByteOrder = bytes.le16(at + 2) < 256 ? .little : .big
            let length = Int(bytes.u16(at, order))
            let type = bytes.u16(at + 2, order)
            guard length >= 4 else { return .undecoded(.invalidTunnel) }
            let value = at + 4
            switch type {
            // NFULA_PACKET_HDR: protocol, then the hook; 0 and 1 are prerouting and input, 3 and 4 output and postrouting.
            case 1 where length >= 7 && available >= 7:
                let hook = bytes.u8(value + 2)
                if hook <= 1 { direction = .inbound } else if hook == 3 || hook == 4 { direction = .outbound }
            // NFULA_IFINDEX_INDEV and NFULA_IFINDEX_OUTDEV.
            case 4 where length >= 8 && available >= 8, 5 where length >= 8 && available >= 8:
                ifindex = Int32(bitPattern: bytes.be32(value))
            // NFULA_PAYLOAD.
            case 9:
                wireEnd = at + length
                end = min(end, wireEnd)
                at = value
                switch family {
                case 2: return .ipv4
                case 10: return .ipv6
                default: return .done(.other)
                }
            default: break
            }
            let padded = (length + 3) & ~3
            guard padded <= available else { return .undecoded(.truncatedLink) }
            at += padded
        }
        return .done(.other)
    }

    /// LINKTYPE_PFLOG: length, address family, action, reason, interface, ...; the direction is byte 60.
    mutating func pflog(_ bytes: RawSpan) -> Layer {
        guard available >= 4 else { return .undecoded(.truncatedLink) }
        let length = (Int(bytes.u8(at)) + 3) & ~3
        let family = bytes.u8(at + 1)
        guard available >= length else { return .undecoded(.truncatedLink) }
        if length > 60 {
            switch bytes.u8(at + 60) {
            case 1: direction = .inbound
            case 2: direction = .outbound
            default: break
            }
        }
        at += length
        return family == 2 ? .ipv4 : [10, 24, 28, 30].contains(family) ? .ipv6 : .done(.other)
    }

    /// LINKTYPE_ENC: address family in the byte order of the machine, SPI, flags.
    mutating func enc(_ bytes: RawSpan) -> Layer {
        skip(12, then: .ip)
    }

    /// LINKTYPE_PPI: version, flags, length, link type, all little-endian, and fields up to the length.
    mutating func ppi(_ bytes: RawSpan) -> Layer {
        guard available >= 8 else { return .undecoded(.truncatedLink) }
        let length = Int(bytes.le16(at + 2))
        let linkType = bytes.le32(at + 4)
        guard length >= 8 else { return .undecoded(.invalidTunnel) }
        guard let next = UInt16(exactly: linkType).flatMap(LinkType.layer) else { return .undecoded(.linkType) }
        return skip(length, then: next)
    }

    /// LINKTYPE_IPOIB: source and destination address in 40 bytes, EtherType, two reserved bytes (RFC 4391, section 6).
    mutating func ipoib(_ bytes: RawSpan) -> Layer {
        guard available >= 44 else { return .undecoded(.truncatedLink) }
        let type = bytes.be16(at + 40)
        at += 44
        return .etherType(type)
    }

    /// LINKTYPE_JUNIPER_ETHER: magic number, flags, length of the extensions, extensions, Ethernet.
    mutating func juniperEthernet(_ bytes: RawSpan) -> Layer {
        guard available >= 4 else { return .undecoded(.truncatedLink) }
        guard bytes.be32(at) >> 8 == 0x4d_4743 else { return .undecoded(.invalidTunnel) }
        let flags = bytes.u8(at + 3)
        direction = flags & 0x01 != 0 ? .inbound : .outbound
        at += 4
        if flags & 0x80 != 0 {
            guard available >= 2, available >= 2 + Int(bytes.be16(at)) else { return .undecoded(.truncatedLink) }
            at += 2 + Int(bytes.be16(at))
        }
        // The link layer was left out, and what is there instead is not said.
        return flags & 0x02 != 0 ? .undecoded(.linkType) : .ethernet
    }

    /// LINKTYPE_PKTAP, Apple's: length, kind of record, link type.
    mutating func pktap(_ bytes: RawSpan) -> Layer {
        guard available >= 12 else { return .undecoded(.truncatedLink) }
        let length = Int(bytes.le32(at))
        // 1 is a packet.
        guard bytes.le32(at + 4) == 1 else { return .done(.other) }
        guard length >= 12 else { return .undecoded(.invalidTunnel) }
        guard let next = UInt16(exactly: bytes.le32(at + 8)).flatMap(LinkType.layer) else {
            return .undecoded(.linkType)
        }
        return skip(length, then: next)
    }
}

extension PacketDecoder {
    /// RFC 1662: address and control may be left out, and the first byte of the protocol if it is 0.
    mutating func ppp(_ bytes: RawSpan) -> Layer {
        if available >= 2, bytes.be16(at) == 0xff03 { at += 2 }
        guard available >= 1 else { return .done(.other) }
        var type = UInt16(bytes.u8(at))
        if type & 1 != 0 {
            at += 1
        } else {
            guard available >= 2 else { return .undecoded(.truncatedLink) }
            type = bytes.be16(at)
            at += 2
        }
        switch type {
        case 0x0021: return .ipv4
        case 0x0057: return .ipv6
        case 0x0281, 0x0283: return .mpls
        // Van Jacobson's compressed and uncompressed TCP, ROHC, and compressed datagrams (RFC 1144, 3241, 1962).
        case 0x0003, 0x0005, 0x002d, 0x002f, 0x00fb, 0x00fd: return .undecoded(.compressed)
        case 0x0053, 0x0055: return .undecoded(.encrypted)
        default: return .done(.other)
        }
    }

    /// pppd on Linux puts the direction where the address was.
    mutating func pppWithDirection(_ bytes: RawSpan) -> Layer {
        guard available >= 2 else { return .undecoded(.truncatedLink) }
        direction = bytes.u8(at) == 0 ? .inbound : .outbound
        at += bytes.u8(at + 1) == 3 ? 2 : 1
        return .ppp
    }

    /// PPP in HDLC framing, or Cisco's HDLC, which begins with another address.
    mutating func pppSerial(_ bytes: RawSpan) -> Layer {
        guard available >= 1 else { return .undecoded(.truncatedLink) }
        let address = bytes.u8(at)
        return address == 0x0f || address == 0x8f ? .hdlc : .ppp
    }

    /// RFC 2516: version and type, code, session, length.
    mutating func pppoe(_ bytes: RawSpan) -> Layer {
        guard available >= 6 else { return .undecoded(.truncatedTunnel) }
        // Code 0 is a session, all others are discovery.
        guard bytes.u8(at) == 0x11, bytes.u8(at + 1) == 0 else { return .done(.other) }
        enter(.pppoe)
        let length = Int(bytes.be16(at + 4))
        at += 6
        wireEnd = min(wireEnd, at + length)
        end = min(end, wireEnd)
        return .ppp
    }

    /// Cisco HDLC: address, control, EtherType.
    mutating func hdlc(_ bytes: RawSpan) -> Layer {
        guard available >= 4 else { return .undecoded(.truncatedLink) }
        let type = bytes.be16(at + 2)
        at += 4
        return type <= 1500 ? .done(.other) : .etherType(type)
    }

    /// RFC 2427: an address of two to four bytes, control, NLPID; or Cisco's form, an EtherType after the address.
    mutating func frameRelay(_ bytes: RawSpan) -> Layer {
        var address = 0
        repeat {
            guard available > address else { return .undecoded(.truncatedLink) }
            address += 1
        } while bytes.u8(at + address - 1) & 1 == 0 && address < 4
        at += address
        guard available >= 2 else { return .undecoded(.truncatedLink) }
        guard bytes.u8(at) == 3 else {
            let type = bytes.be16(at)
            at += 2
            return type == 0x0800 || type == 0x86dd ? .etherType(type) : .done(.other)
        }
        at += 1
        // One byte of padding may stand before the NLPID.
        if bytes.u8(at) == 0 { at += 1 }
        guard available >= 1 else { return .undecoded(.truncatedLink) }
        let network = bytes.u8(at)
        at += 1
        switch network {
        case 0xcc: return .ipv4
        case 0x8e: return .ipv6
        case 0x80: return snap(bytes)
        default: return .done(.other)
        }
    }

    /// LINKTYPE_SLIP: direction, kind of packet, and the rest of 16 bytes.
    mutating func slip(_ bytes: RawSpan) -> Layer {
        guard available >= 16 else { return .undecoded(.truncatedLink) }
        direction = bytes.u8(at) == 0 ? .inbound : .outbound
        // 0x80: compressed TCP; 0x70: uncompressed, but with a connection number for a protocol.
        let kind = bytes.u8(at + 1)
        at += 16
        return kind & 0x80 != 0 || kind >> 4 == 7 ? .undecoded(.compressed) : .ip
    }

    /// SunATM: traffic type and direction, VPI, VCI.
    mutating func sunATM(_ bytes: RawSpan) -> Layer {
        guard available >= 4 else { return .undecoded(.truncatedLink) }
        let kind = bytes.u8(at) & 15
        at += 4
        switch kind {
        // LAN emulation: two bytes, then Ethernet.
        case 1: return skip(2, then: .ethernet)
        case 2: return .llc
        default: return .done(.other)
        }
    }
}

package import NetworkTypes

/// A TCP segment in an IP packet, built by hand or seen on a wire.
package struct RawSegment: Equatable {
    package var source: Endpoint
    package var destination: Endpoint
    package var seq: UInt32 = 0
    package var ack: UInt32 = 0
    package var flags: TCPFlags = []
    package var window: UInt16 = 64240
    /// TTL or hop limit.
    package var ttl: UInt8 = 64
    /// Padded with zeros (end of option list) to a multiple of 4 bytes.
    package var options: [UInt8] = []
    package var payload: [UInt8] = []

    package init(from source: Endpoint, to destination: Endpoint, _ flags: TCPFlags, seq: UInt32 = 0, ack: UInt32 = 0) {
        self.source = source
        self.destination = destination
        self.flags = flags
        self.seq = seq
        self.ack = ack
    }

    package var tuple: FourTuple { FourTuple(from: source, to: destination) }

    /// The sequence number of the next segment in this direction (RFC 9293, section 3.4: SYN and FIN count as one).
    package var nextSeq: UInt32 {
        seq &+ UInt32(truncatingIfNeeded: payload.count) &+ (flags.contains(.syn) ? 1 : 0)
            &+ (flags.contains(.fin) ? 1 : 0)
    }

    // MARK: Bytes

    /// The IP packet, with its checksums.
    package var packet: [UInt8] {
        let padding = (4 - options.count % 4) % 4
        let headerLength = 20 + options.count + padding
        var tcp = source.port.bigEndianBytes + destination.port.bigEndianBytes + seq.bigEndianBytes + ack.bigEndianBytes
        let offsetAndFlags = UInt16(headerLength / 4) << 12 | flags.rawValue & 0x1ff
        tcp += offsetAndFlags.bigEndianBytes + window.bigEndianBytes + [0, 0, 0, 0]
        tcp += options + [UInt8](repeating: 0, count: padding) + payload
        let length = UInt16(tcp.count)
        // RFC 9293, section 3.1 and RFC 8200, section 8.1: apart from the addresses, both pseudo-headers have the same sum.
        let pseudo = source.address.bytes + destination.address.bytes + [0, 6] + length.bigEndianBytes
        tcp.replaceSubrange(16..<18, with: Self.checksum(pseudo + tcp).bigEndianBytes)

        guard source.address.isIPv4 else {
            return [0x60, 0, 0, 0] + length.bigEndianBytes + [6, ttl] + source.address.bytes + destination.address.bytes
                + tcp
        }
        var ip: [UInt8] = [0x45, 0] + (length + 20).bigEndianBytes + [0, 0, 0x40, 0, ttl, 6, 0, 0]
        ip += source.address.bytes + destination.address.bytes
        ip.replaceSubrange(10..<12, with: Self.checksum(ip).bigEndianBytes)
        return ip + tcp
    }

    /// The Internet checksum (RFC 1071).
    package static func checksum(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for index in stride(from: 0, to: bytes.count, by: 2) {
            sum += UInt32(bytes[index]) << 8 | (index + 1 < bytes.count ? UInt32(bytes[index + 1]) : 0)
        }
        while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
        return ~UInt16(truncatingIfNeeded: sum)
    }

    /// Reads an IP packet; nil if it is not a whole TCP segment without IP fragments or IPv6 extension headers.
    ///
    /// - Parameter snapped: the end of the segment may be missing, but not its header.
    package init?(packet: some RandomAccessCollection<UInt8>, snapped: Bool = false) {
        let bytes = Array(packet)
        guard let first = bytes.first else { return nil }
        let tcp: ArraySlice<UInt8>
        let addresses: (IPAddress?, IPAddress?)
        switch first >> 4 {
        case 4:
            let header = Int(first & 15) * 4
            guard header >= 20, bytes.count >= header, bytes[9] == 6 else { return nil }
            var total = Int(bytes[2]) << 8 | Int(bytes[3])
            if snapped { total = min(total, bytes.count) }
            guard total >= header, total <= bytes.count, bytes[6] & 0x3f == 0, bytes[7] == 0 else { return nil }
            addresses = (IPAddress(bytes: bytes[12..<16]), IPAddress(bytes: bytes[16..<20]))
            ttl = bytes[8]
            tcp = bytes[header..<total]
        case 6:
            guard bytes.count >= 40, bytes[6] == 6 else { return nil }
            var total = 40 + (Int(bytes[4]) << 8 | Int(bytes[5]))
            if snapped { total = min(total, bytes.count) }
            guard total <= bytes.count else { return nil }
            addresses = (IPAddress(bytes: bytes[8..<24]), IPAddress(bytes: bytes[24..<40]))
            ttl = bytes[7]
            tcp = bytes[40..<total]
        default: return nil
        }
        let number = { (at: Int, count: Int) in
            tcp[(tcp.startIndex + at)..<(tcp.startIndex + at + count)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        }
        guard tcp.count >= 20, let source = addresses.0, let destination = addresses.1 else { return nil }
        let header = Int(number(12, 1) >> 4) * 4
        guard header >= 20, header <= tcp.count else { return nil }
        self.source = Endpoint(source, UInt16(number(0, 2)))
        self.destination = Endpoint(destination, UInt16(number(2, 2)))
        seq = number(4, 4)
        ack = number(8, 4)
        flags = TCPFlags(rawValue: UInt16(number(12, 2) & 0x1ff))
        window = UInt16(number(14, 2))
        options = Array(tcp.dropFirst(20).prefix(header - 20))
        payload = Array(tcp.dropFirst(header))
    }
}

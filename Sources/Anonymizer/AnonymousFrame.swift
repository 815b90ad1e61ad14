import NetworkTypes
import PcapReader

/// Packets made anew from what a decoder has read of others: an IP header, a TCP header and its options.
struct AnonymousFrame {
    private(set) var bytes: [UInt8] = []
    /// Bytes that the packet would have with its payload.
    private(set) var originalLength: UInt32 = 0

    /// - Parameters:
    ///   - tuple: the addresses and ports to write.
    ///   - cooked: with a header of LINKTYPE_LINUX_SLL2 that has the interface's index and no address, otherwise LINKTYPE_RAW.
    init(_ captured: CapturedSegment, _ tuple: FourTuple, cooked: Bool) {
        let segment = captured.segment
        let isIPv4 = tuple.source.isIPv4 && tuple.destination.isIPv4
        if cooked { appendCooked(captured, isIPv4: isIPv4) }
        let headerLength = 20 + Int(segment.optionsLength)
        let length = UInt32(headerLength).saturatingAdd(segment.payloadLength)
        let packet = Header(
            source: tuple.source, destination: tuple.destination, number: 6, length: length, ttl: segment.ttl,
            trafficClass: segment.trafficClass, flowLabel: segment.flowLabel, ipID: segment.ipID,
            dontFragment: segment.dontFragment)
        append(packet)
        let start = bytes.count
        append16(tuple.sourcePort)
        append16(tuple.destinationPort)
        append32(segment.seq)
        append32(segment.ack)
        append16(UInt16(headerLength / 4) << 12 | segment.flags.rawValue & 0x1ff)
        append16(segment.window)
        append32(0)
        append(segment.options, count: Int(segment.optionsLength))
        originalLength = UInt32(clamping: UInt64(bytes.count) + UInt64(segment.payloadLength))
        bytes += Self.lastWord(segment)
        // As if the rest of the payload were zeros.
        setChecksum(at: start + 16, from: start, packet)
    }

    /// A payload made of what was recognised in the original one, where the cause of a RST may depend on it: that it was a TLS alert
    /// (with its description if it was fatal), or a message that nobody answers.
    private static func lastWord(_ segment: TCPSegment) -> [UInt8] {
        let length = segment.payloadLength
        guard segment.payloadOffset >= 0, length >= 7 else { return [] }
        if segment.fatalAlert != 0 || segment.last == .alert {
            let record = segment.last == .alert ? UInt16(truncatingIfNeeded: length - 5) : 2
            let level: UInt8 = segment.fatalAlert != 0 ? 2 : 1
            return [21, 3, 3, UInt8(record >> 8), UInt8(truncatingIfNeeded: record), level, segment.fatalAlert]
        }
        guard segment.last == .unanswered else { return [] }
        switch length {
        case 7...10:
            // LDAP's unbind, with a message number of 1.
            let number = UInt8(length) - 6
            return [0x30, UInt8(length) - 2, 2, number] + [UInt8](repeating: 0, count: Int(number) - 1) + [1, 0x42, 0]
        case 16...0xffff:
            // The shutdown of DCE/RPC, in one fragment.
            return [5, 0, 17, 3, 0x10, 0, 0, 0, UInt8(truncatingIfNeeded: length), UInt8(length >> 8)]
                + [UInt8](repeating: 0, count: 6)
        default: return []
        }
    }

    /// An ICMP error about a segment, of which the first 8 bytes are quoted, or the whole header if its flags are known.
    ///
    /// - Returns: nil if its addresses are not all of the same IP version.
    init?(_ error: ICMPError, sender: IPAddress, _ tuple: FourTuple, cooked: Bool) {
        let isIPv4 = !error.isVersion6
        guard [sender, tuple.source, tuple.destination].allSatisfy({ $0.isIPv4 == isIPv4 }) else { return nil }
        if cooked { appendCooked(nil, isIPv4: isIPv4) }
        let quoted = Header(source: tuple.source, destination: tuple.destination, number: 6, length: 20)
        let tcpLength = error.flags == nil ? 8 : 20
        let packet = Header(
            source: sender, destination: tuple.source, number: isIPv4 ? 1 : 58,
            length: UInt32(8 + (isIPv4 ? 20 : 40) + tcpLength))
        append(packet)
        let start = bytes.count
        bytes += [error.type, error.code]
        append16(0)
        append32(0)
        append(quoted)
        append16(tuple.sourcePort)
        append16(tuple.destinationPort)
        append32(error.seq)
        if let flags = error.flags {
            append32(0)
            append16(5 << 12 | flags.rawValue & 0x1ff)
            append16(0)
            append32(0)
        }
        setChecksum(at: start + 2, from: start, isIPv4 ? nil : packet)
        originalLength = UInt32(bytes.count)
    }

    /// What an IP header says.
    private struct Header {
        let source: IPAddress
        let destination: IPAddress
        /// Of the protocol.
        let number: UInt8
        /// Bytes that follow it.
        let length: UInt32
        var ttl: UInt8 = 64
        var trafficClass: UInt8 = 0
        var flowLabel: UInt32 = 0
        var ipID: UInt16 = 0
        var dontFragment = false

        var isIPv4: Bool { source.isIPv4 && destination.isIPv4 }
    }

    /// draft-ietf-opsawg-linktype-sll2: protocol, reserved, index, ARPHRD, packet type, address length, address.
    private mutating func appendCooked(_ captured: CapturedSegment?, isIPv4: Bool) {
        append16(isIPv4 ? 0x0800 : 0x86dd)
        append16(0)
        append32(UInt32(bitPattern: captured?.ifindex ?? 0))
        append16(1)
        let packetType: UInt8 =
            switch captured?.direction {
            case .inbound: 0
            case .outbound: 4
            // PACKET_OTHERHOST, which says neither.
            case .unknown, nil: 3
            }
        bytes.append(packetType)
        bytes += [UInt8](repeating: 0, count: 9)
    }

    private mutating func append(_ header: Header) {
        guard header.isIPv4 else { return appendIPv6(header) }
        let start = bytes.count
        bytes += [0x45, header.trafficClass]
        // 0 where it does not fit, as in packets that a device has yet to cut.
        append16(UInt16(exactly: UInt64(header.length) + 20) ?? 0)
        append16(header.ipID)
        append16(header.dontFragment ? 0x4000 : 0)
        bytes += [header.ttl, header.number]
        append16(0)
        append32(header.source.ipv4)
        append32(header.destination.ipv4)
        setChecksum(at: start + 10, from: start, nil)
    }

    private mutating func appendIPv6(_ header: Header) {
        append32(6 << 28 | UInt32(header.trafficClass) << 20 | header.flowLabel & 0xf_ffff)
        append16(UInt16(exactly: header.length) ?? 0)
        bytes += [header.number, header.ttl]
        for address in [header.source, header.destination] {
            for half in [address.high, address.low] {
                append32(UInt32(truncatingIfNeeded: half >> 32))
                append32(UInt32(truncatingIfNeeded: half))
            }
        }
    }

    /// Options that say the same in the same number of bytes. What is secret in them or may hold an address (cookies, keys,
    /// signatures, addresses of further paths) is not known, and not written.
    private mutating func append(_ options: TCPOptions, count: Int) {
        let start = bytes.count
        let kinds = options.kinds
        func has(_ kind: TCPOptions.Kinds) -> Bool { kinds.contains(kind) }
        if has(.maximumSegmentSize) {
            bytes += [2, 4]
            append16(options.maximumSegmentSize)
        }
        if has(.windowScale) { bytes += [3, 3, options.windowScale] }
        if has(.selectiveAckPermitted) { bytes += [4, 2] }
        if has(.timestamps) {
            bytes += [8, 10]
            append32(options.timestamp)
            append32(options.timestampEcho)
        }
        if has(.selectiveAck) { bytes += [5, 2] }
        if has(.signature) { bytes += [19, 18] + [UInt8](repeating: 0, count: 16) }
        if has(.authentication) { bytes += [29, 4, 0, 0] }
        if has(.multipathJoin) { bytes += [30, 3, 1 << 4] }
        if has(.multipathFastclose) { bytes += [30, 3, 7 << 4] }
        if has(.multipathReset) { bytes += [30, 4, 8 << 4, options.multipathReason] }
        if has(.multipath), kinds.isDisjoint(with: [.multipathJoin, .multipathFastclose, .multipathReset]) {
            // DSS: the one that most segments have.
            bytes += [30, 3, 2 << 4]
        }
        if has(.fastOpen) { bytes += [34, 2] }
        if has(.other) { bytes += [254, 2] }
        if has(.incomplete) { bytes += [254, 0] }
        // Each of these is the shortest of its kind: they do not take more room than they did.
        bytes.removeLast(max(0, bytes.count - start - count))
        while bytes.count - start < count { bytes.append(has(.incomplete) ? 0 : 1) }
    }

    /// RFC 1071.
    ///
    /// - Parameter header: of which a pseudo-header is part of the sum; nil if none is.
    private mutating func setChecksum(at place: Int, from start: Int, _ header: Header?) {
        var sum: UInt64 = 0
        if let header {
            for address in [header.source, header.destination] {
                if header.isIPv4 {
                    sum += UInt64(address.ipv4 >> 16) + UInt64(address.ipv4 & 0xffff)
                } else {
                    for half in [address.high, address.low] {
                        for shift in [48, 32, 16, 0] as [UInt64] { sum += half >> shift & 0xffff }
                    }
                }
            }
            sum += UInt64(header.number) + UInt64(header.length >> 16) + UInt64(header.length & 0xffff)
        }
        for at in stride(from: start, to: bytes.count, by: 2) {
            sum += UInt64(bytes[at]) << 8 | (at + 1 < bytes.count ? UInt64(bytes[at + 1]) : 0)
        }
        while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
        let checksum = ~UInt16(truncatingIfNeeded: sum)
        bytes[place] = UInt8(checksum >> 8)
        bytes[place + 1] = UInt8(truncatingIfNeeded: checksum)
    }

    private mutating func append16(_ number: UInt16) {
        bytes.append(UInt8(number >> 8))
        bytes.append(UInt8(truncatingIfNeeded: number))
    }

    private mutating func append32(_ number: UInt32) {
        append16(UInt16(number >> 16))
        append16(UInt16(truncatingIfNeeded: number))
    }
}

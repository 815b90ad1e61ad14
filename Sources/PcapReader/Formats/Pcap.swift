import NetworkTypes

/// How the records of a pcap file are laid out.
struct PcapLayout: Sendable, Equatable {
    /// Bytes of a record header: 16, or 24 in the modified format.
    var recordHeader = 16
    var nanoseconds = false
    var modified = false
    /// The captured and the original length changed places in version 2.3.
    var lengths = Lengths.inOrder
    var linkType: UInt16 = 0
    /// More captured bytes than this are damage, not a packet.
    var maximumCaptured: UInt32 = 262_144

    enum Lengths: Sendable, Equatable { case inOrder, swapped, swappedIfLarger }

    /// Puts the two lengths of a record, as they stand in the file, into the order captured, original.
    @inline(__always)
    func order(_ captured: inout UInt32, _ original: inout UInt32) {
        if lengths != .inOrder, lengths == .swapped || captured > original { swap(&captured, &original) }
    }
}

extension PcapMagic {
    /// magic, version, time zone, accuracy, snaplen, link type; one word more in Ixia's variant.
    var headerLength: Int { ixia ? 28 : 24 }
}

// The pcap format, draft-ietf-opsawg-pcap.
//
//      0                   1                   2                   3
//      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//     +---------------------------------------------------------------+
//   0 |                          Magic Number                         |
//     +---------------------------------------------------------------+
//   4 |         Major Version         |         Minor Version         |
//     +---------------------------------------------------------------+
//   8 |                Reserved1 (time zone correction)               |
//     +---------------------------------------------------------------+
//  12 |                Reserved2 (accuracy of time stamps)            |
//     +---------------------------------------------------------------+
//  16 |                            SnapLen                            |
//     +---------------------------------------------------------------+
//  20 | FCS |f|0 0 0 0 0 0 0 0 0 0 0 0|           LinkType            |
//     +---------------------------------------------------------------+
//
//     +---------------------------------------------------------------+
//   0 |                      Timestamp (Seconds)                      |
//     +---------------------------------------------------------------+
//   4 |            Timestamp (Microseconds or nanoseconds)            |
//     +---------------------------------------------------------------+
//   8 |                    Captured Packet Length                     |
//     +---------------------------------------------------------------+
//  12 |                    Original Packet Length                     |
//     +---------------------------------------------------------------+
//  16 /                          Packet Data                          /
//     +---------------------------------------------------------------+
extension CaptureScanner {
    mutating func readPcapHeader(_ bytes: RawSpan, at: Int, kind: PcapMagic) throws(CaptureError) {
        let major = bytes.u16(at + 4, kind.order)
        let minor = bytes.u16(at + 6, kind.order)
        // 543.0 is what DG/UX writes; libpcap and Wireshark read it too.
        guard major == 2 || major == 543 else {
            throw .unsupportedVersion(format: "pcap", major: Int(major), minor: Int(minor))
        }
        var layout = PcapLayout()
        layout.nanoseconds = kind.nanoseconds
        layout.modified = kind.modified
        layout.recordHeader = kind.modified ? 24 : 16
        layout.linkType = UInt16(truncatingIfNeeded: bytes.u32(at + 20, kind.order))
        layout.maximumCaptured = LinkType.maximumCaptured(layout.linkType)
        if major == 543 || minor < 3 {
            layout.lengths = .swapped
        } else if minor == 3 {
            layout.lengths = .swappedIfLarger
        }
        context.phase = .pcap
        context.order = kind.order
        context.pcap = layout
        summary.format = CaptureFormat(
            container: kind.modified ? .modifiedPcap : .pcap, byteOrder: kind.order,
            fractionalDigits: kind.nanoseconds ? 9 : 6)
        var interface = CaptureInterface(
            linkType: layout.linkType, resolution: kind.nanoseconds ? .nanoseconds : .microseconds)
        interface.snaplen = bytes.u32(at + 16, kind.order)
        summary.interfaces = [interface]
    }

    mutating func scanPcap(
        _ bytes: RawSpan, offset: Int, from start: Int, limit: Int, isFinal: Bool, body: (CapturedSegment) -> Void
    ) -> Int {
        let order = context.order
        let layout = context.pcap
        let headerLength = layout.recordHeader
        let count = bytes.byteCount
        let looksAtEthernet = layout.linkType == LinkType.ethernet
        let mode = mode
        let mask = filter.mask
        let secret = filter.secret
        let filterBits = filter.bits
        let filter = filterBits.span
        var at = start
        var packets = 0
        var plain = 0
        let unit: Int64 = layout.nanoseconds ? 1 : 1000
        var earliest = Int64.max
        var latest = Int64.min
        var problem: String?
        while at < limit {
            guard count - at >= headerLength else {
                if at < count, isFinal {
                    problem = "the record header is cut short: \(headerLength) bytes needed, \(count - at) available"
                }
                break
            }
            var captured = bytes.u32(at + 8, order)
            var original = bytes.u32(at + 12, order)
            layout.order(&captured, &original)
            guard captured <= layout.maximumCaptured else {
                problem = "the record claims \(captured) captured bytes; at most \(layout.maximumCaptured) are possible"
                break
            }
            let packet = at + headerLength
            let next = packet + Int(captured)
            guard next <= count else {
                if isFinal {
                    problem = "the packet is cut short: \(captured) bytes needed, \(count - packet) available"
                }
                break
            }
            packets += 1
            // Both numbers have 32 bits; a damaged fraction may exceed a second.
            let time = Int64(bytes.u32(at, order)) * 1_000_000_000 + Int64(bytes.u32(at + 4, order)) * unit
            earliest = min(earliest, time)
            latest = max(latest, time)
            var hash: UInt64?
            if looksAtEthernet, mode.deniesQuickly,
                case .plain(let plainHash) = Self.firstLook(
                    bytes, at: packet, captured: Int(captured), hashing: mode == .flows, secret: secret)
            {
                let bit = plainHash & mask
                if mode == .resets || filter[Int(bit >> 6)] & 1 << (bit & 63) == 0 {
                    plain += 1
                    at = next
                    continue
                }
                hash = plainHash
            }
            var record = PacketRecord(
                offset: at, at: packet, captured: Int(captured), original: original,
                time: time, interface: 0, linkType: layout.linkType,
                number: summary.frames + packets)
            if layout.modified { readModifiedHeader(bytes, at: at, order: order, into: &record) }
            examineSoon(bytes, offset: offset, record: record, hash: hash, body: body)
            at = next
        }
        examinePending(bytes, offset: offset, body: body)
        summary.packets += packets
        summary.frames += packets
        summary.tcpSegments += plain
        if packets > 0 { cover(earliest, latest) }
        if let problem { return end(bytes, at: at, offset: offset, problem: problem) }
        return at
    }

    /// What follows the lengths in the modified format: interface index, protocol, packet type, and a byte of padding.
    private func readModifiedHeader(_ bytes: RawSpan, at: Int, order: ByteOrder, into record: inout PacketRecord) {
        record.ifindex = Int32(bitPattern: bytes.u32(at + 16, order))
        switch bytes.u8(at + 22) {
        case 0, 1, 2: record.direction = .inbound
        case 4: record.direction = .outbound
        default: break
        }
    }
}

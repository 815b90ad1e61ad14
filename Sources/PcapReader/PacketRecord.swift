import NetworkTypes

/// One packet as its record describes it. Offsets are those of the window.
struct PacketRecord {
    /// Where the record begins.
    var offset: Int
    /// Where the captured bytes begin.
    var at: Int
    var captured: Int
    var original: UInt32
    /// Nanoseconds since 1970-01-01 UTC.
    var time: Int64 = 0
    /// Index into `CaptureSummary.interfaces`.
    var interface: Int
    var linkType: UInt16
    var ifindex: Int32 = 0
    var direction = CapturedSegment.Direction.unknown
    /// 1-based.
    var number: Int
}

extension CaptureScanner {
    /// What the first look at a packet tells.
    enum FirstLook {
        /// TCP without RST, with a whole header; `hash` is that of the `ConnectionFilter` with the secret, if it was asked for.
        case plain(hash: UInt64)
        /// Anything else: the decoder has to look.
        case unclear
    }

    /// Looks at the fixed places where the header fields of a plain packet are: Ethernet without VLAN tag, IPv4 without
    /// options and not fragmented, or IPv6 without extension headers, then TCP. Whatever this says, the decoder says too.
    @inline(__always)
    static func firstLook(_ bytes: RawSpan, at: Int, captured: Int, hashing: Bool, secret: SecretHash) -> FirstLook {
        guard captured >= 54 else { return .unclear }
        switch bytes.le16(at + 12) {
        // 08 00: IPv4
        case 0x0008:
            // 45; protocol 6; neither MF nor a fragment offset; total length at least 40; data offset 5 at least; no RST
            guard bytes.u8(at + 14) == 0x45, bytes.u8(at + 23) == 6, bytes.be16(at + 20) & 0x3fff == 0,
                bytes.be16(at + 16) >= 40, bytes.u8(at + 46) >= 0x50, bytes.u8(at + 47) & 4 == 0
            else { return .unclear }
            guard hashing else { return .plain(hash: 0) }
            let source = secret.of(
                high: 0, low: 0xffff_0000_0000 | UInt64(bytes.be32(at + 26)), port: bytes.be16(at + 34))
            let destination = secret.of(
                high: 0, low: 0xffff_0000_0000 | UInt64(bytes.be32(at + 30)), port: bytes.be16(at + 36))
            return .plain(hash: ConnectionFilter.sum(source, destination))
        // 86 dd: IPv6
        case 0xdd86:
            // version 6; next header 6; payload length at least 20
            guard captured >= 74, bytes.u8(at + 14) >> 4 == 6, bytes.u8(at + 20) == 6, bytes.be16(at + 18) >= 20,
                bytes.u8(at + 66) >= 0x50, bytes.u8(at + 67) & 4 == 0
            else { return .unclear }
            guard hashing else { return .plain(hash: 0) }
            let source = secret.of(
                high: bytes.be64(at + 22), low: bytes.be64(at + 30), port: bytes.be16(at + 54))
            let destination = secret.of(
                high: bytes.be64(at + 38), low: bytes.be64(at + 46), port: bytes.be16(at + 56))
            return .plain(hash: ConnectionFilter.sum(source, destination))
        default:
            return .unclear
        }
    }

    /// Examines a packet: one whose bit is set in the filter together with some others.
    ///
    /// In a large capture each packet is of another connection than the one before it, and what the filter has of that is
    /// not in the processor's cache: the memory for all of them is asked for before the first one is looked at.
    ///
    /// - Parameter hash: that of the filter, or nil for a packet that the decoder has to look at first.
    @inline(__always)
    mutating func examineSoon(
        _ bytes: RawSpan, offset: Int, record: PacketRecord, hash: UInt64?, body: (CapturedSegment) -> Void
    ) {
        guard let hash else { return examine(bytes, offset: offset, record: record, body: body) }
        filter.prefetchSlot(hash: hash)
        pending.append((record, hash))
        if pending.count == Self.examinedTogether { examinePending(bytes, offset: offset, body: body) }
    }

    private static var examinedTogether: Int { 16 }

    /// Examines those that wait for it: before any other packet is, and before the window is left.
    @inline(never)
    mutating func examinePending(_ bytes: RawSpan, offset: Int, body: (CapturedSegment) -> Void) {
        for place in pending.indices { filter.prefetchTuple(hash: pending[place].hash) }
        for place in pending.indices {
            examine(bytes, offset: offset, record: pending[place].record, hash: pending[place].hash, body: body)
        }
        pending.removeAll(keepingCapacity: true)
    }

    /// Decodes one packet, counts what became of it and delivers it if it was selected.
    ///
    /// - Parameter hash: that of the filter, if the packet is one of those that wait.
    @inline(never)
    mutating func examine(
        _ bytes: RawSpan, offset: Int, record: PacketRecord, hash: UInt64? = nil, body: (CapturedSegment) -> Void
    ) {
        if hash == nil, !pending.isEmpty { examinePending(bytes, offset: offset, body: body) }
        guard let layer = LinkType.layer(record.linkType) else {
            summary.undecodedCounts[Undecoded.linkType.index] += 1
            summary.unsupportedLinkTypes[record.linkType, default: 0] += 1
            return
        }
        var decoder = PacketDecoder(at: record.at, captured: record.captured, original: record.original)
        switch decoder.decode(bytes, from: layer) {
        case .other: return
        case .icmpError: return keep(decoder.icmpError, record)
        case .undecoded(let reason):
            summary.undecodedCounts[reason.index] += 1
            return
        case .segment: break
        }
        summary.tcpSegments += 1
        let isReset = decoder.segment.flags.contains(.rst)
        if isReset {
            summary.resets += 1
            if packetComments.number == record.number {
                summary.resetComments += packetComments.texts.map {
                    CaptureComment(subject: .packet(record.number), text: $0)
                }
            }
            if decoder.segment.payloadLength > 0 { keepPayload(bytes, record, decoder.segment) }
        }
        var place: (connection: Int32, isReversed: Bool) = (-1, false)
        switch mode {
        case .resets: guard isReset else { return }
        case .all: break
        case .flows:
            let tuple = decoder.segment.tuple
            let found = if let hash { filter.number(of: tuple, hash: hash) } else { filter.number(of: tuple) }
            guard let found else { return }
            place = found
        case .sources:
            let tuple = decoder.segment.tuple
            guard sources.contains(SegmentSelection.Source(address: tuple.source, port: tuple.sourcePort)) else {
                return
            }
        }
        decoder.readOptions(bytes)
        decoder.readPayload(bytes)
        var captured = CapturedSegment(
            segment: decoder.segment, number: record.number, offset: offset + record.offset, time: record.time,
            interface: Int32(clamping: record.interface))
        captured.ifindex = decoder.ifindex != 0 ? decoder.ifindex : record.ifindex
        captured.direction = decoder.direction != .unknown ? decoder.direction : record.direction
        captured.packetOffset = offset + record.at
        captured.capturedLength = Int32(clamping: record.captured)
        captured.originalLength = record.original
        (captured.connection, captured.isReversed) = place
        body(captured)
    }

    @inline(never)
    private mutating func keep(_ error: ICMPError?, _ record: PacketRecord) {
        guard var error else { return }
        summary.icmpErrorCount += 1
        guard summary.icmpErrors.count < CaptureSummary.keptICMPErrors else { return }
        error.packet = record.number
        error.time = record.time
        summary.icmpErrors.append(error)
    }

    @inline(never)
    private mutating func keepPayload(_ bytes: RawSpan, _ record: PacketRecord, _ reset: TCPSegment) {
        guard reset.payloadOffset >= 0 else { return }
        let start = Int(reset.payloadOffset)
        let count = min(record.captured - start, Int(reset.payloadLength), ResetBytes.kept)
        guard count > 0 else { return }
        let at = record.at + start
        summary.resetBytes.append(
            ResetBytes(packet: record.number, bytes: (at..<at + count).map { bytes.u8($0) }))
    }

    /// Widens the summary's span of time.
    mutating func cover(_ first: Int64, _ last: Int64) {
        summary.firstTime = min(summary.firstTime ?? first, first)
        summary.lastTime = max(summary.lastTime ?? last, last)
    }
}

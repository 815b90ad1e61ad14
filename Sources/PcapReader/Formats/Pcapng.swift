import NetworkTypes

/// The block types of pcapng (draft-ietf-opsawg-pcapng, section 11.1) that are read.
enum BlockType {
    static let interfaceDescription: UInt32 = 1
    /// Obsolete: the packet block.
    static let packet: UInt32 = 2
    static let simplePacket: UInt32 = 3
    static let nameResolution: UInt32 = 4
    static let interfaceStatistics: UInt32 = 5
    static let enhancedPacket: UInt32 = 6
    static let section: UInt32 = 0x0a0d_0d0a
}

// A pcapng block, draft-ietf-opsawg-pcapng, section 3.1.
//
//      0                   1                   2                   3
//      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//     +---------------------------------------------------------------+
//   0 |                          Block Type                           |
//     +---------------------------------------------------------------+
//   4 |                      Block Total Length                       |
//     +---------------------------------------------------------------+
//   8 /                          Block Body                           /
//     +---------------------------------------------------------------+
//     |                      Block Total Length                       |
//     +---------------------------------------------------------------+
//
// The enhanced packet block, section 4.3.
//
//     +---------------------------------------------------------------+
//   0 |                    Block Type = 0x00000006                    |
//     +---------------------------------------------------------------+
//   4 |                      Block Total Length                       |
//     +---------------------------------------------------------------+
//   8 |                         Interface ID                          |
//     +---------------------------------------------------------------+
//  12 |                        Timestamp (Upper)                      |
//     +---------------------------------------------------------------+
//  16 |                        Timestamp (Lower)                      |
//     +---------------------------------------------------------------+
//  20 |                    Captured Packet Length                     |
//     +---------------------------------------------------------------+
//  24 |                    Original Packet Length                     |
//     +---------------------------------------------------------------+
//  28 /              Packet Data, padded to 32 bits; options          /
//     +---------------------------------------------------------------+
//     |                      Block Total Length                       |
//     +---------------------------------------------------------------+
extension CaptureScanner {
    /// Blocks longer than this are skipped: a stream is never held back for more.
    static let maximumBlock = 16 << 20
    /// A file with more interfaces than this is damaged.
    static let maximumInterfaces = 65_536

    mutating func scanPcapng(
        _ bytes: RawSpan, offset: Int, from start: Int, limit: Int, isFinal: Bool, body: (CapturedSegment) -> Void
    ) -> Int {
        let count = bytes.byteCount
        let mode = mode
        let mask = filter.mask
        let secret = filter.secret
        let filterBits = filter.bits
        let filter = filterBits.span
        var at = start
        var packets = 0
        var plain = 0
        var order = context.order
        var clock = InterfaceClock()
        var problem: String?
        while at < limit {
            guard count - at >= 12 else {
                if at < count, isFinal { problem = "the block is cut short: 12 bytes needed, \(count - at) available" }
                break
            }
            if bytes.le32(at) == BlockType.section {
                guard count - at >= 28 else {
                    if isFinal { problem = "the section header is cut short: 28 bytes needed, \(count - at) available" }
                    break
                }
                guard let sectionOrder = Self.sectionOrder(bytes, at: at) else {
                    problem = "the section header has no byte-order magic"
                    break
                }
                order = sectionOrder
            }
            let type = bytes.u32(at, order)
            let total = bytes.u32(at + 4, order)
            let least: UInt32 = type == BlockType.section ? 28 : 12
            guard total >= least else {
                problem = "the block claims a length of \(total) bytes; the least possible is \(least)"
                break
            }
            // Some programs leave the padding out of the length.
            let size = (Int(total) + 3) & ~3
            guard size <= Self.maximumBlock else {
                at = skipLargeBlock(bytes, type: type, at: at, size: size, offset: offset, isFinal: isFinal)
                if at < count { continue }
                break
            }
            guard size <= count - at else {
                if isFinal { problem = "the block is cut short: \(size) bytes needed, \(count - at) available" }
                break
            }
            let trailer = bytes.u32(at + size - 4, order)
            guard trailer == total else {
                skipBlock(size, at: offset + at, "the block's two lengths differ: \(total) before, \(trailer) after")
                at += size
                continue
            }
            guard type == BlockType.enhancedPacket else {
                clock.flush(into: &self)
                summary.packets += packets
                summary.frames += packets
                packets = 0
                guard readBlock(bytes, type: type, at: at, size: size, offset: offset, order: order, body: body) else {
                    problem = "the section header is of version \(bytes.u16(at + 12, order)), which is not supported"
                    break
                }
                at += size
                continue
            }
            guard size >= 32 else {
                skipBlock(
                    size, at: offset + at, "the enhanced packet block is cut short: 32 bytes needed, \(size) available")
                at += size
                continue
            }
            let interface = Int(bytes.u32(at + 8, order))
            if interface != clock.id {
                clock.flush(into: &self)
                guard clock.load(interface, from: self) else {
                    skipBlock(size, at: offset + at, "the packet is of interface \(interface), which is not described")
                    at += size
                    continue
                }
            }
            let captured = bytes.u32(at + 20, order)
            let padded = (Int(captured) + 3) & ~3
            guard captured <= clock.maximumCaptured, padded <= size - 32 else {
                skipBlock(
                    size, at: offset + at,
                    "the enhanced packet block is cut short: \(captured) bytes of packet needed, \(size - 32) available"
                )
                at += size
                continue
            }
            packets += 1
            let ticks = UInt64(bytes.u32(at + 12, order)) << 32 | UInt64(bytes.u32(at + 16, order))
            clock.note(ticks)
            var direction = CapturedSegment.Direction.unknown
            if padded < size - 32 {
                direction = packetOptions(
                    bytes, from: at + 28 + padded, to: at + size - 4, offset: offset, order: order,
                    number: summary.frames + packets)
            }
            var hash: UInt64?
            if clock.isEthernet, mode.deniesQuickly,
                case .plain(let plainHash) = Self.firstLook(
                    bytes, at: at + 28, captured: Int(captured), hashing: mode == .flows, secret: secret)
            {
                let bit = plainHash & mask
                if mode == .resets || filter[Int(bit >> 6)] & 1 << (bit & 63) == 0 {
                    plain += 1
                    at += size
                    continue
                }
                hash = plainHash
            }
            let record = PacketRecord(
                offset: at, at: at + 28, captured: Int(captured), original: bytes.u32(at + 24, order),
                time: clock.nanoseconds(ticks), interface: clock.index, linkType: clock.linkType,
                direction: direction, number: summary.frames + packets)
            examineSoon(bytes, offset: offset, record: record, hash: hash, body: body)
            at += size
        }
        examinePending(bytes, offset: offset, body: body)
        clock.flush(into: &self)
        summary.packets += packets
        summary.frames += packets
        summary.tcpSegments += plain
        context.order = order
        if let problem { return end(bytes, at: at, offset: offset, problem: problem) }
        return at
    }

    /// What the packets of one interface share, at hand for the hot loop, and the span of time of the packets since the
    /// last change of interface.
    struct InterfaceClock {
        /// Number of the interface in its section; -1 before the first packet.
        var id = -1
        var index = 0
        var linkType: UInt16 = 0
        var isEthernet = false
        var maximumCaptured: UInt32 = 0
        private var resolution = TimestampResolution.microseconds
        private var offsetSeconds: Int64 = 0
        private var earliest = UInt64.max
        private var latest: UInt64 = 0

        /// False if the section describes no such interface.
        mutating func load(_ id: Int, from scanner: CaptureScanner) -> Bool {
            let index = scanner.context.firstInterface + id
            guard index < scanner.summary.interfaces.count else {
                self.id = -1
                return false
            }
            self.id = id
            self.index = index
            linkType = scanner.summary.interfaces[index].linkType
            isEthernet = linkType == LinkType.ethernet
            maximumCaptured = LinkType.maximumCaptured(linkType)
            resolution = scanner.summary.interfaces[index].resolution
            offsetSeconds = scanner.summary.interfaces[index].offsetSeconds
            return true
        }

        func nanoseconds(_ ticks: UInt64) -> Int64 {
            resolution.nanoseconds(ticks: ticks, offsetSeconds: offsetSeconds)
        }

        @inline(__always)
        mutating func note(_ ticks: UInt64) {
            earliest = min(earliest, ticks)
            latest = max(latest, ticks)
        }

        /// Hands the span of time over and forgets the interface: another section may mean another one by its number.
        mutating func flush(into scanner: inout CaptureScanner) {
            id = -1
            guard earliest <= latest else { return }
            scanner.cover(nanoseconds(earliest), nanoseconds(latest))
            earliest = .max
            latest = 0
        }
    }

    mutating func skipBlock(_ size: Int, at offset: Int, _ problem: @autoclosure () -> String) {
        note(problem(), at: offset)
        summary.bytesSkipped += size
    }

    /// Passes over a block of more than `maximumBlock` bytes, as far as it is in the window.
    private mutating func skipLargeBlock(
        _ bytes: RawSpan, type: UInt32, at: Int, size: Int, offset: Int, isFinal: Bool
    ) -> Int {
        let available = bytes.byteCount - at
        context.skip = LargeBlock(type: type, offset: offset + at, size: size, left: size - min(size, available))
        if context.skip.left == 0 || isFinal { finishLargeBlock() }
        return at + min(size, available)
    }

    /// Counts a large block once it has passed or the file has ended in it.
    mutating func finishLargeBlock() {
        let block = context.skip
        context.skip = LargeBlock()
        if block.left > 0 {
            note(
                "the block is cut short: \(block.size) bytes needed, \(block.size - block.left) available",
                at: block.offset)
            summary.bytesSkipped += block.size - block.left
            context.phase = .ended
        } else if block.type <= BlockType.enhancedPacket || block.type == BlockType.section {
            skipBlock(block.size, at: block.offset, "the block of \(block.size) bytes is too large to be looked into")
        } else if Self.isFrame(block.type) {
            summary.frames += 1
        }
    }

    /// A block that is passed over by its length.
    struct LargeBlock: Sendable, Equatable {
        var type: UInt32 = 0
        var offset = 0
        var size = 0
        var left = 0
    }

    static func sectionOrder(_ bytes: RawSpan, at: Int) -> ByteOrder? {
        switch bytes.le32(at + 8) {
        case 0x1a2b_3c4d: .little
        case 0x4d3c_2b1a: .big
        default: nil
        }
    }

    func checkFirstSection(_ bytes: RawSpan, at: Int) throws(CaptureError) {
        guard let order = Self.sectionOrder(bytes, at: at) else {
            throw .invalidHeader(header: "pcapng section header", offset: 0, problem: "it has no byte-order magic")
        }
        let major = bytes.u16(at + 12, order)
        let minor = bytes.u16(at + 14, order)
        guard major == 1 else { throw .unsupportedVersion(format: "pcapng", major: Int(major), minor: Int(minor)) }
        let total = bytes.u32(at + 4, order)
        guard total >= 28 else {
            throw .invalidHeader(
                header: "pcapng section header", offset: 0, problem: "it claims \(total) bytes; the least is 28")
        }
    }
}

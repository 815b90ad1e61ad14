import NetworkTypes

// Every block but the enhanced packet block, whose fields stand where section 4 of draft-ietf-opsawg-pcapng puts them.
// Each function finds the whole block within the window, its two lengths equal.
extension CaptureScanner {
    /// False only for a section header of a version that cannot be read.
    mutating func readBlock(
        _ bytes: RawSpan, type: UInt32, at: Int, size: Int, offset: Int, order: ByteOrder,
        body: (CapturedSegment) -> Void
    ) -> Bool {
        let least: Int
        switch type {
        case BlockType.interfaceDescription: least = 20
        case BlockType.packet: least = 32
        case BlockType.simplePacket: least = 16
        case BlockType.interfaceStatistics: least = 24
        default: least = 12
        }
        guard size >= least else {
            skipBlock(size, at: offset + at, "the block is cut short: \(least) bytes needed, \(size) available")
            return true
        }
        let end = at + size - 4
        switch type {
        case BlockType.section: return readSection(bytes, at: at, end: end, offset: offset, order: order)
        case BlockType.interfaceDescription: readInterface(bytes, at: at, end: end, offset: offset, order: order)
        case BlockType.interfaceStatistics: readStatistics(bytes, at: at, end: end, offset: offset, order: order)
        case BlockType.nameResolution: readNames(bytes, at: at + 8, end: end, offset: offset, order: order)
        case BlockType.simplePacket:
            readSimplePacket(bytes, at: at, size: size, offset: offset, order: order, body: body)
        case BlockType.packet: readOldPacket(bytes, at: at, size: size, offset: offset, order: order, body: body)
        default: if Self.isFrame(type) { summary.frames += 1 }
        }
        return true
    }

    /// Blocks without packets that tshark 4.0 numbers along with the packets.
    static func isFrame(_ type: UInt32) -> Bool {
        switch type {
        // systemd journal entry; sysdig events in their versions; custom blocks.
        case 9, 0x204, 0x208, 0x216, 0x217, 0x221, 0x222, 0x0bad, 0x4000_0bad: true
        default: false
        }
    }

    /// byte-order magic, major and minor version, section length; options.
    private mutating func readSection(_ bytes: RawSpan, at: Int, end: Int, offset: Int, order: ByteOrder) -> Bool {
        guard bytes.u16(at + 12, order) == 1 else { return false }
        context.section += 1
        context.firstInterface = summary.interfaces.count
        context.simpleSnaplen = 0
        if context.section == 0 {
            summary.format = CaptureFormat(container: .pcapng, byteOrder: order, fractionalDigits: 6)
        }
        let section = context.section
        forEachOption(bytes, from: at + 24, to: end, offset: offset, order: order) { scanner, code, value in
            switch code {
            case 1: scanner.summary.note(bytes.text(value), on: .section(section))
            case 2: if scanner.summary.hardware == nil { scanner.summary.hardware = bytes.text(value) }
            case 3: if scanner.summary.operatingSystem == nil { scanner.summary.operatingSystem = bytes.text(value) }
            case 4: if scanner.summary.application == nil { scanner.summary.application = bytes.text(value) }
            default: break
            }
        }
        return true
    }

    /// link type, reserved, snaplen; options.
    private mutating func readInterface(_ bytes: RawSpan, at: Int, end: Int, offset: Int, order: ByteOrder) {
        guard summary.interfaces.count < Self.maximumInterfaces else {
            skipBlock(end + 4 - at, at: offset + at, "there are more than \(Self.maximumInterfaces) interfaces")
            return
        }
        var interface = CaptureInterface(linkType: bytes.u16(at + 8, order))
        interface.snaplen = bytes.u32(at + 12, order)
        interface.section = context.section
        let index = summary.interfaces.count
        forEachOption(bytes, from: at + 16, to: end, offset: offset, order: order) { scanner, code, value in
            switch (code, value.count) {
            case (1, _): scanner.summary.note(bytes.text(value), on: .interface(index))
            case (2, _): interface.name = bytes.text(value)
            case (3, _): interface.description = bytes.text(value)
            case (9, 1...): interface.resolution = TimestampResolution(rawValue: bytes.u8(value.lowerBound))
            // 0: an expression of pcap-filter(7); other numbers are machine code.
            case (11, 1...):
                if bytes.u8(value.lowerBound) == 0 {
                    interface.filter = bytes.text(value.lowerBound + 1..<value.upperBound)
                }
            case (14, 8...): interface.offsetSeconds = Int64(bitPattern: bytes.u64(value.lowerBound, order))
            default: break
            }
        }
        if index == context.firstInterface { context.simpleSnaplen = interface.snaplen }
        if summary.interfaces.isEmpty, !interface.resolution.isPowerOfTwo {
            summary.format.fractionalDigits = interface.resolution.exponent
        }
        summary.interfaces.append(interface)
    }

    /// interface, time stamp; options. A later block says what is newer.
    private mutating func readStatistics(_ bytes: RawSpan, at: Int, end: Int, offset: Int, order: ByteOrder) {
        let index = context.firstInterface + Int(bytes.u32(at + 8, order))
        guard index < summary.interfaces.count else {
            let id = bytes.u32(at + 8, order)
            skipBlock(
                end + 4 - at, at: offset + at, "the statistics are of interface \(id), which is not described")
            return
        }
        let resolution = summary.interfaces[index].resolution
        let offsetSeconds = summary.interfaces[index].offsetSeconds
        var statistics = InterfaceStatistics()
        func time(_ value: Range<Int>) -> Int64 {
            let ticks =
                UInt64(bytes.u32(value.lowerBound, order)) << 32 | UInt64(bytes.u32(value.lowerBound + 4, order))
            return resolution.nanoseconds(ticks: ticks, offsetSeconds: offsetSeconds)
        }
        forEachOption(bytes, from: at + 20, to: end, offset: offset, order: order) { scanner, code, value in
            if code == 1 {
                scanner.summary.note(bytes.text(value), on: .statistics(index))
                return
            }
            guard value.count >= 8 else { return }
            switch code {
            case 2: statistics.started = time(value)
            case 3: statistics.ended = time(value)
            case 4: statistics.received = bytes.u64(value.lowerBound, order)
            case 5: statistics.interfaceDropped = bytes.u64(value.lowerBound, order)
            case 6: statistics.filterAccepted = bytes.u64(value.lowerBound, order)
            case 7: statistics.systemDropped = bytes.u64(value.lowerBound, order)
            case 8: statistics.delivered = bytes.u64(value.lowerBound, order)
            default: break
            }
        }
        summary.interfaces[index].add(statistics)
    }

    /// Records of an address and its names, each of type, length, value and padding, until type 0.
    private mutating func readNames(_ bytes: RawSpan, at start: Int, end: Int, offset: Int, order: ByteOrder) {
        var at = start
        while at + 4 <= end {
            let type = bytes.u16(at, order)
            let length = Int(bytes.u16(at + 2, order))
            if type == 0 { return }
            guard length <= end - at - 4 else {
                note(
                    "the name record is cut short: \(length) bytes needed, \(end - at - 4) available", at: offset + at)
                return
            }
            let value = at + 4
            switch type {
            case 1 where length >= 4:
                noteNames(bytes, value + 4..<value + length, of: IPAddress(ipv4: bytes.be32(value)))
            case 2 where length >= 16:
                noteNames(
                    bytes, value + 16..<value + length,
                    of: IPAddress(high: bytes.be64(value), low: bytes.be64(value + 8)))
            default: break
            }
            at = value + (length + 3) & ~3
        }
    }

    /// Names that each end with a zero byte.
    private mutating func noteNames(_ bytes: RawSpan, _ range: Range<Int>, of address: IPAddress) {
        var start = range.lowerBound
        for at in range where bytes.u8(at) == 0 {
            if at > start { summary.note(name: bytes.text(start..<at), of: address.description) }
            start = at + 1
        }
    }

    /// original length, packet data; without interface (it is the first) and without time.
    private mutating func readSimplePacket(
        _ bytes: RawSpan, at: Int, size: Int, offset: Int, order: ByteOrder, body: (CapturedSegment) -> Void
    ) {
        let index = context.firstInterface
        guard index < summary.interfaces.count else {
            skipBlock(size, at: offset + at, "the simple packet block has no interface described before it")
            return
        }
        let original = bytes.u32(at + 8, order)
        var captured = Int(original)
        if context.simpleSnaplen > 0 { captured = min(captured, Int(context.simpleSnaplen)) }
        let linkType = summary.interfaces[index].linkType
        guard captured <= size - 16, captured <= Int(LinkType.maximumCaptured(linkType)) else {
            skipBlock(
                size, at: offset + at,
                "the simple packet block is cut short: \(captured) bytes of packet needed, \(size - 16) available")
            return
        }
        summary.packets += 1
        summary.frames += 1
        let record = PacketRecord(
            offset: at, at: at + 12, captured: captured, original: original, interface: index, linkType: linkType,
            number: summary.frames)
        examine(bytes, offset: offset, record: record, body: body)
    }

    /// interface, drops, time stamp, captured and original length, packet data; options.
    private mutating func readOldPacket(
        _ bytes: RawSpan, at: Int, size: Int, offset: Int, order: ByteOrder, body: (CapturedSegment) -> Void
    ) {
        let id = Int(bytes.u16(at + 8, order))
        let index = context.firstInterface + id
        guard index < summary.interfaces.count else {
            skipBlock(size, at: offset + at, "the packet is of interface \(id), which is not described")
            return
        }
        let captured = bytes.u32(at + 20, order)
        let linkType = summary.interfaces[index].linkType
        let padded = (Int(captured) + 3) & ~3
        guard captured <= LinkType.maximumCaptured(linkType), padded <= size - 32 else {
            skipBlock(
                size, at: offset + at,
                "the packet block is cut short: \(captured) bytes of packet needed, \(size - 32) available")
            return
        }
        // 0xffff says that the number is not known.
        let drops = bytes.u16(at + 10, order)
        if drops != 0xffff { summary.noteDrops(UInt64(drops)) }
        summary.packets += 1
        summary.frames += 1
        let ticks = UInt64(bytes.u32(at + 12, order)) << 32 | UInt64(bytes.u32(at + 16, order))
        let time = summary.interfaces[index].resolution.nanoseconds(
            ticks: ticks, offsetSeconds: summary.interfaces[index].offsetSeconds)
        cover(time, time)
        let direction = packetOptions(
            bytes, from: at + 28 + padded, to: at + size - 4, offset: offset, order: order, number: summary.frames)
        let record = PacketRecord(
            offset: at, at: at + 28, captured: Int(captured), original: bytes.u32(at + 24, order), time: time,
            interface: index, linkType: linkType, direction: direction, number: summary.frames)
        examine(bytes, offset: offset, record: record, body: body)
    }

    /// The options of a packet: its direction is returned; a comment and a count of drops are noted.
    @inline(never)
    mutating func packetOptions(
        _ bytes: RawSpan, from start: Int, to end: Int, offset: Int, order: ByteOrder, number: Int
    ) -> CapturedSegment.Direction {
        var direction = CapturedSegment.Direction.unknown
        forEachOption(bytes, from: start, to: end, offset: offset, order: order) { scanner, code, value in
            switch (code, value.count) {
            case (1, _): scanner.notePacketComment(bytes.text(value), number)
            case (2, 4...):
                // epb_flags, section 4.3.1: the two lowest bits.
                switch bytes.u32(value.lowerBound, order) & 3 {
                case 1: direction = .inbound
                case 2: direction = .outbound
                default: break
                }
            case (4, 8...):
                scanner.summary.noteDrops(bytes.u64(value.lowerBound, order))
            default: break
            }
        }
        return direction
    }

    /// Keeps it for `examine`, too: there it turns out whether the packet is a RST.
    private mutating func notePacketComment(_ text: String, _ number: Int) {
        summary.note(text, on: .packet(number))
        if packetComments.number != number { packetComments = (number, []) }
        packetComments.texts.append(text)
    }

    /// Options of code, length, value and padding, until code 0 or the end (section 3.5).
    @inline(__always)
    private mutating func forEachOption(
        _ bytes: RawSpan, from start: Int, to end: Int, offset: Int, order: ByteOrder,
        _ body: (inout CaptureScanner, _ code: UInt16, _ value: Range<Int>) -> Void
    ) {
        var at = start
        while at + 4 <= end {
            let code = bytes.u16(at, order)
            let length = Int(bytes.u16(at + 2, order))
            if code == 0 { return }
            let value = at + 4
            guard length <= end - value else {
                note("the option is cut short: \(length) bytes needed, \(end - value) available", at: offset + at)
                return
            }
            body(&self, code, value..<value + length)
            at = value + (length + 3) & ~3
        }
    }
}

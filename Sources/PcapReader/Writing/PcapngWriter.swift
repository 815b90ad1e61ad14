/// Builds a pcapng file, little-endian, with time stamps in nanoseconds (draft-ietf-opsawg-pcapng).
///
/// Blocks are appended to `buffer`; its owner writes it out and calls `clear()`, which keeps the room, so that a packet
/// costs no allocation once the buffer has grown to its size.
public struct PcapngWriter: Sendable {
    /// The blocks appended since the last `clear()`.
    public private(set) var buffer: [UInt8] = []
    /// Interfaces described so far; the next one gets this number.
    public private(set) var interfaceCount = 0

    public init(reserving capacity: Int = 0) {
        buffer.reserveCapacity(capacity)
    }

    /// Forgets the blocks and keeps the room they took.
    public mutating func clear() {
        buffer.removeAll(keepingCapacity: true)
    }

    /// Section header block (section 4.1). Interfaces are numbered anew from 0.
    public mutating func appendSection(
        hardware: String? = nil, operatingSystem: String? = nil, application: String? = nil, comments: [String] = []
    ) {
        interfaceCount = 0
        let start = begin(BlockType.section)
        append(UInt32(0x1a2b_3c4d))
        append(UInt16(1))
        append(UInt16(0))
        // The length of the section is not known beforehand.
        append(UInt64.max)
        for comment in comments { option(1, comment) }
        if let hardware { option(2, hardware) }
        if let operatingSystem { option(3, operatingSystem) }
        if let application { option(4, application) }
        endOptions(ifAfter: start + 24)
        end(start)
    }

    /// Interface description block (section 4.2); returns the number its packets refer to.
    @discardableResult
    public mutating func appendInterface(
        name: String? = nil, description: String? = nil, linkType: UInt16, snaplen: UInt32 = 0, filter: String? = nil,
        operatingSystem: String? = nil, comments: [String] = []
    ) -> Int {
        let start = begin(BlockType.interfaceDescription)
        append(linkType)
        append(UInt16(0))
        append(snaplen)
        for comment in comments { option(1, comment) }
        if let name { option(2, name) }
        if let description { option(3, description) }
        option(9, byte: TimestampResolution.nanoseconds.rawValue)
        if let filter {
            // The first byte says that the rest is an expression and not machine code.
            var value: [UInt8] = [0]
            value.append(contentsOf: filter.utf8)
            option(11, bytes: value)
        }
        if let operatingSystem { option(12, operatingSystem) }
        endOptions(ifAfter: start + 16)
        end(start)
        interfaceCount += 1
        return interfaceCount - 1
    }

    /// Enhanced packet block (section 4.3).
    ///
    /// - Parameters:
    ///   - packet: the captured bytes.
    ///   - interface: a number that `appendInterface` returned.
    ///   - time: nanoseconds since 1970-01-01 UTC; earlier times become 0.
    ///   - originalLength: bytes of the packet on the wire.
    ///   - direction: written as epb_flags unless unknown.
    public mutating func appendPacket(
        _ packet: RawSpan, interface: Int, time: Int64, originalLength: UInt32,
        direction: CapturedSegment.Direction = .unknown, comments: [String] = []
    ) {
        let start = begin(BlockType.enhancedPacket)
        append(UInt32(clamping: interface))
        append(time: time)
        append(UInt32(clamping: packet.byteCount))
        append(originalLength)
        unsafe packet.withUnsafeBytes { unsafe buffer.append(contentsOf: $0) }
        pad()
        let options = buffer.count
        for comment in comments { option(1, comment) }
        if direction != .unknown {
            append(UInt16(2))
            append(UInt16(4))
            append(UInt32(direction == .inbound ? 1 : 2))
        }
        endOptions(ifAfter: options)
        end(start)
    }

    /// The same from an array.
    public mutating func appendPacket(
        _ packet: [UInt8], interface: Int, time: Int64, originalLength: UInt32,
        direction: CapturedSegment.Direction = .unknown, comments: [String] = []
    ) {
        unsafe appendPacket(
            packet.span.bytes, interface: interface, time: time, originalLength: originalLength, direction: direction,
            comments: comments)
    }

    /// The same from a pointer, which is what libpcap hands out.
    @unsafe
    public mutating func appendPacket(
        _ packet: UnsafeRawBufferPointer, interface: Int, time: Int64, originalLength: UInt32,
        direction: CapturedSegment.Direction = .unknown
    ) {
        unsafe appendPacket(
            RawSpan(_unsafeBytes: packet), interface: interface, time: time, originalLength: originalLength,
            direction: direction)
    }

    /// Interface statistics block (section 4.6).
    ///
    /// - Parameters:
    ///   - interface: a number that `appendInterface` returned.
    ///   - time: when the counters were read, nanoseconds since 1970-01-01 UTC.
    public mutating func appendStatistics(interface: Int, time: Int64, _ statistics: InterfaceStatistics) {
        let start = begin(BlockType.interfaceStatistics)
        append(UInt32(clamping: interface))
        append(time: time)
        for (code, instant) in [(2, statistics.started), (3, statistics.ended)] as [(UInt16, Int64?)] {
            guard let instant else { continue }
            append(code)
            append(UInt16(8))
            append(time: instant)
        }
        let counters: [(UInt16, UInt64?)] = [
            (4, statistics.received), (5, statistics.interfaceDropped), (6, statistics.filterAccepted),
            (7, statistics.systemDropped), (8, statistics.delivered),
        ]
        for (code, counter) in counters {
            guard let counter else { continue }
            append(code)
            append(UInt16(8))
            append(counter)
        }
        endOptions(ifAfter: start + 20)
        end(start)
    }
}

extension PcapngWriter {
    /// Writes a block's type and room for its length, and returns where it begins.
    private mutating func begin(_ type: UInt32) -> Int {
        let start = buffer.count
        append(type)
        append(UInt32(0))
        return start
    }

    /// Completes a block with its length on both sides.
    private mutating func end(_ start: Int) {
        let length = UInt32(clamping: buffer.count - start + 4)
        append(length)
        for byte in 0..<4 { buffer[start + 4 + byte] = UInt8(truncatingIfNeeded: length >> UInt32(8 * byte)) }
    }

    /// What an option's 16-bit length can hold; longer text is cut at a character.
    static let longestOption = 65_532

    private mutating func option(_ code: UInt16, _ text: String) {
        guard text.utf8.count > Self.longestOption else {
            option(code, bytes: text.utf8)
            return
        }
        var cut = ""
        for character in text {
            guard cut.utf8.count + character.utf8.count <= Self.longestOption else { break }
            cut.append(character)
        }
        option(code, bytes: cut.utf8)
    }

    private mutating func option(_ code: UInt16, bytes: some Collection<UInt8>) {
        let length = min(bytes.count, Self.longestOption)
        append(code)
        append(UInt16(length))
        buffer.append(contentsOf: bytes.prefix(length))
        pad()
    }

    private mutating func option(_ code: UInt16, byte: UInt8) {
        append(code)
        append(UInt16(1))
        buffer.append(byte)
        pad()
    }

    private mutating func endOptions(ifAfter start: Int) {
        if buffer.count > start { append(UInt32(0)) }
    }

    /// Every block begins on a multiple of 4 bytes of the buffer.
    private mutating func pad() {
        while buffer.count & 3 != 0 { buffer.append(0) }
    }

    /// Upper half first, whatever the byte order.
    private mutating func append(time: Int64) {
        let ticks = UInt64(max(time, 0))
        append(UInt32(truncatingIfNeeded: ticks >> 32))
        append(UInt32(truncatingIfNeeded: ticks))
    }

    private mutating func append<Number: FixedWidthInteger & UnsignedInteger>(_ number: Number) {
        unsafe withUnsafeBytes(of: number.littleEndian) { unsafe buffer.append(contentsOf: $0) }
    }
}

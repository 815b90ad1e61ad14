/// Copies a capture as pcapng and adds comments to some of its packets.
///
/// What is copied of a pcapng file stays as it is, to the byte, but for the packets with new comments and the lengths of
/// sections, which are no longer known. A pcap file becomes a section with one interface, with all packets and their times.
public struct CaptureCopier: Sendable {
    /// Comments by where a packet's record begins in the file (`CapturedSegment.offset`).
    private let comments: [Int: [String]]
    /// Where the records of the packets begin that are copied; nil for all.
    private let kept: Set<Int>?
    private let application: String
    private var writer = PcapngWriter()
    private var output: [UInt8] = []
    private var input: [UInt8] = []
    /// Where `input` begins in the file.
    private var offset = 0
    private var phase = Phase.start
    private var order = ByteOrder.little
    private var layout = PcapLayout()

    private enum Phase { case start, pcap, pcapng, damaged }

    /// Packets that have their comments.
    public private(set) var commented = 0
    /// Bytes at the end of the file that could not be copied, or not by packets.
    public private(set) var bytesLeft = 0

    /// - Parameters:
    ///   - comments: by `CapturedSegment.offset`.
    ///   - kept: the packets that are copied, by the same; nil for all.
    ///   - application: what a pcap file's section says has written it.
    public init(comments: [Int: [String]], keeping kept: Set<Int>? = nil, application: String) {
        self.comments = comments
        self.kept = kept
        self.application = application
    }

    /// Packets whose comments found no place: their blocks are damaged, or of the kind without options.
    public var uncommented: Int { comments.count - commented }

    /// Takes the next bytes of the file, decompressed.
    ///
    /// - Returns: what is to be written.
    /// - Throws: if this is no capture.
    public mutating func feed(_ bytes: RawSpan, isFinal: Bool = false) throws(CaptureError) -> [UInt8] {
        unsafe bytes.withUnsafeBytes { unsafe input.append(contentsOf: $0) }
        output.removeAll(keepingCapacity: true)
        var at = 0
        if phase == .start { at = try begin(isFinal: isFinal) }
        scan: while at < input.count {
            let length: Int?
            switch phase {
            case .start: break scan
            case .pcapng: length = block(at)
            case .pcap: length = record(at)
            case .damaged: length = rest(at)
            }
            guard let length else { break }
            at += length
        }
        if isFinal, at < input.count {
            // What is cut short is kept where bytes are copied as they are.
            bytesLeft += input.count - at
            if phase == .pcapng, kept == nil { output += input[at...] }
            at = input.count
        }
        input.removeFirst(at)
        offset += at
        return output
    }

    private mutating func begin(isFinal: Bool) throws(CaptureError) -> Int {
        guard input.count >= 28 || isFinal else { return 0 }
        switch FileKind(prefix: input) {
        case .pcapng:
            phase = .pcapng
            return 0
        case .pcap:
            guard input.count >= 24, let magic = unsafe PcapMagic(input.span.bytes.le32(0)) else {
                throw .notACapture(prefix: Array(input.prefix(8)))
            }
            var scanner = CaptureScanner(selecting: .resets)
            try unsafe scanner.readPcapHeader(input.span.bytes, at: 0, kind: magic)
            phase = .pcap
            order = magic.order
            layout = scanner.context.pcap
            writer.appendSection(application: application)
            writer.appendInterface(linkType: layout.linkType, snaplen: scanner.summary.interfaces[0].snaplen)
            takeWritten()
            return min(magic.headerLength, input.count)
        default: throw .notACapture(prefix: Array(input.prefix(8)))
        }
    }

    private mutating func takeWritten() {
        output += writer.buffer
        writer.clear()
    }

    /// - Returns: the length of the record there, which is written; nil if it is not there as a whole.
    private mutating func record(_ at: Int) -> Int? {
        guard input.count - at >= layout.recordHeader else { return nil }
        let input = input
        let bytes = unsafe input.span.bytes
        var (captured, original) = (bytes.u32(at + 8, order), bytes.u32(at + 12, order))
        layout.order(&captured, &original)
        guard captured <= layout.maximumCaptured else {
            phase = .damaged
            return 0
        }
        let (packet, end) = (at + layout.recordHeader, at + layout.recordHeader + Int(captured))
        guard end <= input.count else { return nil }
        guard kept?.contains(offset + at) != false else { return end - at }
        let texts = comments[offset + at] ?? []
        if !texts.isEmpty { commented += 1 }
        let seconds = Int64(bytes.u32(at, order))
        let fraction = Int64(bytes.u32(at + 4, order)) * (layout.nanoseconds ? 1 : 1000)
        writer.appendPacket(
            Array(input[packet..<end]), interface: 0, time: seconds * 1_000_000_000 + fraction,
            originalLength: original,
            comments: texts)
        takeWritten()
        return end - at
    }

    /// - Returns: the length of the block there, which is written; nil if it is not there as a whole.
    private mutating func block(_ at: Int) -> Int? {
        guard input.count - at >= 12 else { return nil }
        let input = input
        let bytes = unsafe input.span.bytes
        if bytes.le32(at) == BlockType.section {
            switch bytes.le32(at + 8) {
            case 0x1a2b_3c4d: order = .little
            case 0x4d3c_2b1a: order = .big
            default:
                phase = .damaged
                return 0
            }
        }
        let type = bytes.u32(at, order)
        let length = Int(bytes.u32(at + 4, order))
        guard length >= 12, length & 3 == 0, length <= Self.longestBlock else {
            phase = .damaged
            return 0
        }
        guard at + length <= input.count else { return nil }
        var block = Array(input[at..<at + length])
        switch type {
        case BlockType.section where length >= 28:
            // Comments make it longer.
            for place in 16..<24 { block[place] = 0xff }
        case BlockType.packet, BlockType.enhancedPacket, BlockType.simplePacket:
            guard kept?.contains(offset + at) != false else { return length }
            if let texts = comments[offset + at], type != BlockType.simplePacket,
                let longer = Self.adding(texts, to: block, order)
            {
                block = longer
                commented += 1
            }
        default: break
        }
        output += block
        return length
    }

    /// A block beyond this is taken for damage, as elsewhere in this reader.
    private static let longestBlock = 256 << 20

    /// What cannot be read is copied as it is, unless packets are chosen.
    private mutating func rest(_ at: Int) -> Int {
        bytesLeft += input.count - at
        if kept == nil, writer.interfaceCount == 0 { output += input[at...] }
        return input.count - at
    }

    /// A packet block with comments before its other options (draft-ietf-opsawg-pcapng, sections 3.5 and 4.3).
    ///
    /// - Returns: nil if the block has no room that could be found for options.
    private static func adding(_ comments: [String], to block: [UInt8], _ order: ByteOrder) -> [UInt8]? {
        let bytes = unsafe block.span.bytes
        guard block.count >= 32 else { return nil }
        let captured = Int(bytes.u32(20, order))
        let options = 28 + (captured + 3) & ~3
        guard captured <= block.count, options <= block.count - 4 else { return nil }
        var added: [UInt8] = []
        func append(_ number: UInt32, _ count: Int) {
            for place in 0..<count {
                let shift = UInt32(8 * (order == .little ? place : count - 1 - place))
                added.append(UInt8(truncatingIfNeeded: number >> shift))
            }
        }
        for comment in comments {
            let text = comment.utf8.prefix(PcapngWriter.longestOption)
            append(1, 2)
            append(UInt32(text.count), 2)
            added += text
            while added.count & 3 != 0 { added.append(0) }
        }
        let hasOptions = options < block.count - 4
        if !hasOptions { append(0, 4) }
        var longer = Array(block[..<options]) + added + block[options..<block.count - 4]
        let length = longer.count + 4
        added = []
        append(UInt32(clamping: length), 4)
        longer += added
        longer.replaceSubrange(4..<8, with: added)
        return longer
    }
}

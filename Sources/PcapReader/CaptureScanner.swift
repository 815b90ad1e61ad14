/// Walks the records of one capture, in one piece or in windows, and delivers the TCP segments that were asked for.
///
/// A scanner keeps no bytes: a caller that reads a stream hands it a window, learns how many bytes were used, and comes
/// back with the rest and more. Whatever the windows, the result is the same.
public struct CaptureScanner: Sendable {
    public internal(set) var summary = CaptureSummary(
        format: CaptureFormat(container: .pcap, byteOrder: .little, fractionalDigits: 6))
    public let selection: SegmentSelection
    let mode: SegmentSelection.Mode
    let filter: ConnectionFilter
    let sources: Set<SegmentSelection.Source>
    var context = Context()
    /// Of the latest packet that has any; see `examine`.
    var packetComments: (number: Int, texts: [String]) = (0, [])
    /// Packets that are examined together; see `examineSoon`.
    var pending: [(record: PacketRecord, hash: UInt64)] = []

    public init(selecting selection: SegmentSelection) {
        self.selection = selection
        mode = selection.mode
        filter = selection.filter
        sources = selection.sources
    }

    /// What the meaning of the next record depends on.
    struct Context: Sendable, Equatable {
        enum Phase: Sendable, Equatable {
            /// Nothing was read yet.
            case start
            case pcap, pcapng
            /// The rest of the file cannot be read.
            case ended
        }
        var phase = Phase.start
        var order = ByteOrder.little
        var pcap = PcapLayout()
        /// 0-based number of the current pcapng section, and the index of its first interface in the summary.
        var section = -1
        var firstInterface = 0
        /// The snaplen of the section's first interface, which simple packet blocks are cut to; 0 is none.
        var simpleSnaplen: UInt32 = 0
        /// A block too large to be held that is still passing.
        var skip = LargeBlock()
    }

    /// Scans the bytes of a window and returns how many of them are done with.
    ///
    /// - Parameters:
    ///   - bytes: a window of the file.
    ///   - offset: where the window begins in the file.
    ///   - start: where in the window to begin.
    ///   - limit: stop before the first record that begins here or later.
    ///   - isFinal: nothing comes after this window, so that a record cut short by its end is damage.
    ///   - body: called for each selected segment, in the order of the file.
    /// - Returns: the offset in the window of the first byte not done with. When that is not the end of the window, the
    ///   record there needs more bytes than the window holds.
    /// - Throws: only before the first record, if this is not a capture.
    public mutating func scan(
        _ bytes: RawSpan, offset: Int = 0, from start: Int = 0, limit: Int = .max, isFinal: Bool = true,
        body: (CapturedSegment) -> Void
    ) throws(CaptureError) -> Int {
        var at = start
        if context.phase == .start {
            guard let headerEnd = try readFileHeader(bytes, at: at, isFinal: isFinal) else { return at }
            at = headerEnd
        }
        if context.skip.left > 0 {
            at += passLargeBlock(atMost: bytes.byteCount - at)
            if context.skip.left > 0 {
                guard isFinal else { return at }
                finishLargeBlock()
            }
        }
        switch context.phase {
        case .start: break
        case .pcap: at = scanPcap(bytes, offset: offset, from: at, limit: limit, isFinal: isFinal, body: body)
        case .pcapng: at = scanPcapng(bytes, offset: offset, from: at, limit: limit, isFinal: isFinal, body: body)
        case .ended:
            summary.bytesSkipped += bytes.byteCount - at
            at = bytes.byteCount
        }
        return at
    }

    /// Nil if more bytes are needed and may come.
    private mutating func readFileHeader(_ bytes: RawSpan, at: Int, isFinal: Bool) throws(CaptureError) -> Int? {
        let available = bytes.byteCount - at
        guard available >= 4 else {
            guard isFinal else { return nil }
            throw .notACapture(prefix: prefix(bytes, at, available))
        }
        let magic = bytes.le32(at)
        if magic == PcapMagic.section {
            // Section headers may come anywhere: the block loop reads this one too, after a check that it is one.
            guard available >= 28 else {
                guard isFinal else { return nil }
                throw .truncated(header: "pcapng section header", offset: 0, needed: 28, available: available)
            }
            try checkFirstSection(bytes, at: at)
            context.phase = .pcapng
            return at
        }
        guard let kind = PcapMagic(magic) else {
            guard available >= 8 || isFinal else { return nil }
            throw .notACapture(prefix: prefix(bytes, at, min(available, 8)))
        }
        guard available >= kind.headerLength else {
            guard isFinal else { return nil }
            throw .truncated(header: "pcap file header", offset: 0, needed: kind.headerLength, available: available)
        }
        try readPcapHeader(bytes, at: at, kind: kind)
        return at + kind.headerLength
    }

    /// Passes over bytes that belong to a block too large to be held, which the caller need not read.
    ///
    /// - Parameter available: bytes of the file from here on.
    /// - Returns: how many of them.
    public mutating func passLargeBlock(atMost available: Int) -> Int {
        guard context.skip.left > 0 else { return 0 }
        let skipped = min(context.skip.left, available)
        context.skip.left -= skipped
        if context.skip.left == 0 { finishLargeBlock() }
        return skipped
    }

    /// Hands out what RSTs carry and what was written about them, and keeps it no longer: of a capture that grows, the summary
    /// does not have to.
    public mutating func takeResetRemarks() -> (bytes: [ResetBytes], comments: [CaptureComment]) {
        defer {
            summary.resetBytes = []
            summary.resetComments = []
        }
        return (summary.resetBytes, summary.resetComments)
    }

    /// Counts bytes that follow the end of what can be read, and that the caller did not read either.
    public mutating func skipRest(_ count: Int) { summary.bytesSkipped += count }

    private func prefix(_ bytes: RawSpan, _ at: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { bytes.u8(at + $0) }
    }

    /// Adds damage that the reader of the file met: a compressed stream that breaks off.
    public mutating func noteDamage(_ problem: String, at offset: Int) {
        note(problem, at: offset)
    }

    /// Gives up the rest of the file.
    public mutating func endEarly(_ problem: String, at offset: Int, skipping count: Int) {
        note(problem, at: offset)
        summary.bytesSkipped += count
        context.phase = .ended
    }

    mutating func note(_ problem: @autoclosure () -> String, at offset: Int) {
        if summary.damageCount < CaptureSummary.keptDamage {
            summary.note(problem(), at: offset)
        } else {
            summary.damageCount += 1
        }
    }

    /// A record that could not be read, after which nothing can: the rest of this window is skipped, and so will be
    /// every later one. Returns the end of the window.
    mutating func end(_ bytes: RawSpan, at: Int, offset: Int, problem: @autoclosure () -> String) -> Int {
        note(problem(), at: offset + at)
        summary.bytesSkipped += bytes.byteCount - at
        context.phase = .ended
        return bytes.byteCount
    }
}

extension CaptureScanner {
    /// Scans a whole capture that lies in memory.
    public static func scan(
        _ bytes: RawSpan, selecting selection: SegmentSelection, body: (CapturedSegment) -> Void
    ) throws(CaptureError) -> CaptureSummary {
        var scanner = CaptureScanner(selecting: selection)
        _ = try scanner.scan(bytes, body: body)
        return scanner.summary
    }

    /// The same from an array.
    public static func scan(
        _ bytes: [UInt8], selecting selection: SegmentSelection, body: (CapturedSegment) -> Void
    ) throws(CaptureError) -> CaptureSummary {
        try unsafe scan(bytes.span.bytes, selecting: selection, body: body)
    }
}

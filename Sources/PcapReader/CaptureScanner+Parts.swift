/// What it takes to scan a large capture in parts at the same time, with the result of a scan from end to end.
///
/// A part begins at a guessed record boundary. The guess is proven when the scan of what stands before it ends exactly
/// there, in the state that the part began in; otherwise the part is thrown away and scanned again.
extension CaptureScanner {
    /// A scanner for a later part of the same file that has counted nothing yet.
    ///
    /// The segments it delivers are numbered from 1, and so are the packets its comments speak of.
    public func part() -> CaptureScanner {
        var part = CaptureScanner(selecting: selection)
        part.context = context
        part.summary.format = summary.format
        part.summary.interfaces = summary.interfaces
        for index in part.summary.interfaces.indices { part.summary.interfaces[index].statistics = nil }
        return part
    }

    /// Adds what a part has found, if it began in the state that this scanner is in now.
    ///
    /// - Parameters:
    ///   - part: a scanner that has scanned the bytes from where this one stopped.
    ///   - origin: that scanner as `part()` made it.
    /// - Returns: false, with nothing changed, if the part's result is not what this scanner would have found.
    public mutating func absorb(_ part: CaptureScanner, from origin: CaptureScanner) -> Bool {
        let known = origin.summary.interfaces.count
        guard origin.context == context, known == summary.interfaces.count,
            zip(origin.summary.interfaces, summary.interfaces).allSatisfy({ $0.isSame(as: $1) }),
            summary.nameCount + part.summary.nameCount <= CaptureSummary.keptNames
        else { return false }
        let found = part.summary
        for (index, interface) in found.interfaces.enumerated() {
            if index >= known {
                summary.interfaces.append(interface)
            } else if let statistics = interface.statistics {
                summary.interfaces[index].add(statistics)
            }
        }
        for comment in found.comments {
            summary.note(comment.text, on: comment.moved(by: summary.frames).subject)
        }
        summary.resetComments += found.resetComments.map { $0.moved(by: summary.frames) }
        summary.resetBytes += found.resetBytes.map {
            ResetBytes(packet: $0.packet + summary.frames, bytes: $0.bytes)
        }
        for error in found.icmpErrors where summary.icmpErrors.count < CaptureSummary.keptICMPErrors {
            summary.icmpErrors.append(error)
            summary.icmpErrors[summary.icmpErrors.count - 1].packet += summary.frames
        }
        summary.icmpErrorCount += found.icmpErrorCount
        summary.commentCount += found.commentCount - found.comments.count
        for damage in found.damage where summary.damage.count < CaptureSummary.keptDamage {
            summary.damage.append(damage)
        }
        summary.damageCount += found.damageCount
        summary.format = found.format
        summary.packets += found.packets
        summary.frames += found.frames
        summary.tcpSegments += found.tcpSegments
        summary.resets += found.resets
        summary.bytesSkipped += found.bytesSkipped
        for index in summary.undecodedCounts.indices { summary.undecodedCounts[index] += found.undecodedCounts[index] }
        summary.unsupportedLinkTypes.merge(found.unsupportedLinkTypes, uniquingKeysWith: +)
        summary.noteDrops(found.droppedBetweenPackets)
        summary.names.merge(found.names, uniquingKeysWith: +)
        summary.nameCount += found.nameCount
        summary.hardware = summary.hardware ?? found.hardware
        summary.operatingSystem = summary.operatingSystem ?? found.operatingSystem
        summary.application = summary.application ?? found.application
        if let first = found.firstTime, let last = found.lastTime { cover(first, last) }
        context = part.context
        return true
    }

    /// Whether the rest of the file cannot be read.
    public var hasEnded: Bool { context.phase == .ended }

    /// Looks for a place where a record seems to begin.
    ///
    /// What tells is structure alone, lengths and a fraction of a second that lead from record to record: times say
    /// nothing, since files are put together from others and clocks are set wrong.
    ///
    /// - Returns: an offset of at least `start` and below `limit`, or nil if no place within the longest record looks
    ///   like one.
    public func guessRecord(_ bytes: RawSpan, from start: Int, limit: Int) -> Int? {
        let limit = min(limit, start + Self.searchLength, bytes.byteCount - 32)
        switch context.phase {
        case .pcap:
            var at = start
            while at < limit {
                if looksLikePcapRecords(bytes, at: at) { return at }
                at += 1
            }
        case .pcapng:
            var at = (start + 3) & ~3
            while at < limit {
                if looksLikeBlocks(bytes, at: at) { return at }
                at += 4
            }
        case .start, .ended: break
        }
        return nil
    }

    /// Bytes that are searched for a record: longer ones than this have no place in a capture of a network.
    private static let searchLength = 262_144 + 24

    /// Eight records in a row (or fewer before the end of the file) that could be some.
    ///
    /// Records without a byte of their packet could be, too, but a row of zeros looks like many of them.
    private func looksLikePcapRecords(_ bytes: RawSpan, at start: Int) -> Bool {
        let order = context.order
        let layout = context.pcap
        let fractions: UInt32 = layout.nanoseconds ? 1_000_000_000 : 1_000_000
        var at = start
        for _ in 0..<8 {
            guard bytes.byteCount - at >= layout.recordHeader else { return at > start }
            var (captured, original) = (bytes.u32(at + 8, order), bytes.u32(at + 12, order))
            layout.order(&captured, &original)
            guard captured > 0, captured <= original, captured <= layout.maximumCaptured, original < 1 << 24,
                bytes.u32(at + 4, order) < fractions
            else { return false }
            at += layout.recordHeader + Int(captured)
            if at > bytes.byteCount { return false }
        }
        return true
    }

    /// Three blocks in a row (or fewer before the end of the file) whose two lengths agree.
    private func looksLikeBlocks(_ bytes: RawSpan, at start: Int) -> Bool {
        let order = context.order
        var at = start
        for _ in 0..<3 {
            guard bytes.byteCount - at >= 12 else { return at > start }
            let total = bytes.u32(at + 4, order)
            let size = (Int(total) + 3) & ~3
            guard total >= 12, size <= min(Self.maximumBlock, bytes.byteCount - at),
                bytes.u32(at + size - 4, order) == total
            else { return false }
            at += size
        }
        return true
    }
}

extension CaptureInterface {
    /// Apart from its statistics, which a part does not inherit.
    fileprivate func isSame(as other: CaptureInterface) -> Bool {
        var (one, two) = (self, other)
        one.statistics = nil
        two.statistics = nil
        return one == two
    }
}

extension CaptureComment {
    /// The same, with that many frames before the part it comes from.
    fileprivate func moved(by frames: Int) -> CaptureComment {
        guard case .packet(let number) = subject else { return self }
        return CaptureComment(subject: .packet(number + frames), text: text)
    }
}

import CaptureFile
import Correlator
import PcapReader

extension CaptureInput {
    /// So many bytes are kept of what a RST carries.
    private static let payloadBytes = 256

    /// Reads the capture once more, for what it has of some connections.
    mutating func loadFlows(_ filter: FlowFilter, _ progress: ((_ done: Int, _ total: Int?) -> Void)?) {
        do {
            let file = try InputFile(path: file)
            payloads = try payloads(resets, file)
            var builder = FlowTable.Builder(filter, resets: resets.count)
            _ = try file.scan(selecting: .flows(filter), progress: progress, into: &builder)
            flows = builder.finish()
            hasFlows = true
            var search = flows.translationSearch
            if let selection = search.selection {
                _ = try file.scan(selecting: selection, progress: progress, into: &search)
                translationGaps = search.gaps
            }
            listeners = search.listeners
        } catch {
            damage.append("cannot be read a second time: \(error)")
            damageCount += 1
        }
    }

    /// Reads a capture without RSTs once more, for how its connections ended.
    mutating func loadUnfinished(_ progress: ((_ done: Int, _ total: Int?) -> Void)?) {
        guard filters.allSatisfy({ $0 == nil }) else { return }
        var all = CollectedSegments()
        guard let file = try? InputFile(path: file),
            let summary = try? file.scan(selecting: .all, progress: progress, into: &all)
        else { return }
        unfinished = UnfinishedConnections(FlowTable(all.finish()), end: summary.lastTime ?? 0)
    }

    /// What RSTs carry, by packet number.
    private func payloads(_ resets: [CapturedSegment], _ file: InputFile) throws -> [Int: [UInt8]] {
        let carriers = resets.filter { $0.segment.payloadOffset >= 0 && $0.segment.payloadLength > 0 }
        let wanted = carriers.map { carrier in
            let start = carrier.packetOffset + Int(carrier.segment.payloadOffset)
            let captured = Int(carrier.capturedLength) - Int(carrier.segment.payloadOffset)
            let count = min(captured, Int(carrier.segment.payloadLength), Self.payloadBytes)
            return (number: carrier.number, range: start..<start + max(0, count))
        }
        guard !wanted.isEmpty else { return [:] }
        let isPlain = file.kind == .pcap || file.kind == .pcapng
        return isPlain ? plainRanges(wanted, file) : try ranges(wanted, file)
    }

    private func plainRanges(_ wanted: [(number: Int, range: Range<Int>)], _ file: InputFile) -> [Int: [UInt8]] {
        var found = Payloads()
        for (number, range) in wanted {
            if let bytes = try? file.bytes(range) { found.add(bytes, ofPacket: number) }
        }
        return found.byPacket
    }

    /// - Parameter wanted: ranges of the decompressed file in ascending order.
    private func ranges(_ wanted: [(number: Int, range: Range<Int>)], _ file: InputFile) throws -> [Int: [UInt8]] {
        var found = Payloads()
        var offset = 0
        var next = 0
        var bytes: [UInt8] = []
        _ = try file.read { window in
            let end = offset + window.count
            while next < wanted.count, wanted[next].range.lowerBound < end {
                let part = wanted[next].range.clamped(to: offset..<end)
                bytes += window[(part.lowerBound - offset)..<(part.upperBound - offset)]
                // The rest is in the next window.
                if wanted[next].range.upperBound > end { break }
                found.add(bytes, ofPacket: wanted[next].number)
                bytes = []
                next += 1
            }
            offset = end
        }
        // The stream ended in the middle of it.
        if next < wanted.count { found.add(bytes, ofPacket: wanted[next].number) }
        return found.byPacket
    }
}

/// What RSTs carry. A device that gives its reason gives the same one to thousands: each is kept once.
private struct Payloads {
    private(set) var byPacket: [Int: [UInt8]] = [:]
    private var known: Set<[UInt8]> = []

    mutating func add(_ bytes: [UInt8], ofPacket number: Int) {
        if !bytes.isEmpty { byPacket[number] = known.insert(bytes).memberAfterInsert }
    }
}

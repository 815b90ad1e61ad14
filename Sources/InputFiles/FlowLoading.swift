import CaptureFile
import Correlator
import PcapReader

extension CaptureInput {
    /// At most so many RSTs of a capture are asked what they carry, and so many bytes of each.
    private static let keptPayloads = 10_000
    private static let payloadBytes = 256

    /// Reads the capture once more, for what it has of some connections.
    mutating func loadFlows(_ filter: FlowFilter, _ progress: ((_ done: Int, _ total: Int?) -> Void)?) {
        do {
            let file = try InputFile(path: file)
            payloads = try payloads(resets, file)
            var builder = FlowTable.Builder(filter)
            _ = try file.scan(selecting: .flows(filter), progress: progress, into: &builder)
            flows = builder.finish()
            hasFlows = true
        } catch {
            damage.append("cannot be read a second time: \(error)")
            damageCount += 1
        }
    }

    /// What RSTs carry, by packet number.
    private func payloads(_ resets: [CapturedSegment], _ file: InputFile) throws -> [Int: [UInt8]] {
        let carriers = resets.lazy.filter { $0.segment.payloadOffset >= 0 && $0.segment.payloadLength > 0 }
        let wanted = carriers.prefix(Self.keptPayloads).map { carrier -> (number: Int, range: Range<Int>) in
            let start = carrier.packetOffset + Int(carrier.segment.payloadOffset)
            let captured = Int(carrier.capturedLength) - Int(carrier.segment.payloadOffset)
            let count = min(captured, Int(carrier.segment.payloadLength), Self.payloadBytes)
            return (carrier.number, start..<start + max(0, count))
        }
        guard !wanted.isEmpty else { return [:] }
        let isPlain = file.kind == .pcap || file.kind == .pcapng
        return isPlain ? plainRanges(Array(wanted), file) : try ranges(Array(wanted), file)
    }

    private func plainRanges(_ wanted: [(number: Int, range: Range<Int>)], _ file: InputFile) -> [Int: [UInt8]] {
        var found: [Int: [UInt8]] = [:]
        for (number, range) in wanted {
            if let bytes = try? file.bytes(range), !bytes.isEmpty { found[number] = bytes }
        }
        return found
    }

    /// - Parameter wanted: ranges of the decompressed file in ascending order.
    private func ranges(_ wanted: [(number: Int, range: Range<Int>)], _ file: InputFile) throws -> [Int: [UInt8]] {
        var found: [Int: [UInt8]] = [:]
        var offset = 0
        var next = 0
        _ = try file.read { window in
            let end = offset + window.count
            while next < wanted.count, wanted[next].range.lowerBound < end {
                let part = wanted[next].range.clamped(to: offset..<end)
                found[wanted[next].number, default: []] +=
                    window[(part.lowerBound - offset)..<(part.upperBound - offset)]
                // The rest is in the next window.
                if wanted[next].range.upperBound > end { break }
                next += 1
            }
            offset = end
        }
        return found
    }
}

import CaptureFile
import Correlator
import Glibc
import PcapReader

extension InputLoader {
    /// At most so many RSTs of a capture are asked what they carry, and so many bytes of each.
    private static let keptPayloads = 10_000
    private static let payloadBytes = 256

    /// Reads the captures once more, for the connections that a RST of any of them belongs to.
    ///
    /// To be called when all files are loaded: what one capture has of a connection that is reset in another is evidence.
    public mutating func loadFlows() {
        var filter = FlowFilter(expecting: captures.reduce(0) { $0 + $1.resets.count })
        for capture in captures {
            for reset in capture.resets { filter.insert(reset.segment.tuple) }
        }
        guard filter.count > 0 else { return }
        for index in captures.indices where isRereadable[index] {
            do {
                let file = try InputFile(path: captures[index].file)
                captures[index].payloads = try payloads(captures[index].resets, file)
                var flows = FlowTable.Builder(filter)
                _ = try file.scan(selecting: .flows(filter), progress: progress, into: &flows)
                captures[index].flows = flows.finish()
                captures[index].hasFlows = true
            } catch {
                captures[index].damage.append("cannot be read a second time: \(error)")
                captures[index].damageCount += 1
            }
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

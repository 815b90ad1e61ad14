import NetworkTypes
import PcapReader

/// Stops the fuzzer if the condition does not hold.
func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fatalError(message()) }
}

/// Scans the bytes as a whole, for all segments and for resets only, and in windows whose size the input chooses: the results
/// must agree and add up.
func check(_ bytes: [UInt8], window: Int) {
    var whole: [CapturedSegment] = []
    let summary = try? CaptureScanner.scan(bytes, selecting: .all) { whole.append($0) }
    var resets = 0
    let summaryOfResets = try? CaptureScanner.scan(bytes, selecting: .resets) { _ in resets += 1 }
    require(summary == summaryOfResets, "the selection changes the summary")
    require(resets == whole.filter { $0.segment.flags.contains(.rst) }.count, "the fast path loses resets")
    if let summary {
        let undecoded = summary.undecoded.map(\.count).reduce(0, +)
        require(summary.tcpSegments + undecoded <= summary.packets, "more was found than there are packets")
        require(summary.bytesSkipped <= bytes.count, "more was skipped than there is")
        require((summary.damageCount == 0) == summary.damage.isEmpty, "damage without a sentence")
    }
    for segment in whole {
        require(segment.packetOffset + Int(segment.capturedLength) <= bytes.count, "a packet outside of the file")
        require(segment.segment.payloadOffset < segment.capturedLength, "a payload outside of its packet")
    }

    var scanner = CaptureScanner(selecting: .all)
    var inWindows: [CapturedSegment] = []
    var done = 0
    var available = 0
    do {
        while true {
            let isFinal = available == bytes.count
            let part = bytes.span.bytes.extracting(done..<available)
            done += try scanner.scan(part, offset: done, isFinal: isFinal) { inWindows.append($0) }
            if isFinal { break }
            available = min(bytes.count, available + window)
        }
        require(scanner.summary == summary, "windows change the summary")
    } catch {
        require(summary == nil, "windows change the error")
    }
    require(inWindows == whole, "windows change the segments")
}

/// The first byte of the input, as a choice, and the rest as an array.
func input(_ data: UnsafePointer<UInt8>?, _ size: Int) -> (choice: UInt8, bytes: [UInt8]) {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    return (bytes.first ?? 0, Array(bytes.dropFirst()))
}

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
    checkCopy(bytes, whole, isDamaged: summary?.damageCount != 0, window: window)
}

/// Copies the bytes with a comment on each segment, as a whole and in windows: the copies agree, and have the same segments where
/// the file is not damaged.
private func checkCopy(_ bytes: [UInt8], _ segments: [CapturedSegment], isDamaged: Bool, window: Int) {
    let comments = Dictionary(segments.map { ($0.offset, ["why"]) }, uniquingKeysWith: { first, _ in first })
    var whole = CaptureCopier(comments: comments, application: "fuzz")
    guard let copy = try? whole.feed(bytes.span.bytes, isFinal: true) else { return }
    var inWindows = CaptureCopier(comments: comments, application: "fuzz")
    var joined: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: window) {
        let end = min(bytes.count, start + window)
        guard let part = try? inWindows.feed(bytes.span.bytes.extracting(start..<end), isFinal: end == bytes.count)
        else {
            fatalError("windows change the error of the copy")
        }
        joined += part
    }
    require(copy == joined, "windows change the copy")
    guard !isDamaged else { return }
    var again: [CapturedSegment] = []
    let summary = try? CaptureScanner.scan(copy, selecting: .all) { again.append($0) }
    require(summary?.damageCount == 0, "the copy is damaged")
    require(again.map(\.segment) == segments.map(\.segment), "the copy has other segments")
    require(again.map(\.number) == segments.map(\.number), "the copy has other numbers")
}

/// The first byte of the input, as a choice, and the rest as an array.
func input(_ data: UnsafePointer<UInt8>?, _ size: Int) -> (choice: UInt8, bytes: [UInt8]) {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    return (bytes.first ?? 0, Array(bytes.dropFirst()))
}

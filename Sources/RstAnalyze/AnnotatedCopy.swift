import ArgumentParser
import CaptureFile
import Correlator
import Glibc
import Logging
import PcapReader
import Reporting

/// A copy of the capture of a report, with a comment on each RST.
struct AnnotatedCopy {
    private let capture: CaptureInput
    private let comments: [Int: [String]]
    private let kept: Set<Int>?

    /// - Throws: an exit status, after logging that the report has no capture to copy, or several.
    init(_ report: Report, _ captures: [CaptureInput], onlyConnections: Bool) throws {
        guard captures.count == 1, let capture = captures.first else {
            log.error(
                captures.isEmpty
                    ? "--format pcapng copies a capture, and none was given"
                    : "--format pcapng copies one capture: name one of \(captures.count), with its events")
            throw ExitCode(1)
        }
        guard capture.file != "-", let file = try? InputFile(path: capture.file), file.isRereadable else {
            log.error(
                "\(capture.file): a pipe cannot be read a second time: save it to a file to get a copy with comments")
            throw ExitCode(1)
        }
        self.capture = capture
        let offsets = Dictionary(
            capture.resets.map { ($0.number, $0.offset) }, uniquingKeysWith: { first, _ in first })
        var comments: [Int: [String]] = [:]
        for reset in report.resets {
            let comment = packetComment(on: reset)
            for sighting in reset.sightings {
                guard let offset = offsets[sighting.packet] else { continue }
                comments[offset, default: []].append(comment)
            }
        }
        self.comments = comments
        guard onlyConnections else {
            kept = nil
            return
        }
        var filter = ConnectionFilter(expecting: comments.count)
        for reset in capture.resets where comments[reset.offset] != nil { filter.insert(reset.segment.tuple) }
        var segments = CollectedSegments()
        do {
            _ = try file.scan(selecting: .flows(filter), into: &segments)
        } catch {
            log.error("\(capture.file): \(error)")
            throw ExitCode(1)
        }
        kept = Set(segments.finish().map(\.offset)).union(comments.keys)
    }

    /// - Parameter put: writes bytes.
    func write(to put: ([UInt8]) throws -> Void) throws {
        var copier = CaptureCopier(comments: comments, keeping: kept, application: Version.tool)
        let file = try InputFile(path: capture.file)
        let damage = try file.read { window in try put(copier.feed(RawSpan(_unsafeBytes: window))) }
        try put(copier.feed([UInt8]().span.bytes, isFinal: true))
        if let damage { log.warning("\(capture.file): \(damage)") }
        if copier.bytesLeft > 0 {
            log.warning(
                "\(capture.file): its last \(copier.bytesLeft) bytes are damaged: packets in them have no comments, or are missing"
            )
        } else if copier.uncommented > 0 {
            log.warning(
                "\(capture.file): \(copier.uncommented) packets have no room for a comment (simple packet blocks)")
        }
    }
}

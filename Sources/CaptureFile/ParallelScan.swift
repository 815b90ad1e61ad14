import Dispatch
import PcapReader
import Synchronization

/// Scans a capture with several threads, in rounds of several parts each; what comes out is what one thread would have
/// found.
struct ParallelScan {
    /// Of a regular file.
    let descriptor: Int32
    /// Bytes of the file that are scanned.
    var size: Int
    let threads: Int
    /// The size of the file at this moment.
    let currentSize: () -> Int
    /// Called with the bytes scanned so far, and `size`.
    var progress: ((_ done: Int, _ total: Int?) -> Void)?

    /// Bytes of a part: small enough to stay in the processor's cache, large enough that the guess at its beginning
    /// costs nothing.
    var partSize = 1 << 20
    /// Parts of a round for each thread. What is found in a round is kept until its end: the longer a round, the more of
    /// the segments of a connection are followed together.
    var partsPerThread = 32

    /// What one thread found in one part.
    private struct Part<Batch: Sendable>: Sendable {
        let start: Int
        let end: Int
        let scanner: CaptureScanner
        let batch: Batch
    }

    /// Scans the whole file.
    ///
    /// - Parameter start: where to begin, once some of the file was scanned.
    /// - Returns: where the last whole record ends.
    /// - Throws: only before the first record, if this is not a capture.
    func run<Sink: SegmentSink>(
        _ scanner: inout CaptureScanner, from start: Int = 0, into sink: inout Sink
    ) throws(CaptureError) -> Int {
        let windows = (0..<threads).map { _ in FileWindow(descriptor: descriptor) }
        var at = start
        while at < size, !scanner.hasEnded {
            // The first part is always scanned alone: it tells what the others have to know.
            let isParallel = at > 0 && threads > 1 && size - at > partSize
            let before = at
            if noteShrinking(&scanner, to: currentSize(), at: at) { return size }
            if isParallel {
                at = try round(&scanner, windows, from: at, into: &sink)
            } else {
                let part = try windows[0].scan(
                    &scanner, from: at, limit: at + partSize, size: size, for: Sink.self)
                sink.take([(part.batch, 0)])
                at = part.end
            }
            // Only a record cut short by the end of the file is left.
            if at == before { break }
            progress?(at, size)
        }
        return at
    }

    /// Scans what `run` has left of the file.
    func finish<Sink: SegmentSink>(
        _ scanner: inout CaptureScanner, from start: Int, into sink: inout Sink
    ) throws(CaptureError) {
        guard !scanner.hasEnded else { return scanner.skipRest(size - start) }
        let window = FileWindow(descriptor: descriptor)
        do {
            try window.read(start..<size)
        } catch {
            return scanner.endEarly("\(error)", at: start, skipping: size - start)
        }
        if noteShrinking(&scanner, to: window.range.upperBound, at: start) { return }
        let rest = try window.withBytes { (bytes) throws(CaptureError) in
            try scanner.scan(bytes, offset: start, isFinal: true, for: Sink.self)
        }
        sink.take([(rest.batch, 0)])
    }

    /// Whether the file has lost bytes since its size was asked, which is noted as damage.
    private func noteShrinking(_ scanner: inout CaptureScanner, to now: Int, at: Int) -> Bool {
        guard now < size else { return false }
        if !scanner.hasEnded {
            scanner.endEarly("the file shrank to \(now) bytes while it was read", at: at, skipping: size - at)
        }
        return true
    }

    private func round<Sink: SegmentSink>(
        _ scanner: inout CaptureScanner, _ windows: [FileWindow], from start: Int, into sink: inout Sink
    ) throws(CaptureError) -> Int {
        let origin = scanner.part()
        let guide = scanner
        let count = min(threads * partsPerThread, (size - start + partSize - 1) / partSize)
        var parts = [Part<Sink.Batch>?](repeating: nil, count: count)
        parts.withUnsafeMutableBufferPointer { parts in
            let slots = Slots(parts: parts.baseAddress, windows: windows)
            let next = Atomic(0)
            DispatchQueue.concurrentPerform(iterations: min(threads, count)) { [size, partSize] thread in
                while true {
                    let index = next.add(1, ordering: .relaxed).oldValue
                    guard index < count else { return }
                    let partStart = start + index * partSize
                    slots.parts?[index] = Self.part(
                        slots.windows[thread], from: partStart, limit: partStart + partSize, size: size,
                        isGuess: index > 0, origin: origin, guide: guide, Sink.self)
                }
            }
        }
        // What was found in bytes that are gone is not worth having.
        if noteShrinking(&scanner, to: currentSize(), at: start) { return size }
        var at = start
        var found: [(batch: Sink.Batch, precedingPackets: Int)] = []
        for (index, part) in parts.enumerated() {
            let limit = start + (index + 1) * partSize
            if at >= limit { continue }
            let base = scanner.summary.frames
            if let part, part.start == at, scanner.absorb(part.scanner, from: origin) {
                at = part.end
                found.append((part.batch, base))
            } else {
                let again = try windows[0].scan(&scanner, from: at, limit: limit, size: size, for: Sink.self)
                found.append((again.batch, 0))
                at = again.end
            }
            if scanner.hasEnded { break }
        }
        sink.take(found)
        return at
    }

    /// Nil if no place in the part looks like the beginning of a record.
    private static func part<Sink: SegmentSink>(
        _ window: FileWindow, from start: Int, limit: Int, size: Int, isGuess: Bool, origin: CaptureScanner,
        guide: CaptureScanner, _: Sink.Type
    ) -> Part<Sink.Batch>? {
        var scanner = origin
        var begin = start
        if isGuess {
            guard (try? window.read(start..<min(size, limit + FileWindow.lastRecord))) != nil,
                let guess = window.withBytes({ guide.guessRecord($0, from: 0, limit: limit - start) })
            else { return nil }
            begin += guess
        }
        guard let found = try? window.scan(&scanner, from: begin, limit: limit, size: size, for: Sink.self) else {
            return nil
        }
        return Part(start: begin, end: found.end, scanner: scanner, batch: found.batch)
    }

    /// Each thread writes to slots of its own, and has a window of its own.
    private struct Slots<Batch: Sendable>: @unchecked Sendable {
        let parts: UnsafeMutablePointer<Part<Batch>?>?
        let windows: [FileWindow]
    }
}

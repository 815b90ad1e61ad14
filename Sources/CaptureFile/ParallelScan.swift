import Dispatch
import PcapReader
import Synchronization

/// Scans a mapped capture with several threads, in rounds of several parts each; what comes out is what one thread
/// would have found.
struct ParallelScan {
    let file: MappedFile
    let threads: Int
    /// Called with the bytes scanned so far.
    let progress: ((Int) -> Void)?
    /// The size of the file at this moment.
    let currentSize: () -> Int

    /// Bytes of a part: small enough that the segments of a round stay few, large enough that the guess at its
    /// beginning costs nothing.
    var partSize = 2 << 20
    /// Parts of a round for each thread.
    var partsPerThread = 4

    /// What one thread found in one part.
    private struct Part<Batch: Sendable>: Sendable {
        let start: Int
        let end: Int
        let scanner: CaptureScanner
        let batch: Batch
    }

    /// Scans up to the last whole record and returns where that ends.
    func run<Sink: SegmentSink>(
        _ scanner: inout CaptureScanner, from start: Int = 0, into sink: inout Sink
    ) throws -> Int {
        var at = start
        while at < file.count, !scanner.hasEnded {
            // The first part is always scanned alone: it tells what the others have to know.
            let isParallel = at > 0 && threads > 1 && file.count - at > partSize
            let before = at
            if noteShrinking(&scanner, at: at) { return file.count }
            if isParallel {
                at = try round(&scanner, from: at, into: &sink)
            } else {
                let part = try file.withBytes {
                    try scanner.scan($0, from: at, limit: at + partSize, isFinal: false, for: Sink.self)
                }
                sink.take([(part.batch, 0)])
                at = part.end
            }
            // Only a record cut short by the end of the file is left.
            if at == before { break }
            file.release(from: before, to: at)
            progress?(at)
        }
        return at
    }

    /// Whether the file has lost bytes since it was mapped, which is noted as damage.
    private func noteShrinking(_ scanner: inout CaptureScanner, at: Int) -> Bool {
        let size = currentSize()
        guard size < file.count || file.hasShrunk else { return false }
        if !scanner.hasEnded {
            scanner.endEarly("the file shrank to \(size) bytes while it was read", at: at, skipping: file.count - at)
        }
        return true
    }

    private func round<Sink: SegmentSink>(
        _ scanner: inout CaptureScanner, from start: Int, into sink: inout Sink
    ) throws -> Int {
        let origin = scanner.part()
        let guide = scanner
        let count = min(threads * partsPerThread, (file.count - start + partSize - 1) / partSize)
        var parts = [Part<Sink.Batch>?](repeating: nil, count: count)
        parts.withUnsafeMutableBufferPointer { parts in
            let slots = Slots(base: parts.baseAddress)
            let next = Atomic(0)
            DispatchQueue.concurrentPerform(iterations: min(threads, count)) { [file, partSize] _ in
                while true {
                    let index = next.add(1, ordering: .relaxed).oldValue
                    guard index < count else { return }
                    let partStart = start + index * partSize
                    slots.base?[index] = Self.scanPart(
                        file, from: partStart, limit: partStart + partSize, isGuess: index > 0, origin: origin,
                        guide: guide, Sink.self)
                }
            }
        }
        // What was found in bytes that are gone is not worth having.
        if noteShrinking(&scanner, at: start) { return file.count }
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
                let again = try file.withBytes {
                    try scanner.scan($0, from: at, limit: limit, isFinal: false, for: Sink.self)
                }
                found.append((again.batch, 0))
                at = again.end
            }
            if scanner.hasEnded { break }
        }
        sink.take(found)
        return at
    }

    /// Nil if no place in the part looks like the beginning of a record.
    private static func scanPart<Sink: SegmentSink>(
        _ file: MappedFile, from start: Int, limit: Int, isGuess: Bool, origin: CaptureScanner, guide: CaptureScanner,
        _: Sink.Type
    ) -> Part<Sink.Batch>? {
        file.withBytes { bytes in
            var scanner = origin
            var start = start
            if isGuess {
                guard let guess = guide.guessRecord(bytes, from: start, limit: limit) else { return nil }
                start = guess
            }
            guard let found = try? scanner.scan(bytes, from: start, limit: limit, isFinal: false, for: Sink.self) else {
                return nil
            }
            return Part(start: start, end: found.end, scanner: scanner, batch: found.batch)
        }
    }

    /// Each thread writes to slots of its own.
    private struct Slots<Batch: Sendable>: @unchecked Sendable {
        let base: UnsafeMutablePointer<Part<Batch>?>?
    }
}

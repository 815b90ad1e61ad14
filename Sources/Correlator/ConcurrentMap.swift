import Dispatch

extension RandomAccessCollection where Self: Sendable, Index == Int {
    /// The same as `map`, but on all processors if there are enough elements to be worth it.
    ///
    /// - Parameter size: how many elements a processor takes at a time.
    package func concurrentMap<Result: Sendable>(
        inPiecesOf size: Int = 512, _ body: @Sendable (Element) -> Result
    ) -> [Result] {
        let pieces = (count + size - 1) / size
        guard pieces > 1 else { return map(body) }
        return unsafe Array(unsafeUninitializedCapacity: count) { buffer, initialized in
            let results = unsafe Results(buffer: buffer)
            DispatchQueue.concurrentPerform(iterations: pieces) { number in
                for place in number * size..<Swift.min((number + 1) * size, count) {
                    unsafe results.buffer.initializeElement(at: place, to: body(self[startIndex + place]))
                }
            }
            initialized = count
        }
    }
}

/// Memory in which each processor writes its own elements.
@unsafe private struct Results<Element>: @unchecked Sendable {
    let buffer: UnsafeMutableBufferPointer<Element>
}

import Dispatch
import Synchronization

extension RandomAccessCollection where Self: Sendable, Index == Int {
    /// The same as `map`, on all processors where there are enough elements to be worth it.
    ///
    /// - Parameter size: how many elements a processor takes at a time.
    package func concurrentMap<Result: Sendable>(
        inPiecesOf size: Int = 512, _ body: @Sendable (Element) -> Result
    ) -> [Result] {
        let pieces = (count + size - 1) / size
        guard pieces > 1 else { return map(body) }
        let results = Mutex([[Result]](repeating: [], count: pieces))
        DispatchQueue.concurrentPerform(iterations: pieces) { number in
            let start = startIndex + number * size
            let made = self[start..<Swift.min(start + size, endIndex)].map(body)
            results.withLock { $0[number] = made }
        }
        return results.withLock { Array<Result>($0.joined()) }
    }
}

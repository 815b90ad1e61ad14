import Dispatch
import Synchronization

extension Array where Element: Sendable {
    /// The same as `map`, on all processors where there are enough elements to be worth it.
    func concurrentMap<Result: Sendable>(_ body: @Sendable (Element) -> Result) -> [Result] {
        let chunk = 512
        let chunks = (count + chunk - 1) / chunk
        guard chunks > 4 else { return map(body) }
        let results = Mutex([[Result]](repeating: [], count: chunks))
        DispatchQueue.concurrentPerform(iterations: chunks) { number in
            let made = self[number * chunk..<Swift.min((number + 1) * chunk, count)].map(body)
            results.withLock { $0[number] = made }
        }
        return results.withLock { Array<Result>($0.joined()) }
    }
}

/// Gives each distinct kernel stack a number: a flood of resets has few of them.
struct StackTable {
    private var ids: [UInt64: [(frames: [UInt64], id: Int)]] = [:]
    private var next = 1

    enum Entry {
        case known(Int)
        /// Seen for the first time: its frames are to be written before it is used.
        case new(Int)
    }

    mutating func entry(_ frames: UnsafeBufferPointer<UInt64>) -> Entry {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for frame in frames { hash = (hash ^ frame) &* 0x0000_0100_0000_01b3 ^ (hash >> 29) }
        let candidates = ids[hash] ?? []
        for candidate in candidates where candidate.frames.elementsEqual(frames) { return .known(candidate.id) }
        ids[hash] = candidates + [(Array(frames), next)]
        next += 1
        return .new(next - 1)
    }
}

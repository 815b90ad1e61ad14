/// Gives each distinct kernel stack a number: a flood of resets has few of them.
///
/// What is kept is bounded: stacks that were not seen for a while are forgotten and get another number the next time. A number
/// never stands for two stacks.
struct StackTable<Content> {
    struct Stack {
        let id: Int
        let content: Content
    }

    /// By the hash of their frames: those of this period, and those of the one before that were not seen since.
    private var recent: [UInt64: [(frames: [UInt64], stack: Stack)]] = [:]
    private var older: [UInt64: [(frames: [UInt64], stack: Stack)]] = [:]
    private var count = 0
    private var next = 1
    private let capacity: Int

    /// - Parameter capacity: half of the stacks that are kept at most.
    init(capacity: Int = 4096) { self.capacity = capacity }

    /// - Parameter make: what there is to know of a stack that is seen for the first time.
    mutating func stack(_ frames: UnsafeBufferPointer<UInt64>, make: (_ id: Int) -> Content) -> Stack {
        let hash = Self.hash(frames)
        func find(_ list: [(frames: [UInt64], stack: Stack)]?) -> Stack? {
            list?.first { $0.frames.elementsEqual(frames) }?.stack
        }
        if let known = find(recent[hash]) { return known }
        if count >= capacity {
            older = recent
            recent = [:]
            count = 0
        }
        let stack: Stack
        if let known = find(older[hash]) {
            stack = known
        } else {
            stack = Stack(id: next, content: make(next))
            next += 1
        }
        recent[hash, default: []].append((Array(frames), stack))
        count += 1
        return stack
    }

    private static func hash(_ frames: UnsafeBufferPointer<UInt64>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for frame in frames { hash = (hash ^ frame) &* 0x0000_0100_0000_01b3 ^ (hash >> 29) }
        return hash
    }
}

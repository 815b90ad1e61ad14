/// Completes the stacks that the hooks walk for a part only (`RST_HAS_SHORT_STACK`): the decision and the segment of one reset
/// are made by the same call, and the first of both has the whole stack.
struct StackCompletion {
    /// The last stack of each CPU that is no short one.
    private var last: [[UInt64]] = []
    private var completed: [UInt64] = []

    private static let mostCPUs = 8192
    /// So many return addresses must be in both.
    private static let leastCommon = 2

    /// Passes on the stack, completed if it is a short one; one that does not go on like the last of its CPU stays as it is.
    ///
    /// - Parameter isShort: it goes on.
    /// - Parameter body: gets the frames, and whether these are all that the hook could tell.
    mutating func whole<Value>(
        _ frames: UnsafeBufferPointer<UInt64>, isShort: Bool, cpu: Int,
        _ body: (_ frames: UnsafeBufferPointer<UInt64>, _ isWhole: Bool) -> Value
    ) -> Value {
        guard (0..<Self.mostCPUs).contains(cpu) else { return body(frames, !isShort) }
        if isShort {
            guard cpu < last.count, let end = Self.end(of: frames, in: last[cpu]) else { return body(frames, false) }
            completed.removeAll(keepingCapacity: true)
            completed.append(contentsOf: frames)
            completed.append(contentsOf: last[cpu][end...])
            return completed.withUnsafeBufferPointer { body($0, true) }
        }
        while last.count <= cpu { last.append([]) }
        last[cpu].removeAll(keepingCapacity: true)
        last[cpu].append(contentsOf: frames)
        return body(frames, true)
    }

    /// The place in the whole stack where the short one ends; nil if its last frames are not in it.
    private static func end(of frames: UnsafeBufferPointer<UInt64>, in whole: [UInt64]) -> Int? {
        guard let lastFrame = frames.last else { return nil }
        var best: (common: Int, end: Int)?
        for place in whole.indices where whole[place] == lastFrame {
            var common = 1
            while common < frames.count, common <= place,
                frames[frames.count - 1 - common] == whole[place - common]
            { common += 1 }
            if common >= leastCommon, common > best?.common ?? 0 { best = (common, place + 1) }
        }
        return best?.end
    }
}

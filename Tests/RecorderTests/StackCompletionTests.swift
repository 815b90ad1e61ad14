import Testing

@testable import Recorder

@Suite struct StackCompletionTests {
    private static func whole(
        _ completion: inout StackCompletion, _ frames: [UInt64], isShort: Bool = false, cpu: Int = 0
    ) -> (frames: [UInt64], isWhole: Bool) {
        frames.withUnsafeBufferPointer { completion.whole($0, isShort: isShort, cpu: cpu) { (Array($0), $1) } }
    }

    /// The segment after the decision: other functions inside, the same ones outside.
    @Test func aShortStackGoesOnLikeTheOneBefore() {
        var completion = StackCompletion()
        let first = Self.whole(&completion, [10, 20, 30, 40, 50, 60])
        #expect(first.frames == [10, 20, 30, 40, 50, 60] && first.isWhole)
        let second = Self.whole(&completion, [1, 2, 11, 20, 30, 40], isShort: true)
        #expect(second.frames == [1, 2, 11, 20, 30, 40, 50, 60] && second.isWhole)
    }

    /// What has nothing in common, or one address only, stays as it is, and is not taken for a whole stack.
    @Test(arguments: [[1, 2, 3], [1, 2, 30], [], [20, 30, 2]] as [[UInt64]])
    func anotherStackStaysShort(_ frames: [UInt64]) {
        var completion = StackCompletion()
        _ = Self.whole(&completion, [10, 20, 30, 40])
        let stack = Self.whole(&completion, frames, isShort: true)
        #expect(stack.frames == frames && !stack.isWhole)
    }

    @Test func ofSeveralPlacesTheOneWithMoreInCommonCounts() {
        var completion = StackCompletion()
        _ = Self.whole(&completion, [20, 30, 70, 10, 20, 30, 80])
        #expect(Self.whole(&completion, [1, 10, 20, 30], isShort: true).frames == [1, 10, 20, 30, 80])
    }

    @Test func eachCPUHasItsOwn() {
        var completion = StackCompletion()
        _ = Self.whole(&completion, [10, 20, 30], cpu: 3)
        _ = Self.whole(&completion, [10, 20, 40], cpu: 1)
        #expect(Self.whole(&completion, [10, 20], isShort: true, cpu: 3).frames == [10, 20, 30])
        #expect(!Self.whole(&completion, [10, 20], isShort: true, cpu: 0).isWhole)
        #expect(!Self.whole(&completion, [10, 20], isShort: true, cpu: 1 << 40).isWhole)
    }

    /// A short stack does not replace the whole one.
    @Test func aShortStackIsNotTheLast() {
        var completion = StackCompletion()
        _ = Self.whole(&completion, [10, 20, 30, 40])
        _ = Self.whole(&completion, [1, 20, 30], isShort: true)
        #expect(Self.whole(&completion, [2, 10, 20], isShort: true).frames == [2, 10, 20, 30, 40])
    }
}

import CLibBPF
import KernelEvents

/// The stacks of a recording, each once.
struct RecordedStacks {
    private var table = StackTable<Content>()
    private var completion = StackCompletion()

    typealias Stack = StackTable<Content>.Stack

    /// What is asked of a stack again and again.
    struct Content {
        let frames: [String]
        let context: ResetEvent.Task.Context?
        /// It is of somebody who lets go of a file.
        let releasesFile: Bool
        /// A firewall rule made the RST.
        let rejects: Rejection?
    }

    enum Rejection {
        case legacy, other

        init?(_ frames: [String]) {
            let makers = ["nf_send_reset", "nf_reject_skb_", "nft_reject_", "reject_tg"]
            guard frames.contains(where: { frame in makers.contains(where: frame.hasPrefix) }) else { return nil }
            self = frames.contains { $0.hasPrefix("ipt_do_table") || $0.hasPrefix("ip6t_do_table") } ? .legacy : .other
        }
    }

    /// - Parameter symbols: names the frames of a stack that was not seen before.
    mutating func stack(of record: UnsafePointer<rst_event>, _ symbols: inout LiveSymbols) -> Stack? {
        let count = Int(min(record.pointee.stack_frames, UInt32(RST_STACK_FRAMES)))
        guard count > 0 else { return nil }
        let start = UnsafeRawPointer(record) + MemoryLayout<rst_event>.offset(of: \.stack)!
        let frames = UnsafeBufferPointer(start: start.assumingMemoryBound(to: UInt64.self), count: count)
        return completion.whole(
            frames, isShort: record.pointee.has(RST_HAS_SHORT_STACK), cpu: Int(record.pointee.cpu)
        ) { frames, isWhole in
            table.stack(frames) { id in
                let names = symbols.names(frames)
                return Content(
                    frames: names,
                    context: ResetEvent.Task.Context(
                        frames: names, isWhole: isWhole && frames.count < Int(RST_STACK_FRAMES)),
                    releasesFile: names.contains { $0.hasPrefix("__fput") },
                    rejects: Rejection(names))
            }
        }
    }
}

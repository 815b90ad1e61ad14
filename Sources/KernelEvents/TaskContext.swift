extension ResetEvent.Task.Context {
    /// What the CPU was doing when a stack was taken, judging by its frames; nil if they do not show it.
    ///
    /// The kernel's own counter (preempt_count) cannot be read by a BPF program on every kernel; the frames can.
    ///
    /// - Parameters:
    ///   - frames: `symbol+0xoffset`, innermost first.
    ///   - isWhole: whether the stack ends at its root, and not where the room for it ended.
    public init?(frames: [String], isWhole: Bool) {
        for frame in frames {
            guard let context = Self.interrupt(frame.prefix { $0 != "+" && $0 != " " && $0 != "." }) else { continue }
            self = context
            return
        }
        guard isWhole else { return nil }
        self = .process
    }

    /// The context that a function of this name runs in, if it is the entry of an interrupt.
    public static func interrupt(_ function: some StringProtocol) -> Self? {
        switch function {
        case "handle_softirqs", "__do_softirq", "do_softirq", "do_softirq_own_stack", "__softirqentry_text_start",
            "run_ksoftirqd", "__irq_exit_rcu", "irq_exit_rcu", "run_timer_softirq", "net_rx_action":
            .softirq
        default:
            function.hasSuffix("_interrupt") || function.hasPrefix("sysvec_") || function.hasPrefix("asm_sysvec_")
                ? .hardirq : nil
        }
    }
}

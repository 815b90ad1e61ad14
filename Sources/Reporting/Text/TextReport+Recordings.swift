import Correlator

extension TextReport {
    /// How many settings of clocks are named.
    private static let namedSettings = 10

    /// One sentence for each time that a clock was set.
    func clockSettings(_ report: Report) -> [String] {
        var notes = report.clockSettings.prefix(Self.namedSettings).map { setting in
            "\(setting.file): \(setting.summary), \(options.time.change(from: setting.before, to: setting.after))"
        }
        let others = report.clockSettings.dropFirst(Self.namedSettings)
        if let largest = others.map(\.size.magnitude).max() {
            notes.append(
                "clocks were set \(others.count) more time\(others.count == 1 ? "" : "s"), by at most \(TimeSpan(nanoseconds: largest))"
            )
        }
        if !notes.isEmpty {
            notes.append("times are as the clock showed them; resets are in the order in which they were sent")
        }
        return notes
    }

    /// RSTs from times without kernel events.
    static func outsideEvents(_ report: Report) -> [String] {
        EventGapSide.allCases.compactMap { side in
            let count = report.count(outsideEvents: side)
            guard count > 0 else { return nil }
            let subject = count == 1 ? "1 reset was" : "\(count) resets were"
            let when =
                switch side {
                case .before: "before the kernel events begin"
                case .after: "after the kernel events end"
                }
            return "\(subject) captured \(when), which say nothing about \(count == 1 ? "it" : "them")"
        }
    }
}

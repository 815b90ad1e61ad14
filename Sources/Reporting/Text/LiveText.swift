public import Correlator
import NetworkTypes

/// The lines of RSTs as they come: those that a report's list has of them. Of a flood a few are shown, and how many more came.
public struct LiveText: Sendable {
    private var options: TextReport.Options
    /// Of the RST that was shown last.
    private var lastTime: Int64?
    private var hasOrigin = false

    /// Lines of one kind that are shown at a time; the others are counted.
    static let shownOfKind = 10

    public init(options: TextReport.Options) { self.options = options }

    /// What is counted together.
    private struct Kind: Hashable {
        let cause: Cause
        let certainty: Certainty
        let source: IPAddress
    }

    /// The lines of RSTs that came together, and those that say how many of a kind are not shown.
    public mutating func lines(of resets: ResetList) -> String {
        if !hasOrigin, let first = resets.rows.first(where: \.hasWallClock) {
            options.time.origin = first.time
            hasOrigin = true
        }
        var counts: [Kind: Int] = [:]
        var kinds: [Kind] = []
        var shown: [Int] = []
        for (place, row) in resets.rows.enumerated() {
            let kind = Kind(cause: row.cause, certainty: row.certainty, source: row.tuple.source)
            if counts[kind] == nil { kinds.append(kind) }
            counts[kind, default: 0] += 1
            if counts[kind, default: 0] <= Self.shownOfKind || options.list { shown.append(place) }
        }
        let list = ListText(TextReport(options: options), resets, after: lastTime)
        var text = list.text(of: shown)
        lastTime = shown.last.map { resets.rows[$0] }.flatMap { $0.hasWallClock ? $0.time : nil } ?? lastTime
        guard !options.list else { return text }
        for kind in kinds {
            let more = (counts[kind] ?? 0) - Self.shownOfKind
            guard more > 0 else { continue }
            text += "+ \(more) more \(kind.cause.rawValue), \(kind.certainty.rawValue), from \(kind.source)\n"
        }
        return text
    }
}

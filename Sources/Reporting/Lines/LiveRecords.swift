public import Correlator

/// The records of RSTs as they come: of a flood each second the first of a kind, and one for all others of that kind.
public struct LiveRecords: Sendable {
    private var merge = FloodMerge(shownOfKind: Self.shownOfKind, shownInAll: Self.shownInAll)
    private let lines: RecordLines
    private let writesAll: Bool

    /// Records that a second has of one kind, and of all.
    static let shownOfKind = 100
    static let shownInAll = 2_000

    /// - Parameter writesAll: each RST has its record, whatever comes.
    public init(_ lines: RecordLines, writesAll: Bool) {
        self.lines = lines
        self.writesAll = writesAll
    }

    /// The lines of what settled.
    ///
    /// - Parameter now: a steady clock, nanoseconds.
    public mutating func lines(of settled: LiveCorrelator.Settled, at now: Int64) -> [UInt8] {
        lines(of: settled.resets, isCorrection: false, now) + lines(of: settled.corrections, isCorrection: true, now)
    }

    private mutating func lines(of resets: ResetList, isCorrection: Bool, _ now: Int64) -> [UInt8] {
        guard !resets.isEmpty else { return [] }
        guard !writesAll else { return lines.lines(of: resets) }
        return lines.lines(of: merge.shown(of: resets, isCorrection: isCorrection, at: now).map { resets[$0] })
    }

    /// Records of those that have none of their own, where they are complete.
    ///
    /// - Parameter now: nil at the end.
    public mutating func more(at now: Int64?) -> [UInt8] { merge.due(at: now).flatMap { lines.line(of: $0) } }

    public func line(of health: RecordLines.Health) -> [UInt8] { lines.line(of: health) }
}

public import Correlator
import NetworkTypes

/// Renders a report for a person at a terminal, at most 80 columns wide where addresses allow.
public struct TextReport: Sendable {
    public struct Options: Sendable {
        /// Evidence and kernel path under each RST.
        public var verbose = false
        /// ANSI colours.
        public var color = false
        public init() {}
    }

    let options: Options
    /// What has not been handed out yet.
    var text = ""

    public init(options: Options = Options()) { self.options = options }

    /// Hands out the text in pieces.
    public mutating func render(_ report: Report, to sink: (String) throws -> Void) rethrows {
        summary(report)
        notes(report)
        if options.verbose { comments(report) }
        clocks(report)
        findings(report)
        try flush(sink)
        let options = options
        try inPieces(report.resets.count, { Self.list(report.resets, $0, options) }, to: sink)
    }

    /// The text of some RSTs.
    private static func list(_ resets: ResetList, _ range: Range<Int>, _ options: Options) -> String {
        var renderer = TextReport(options: options)
        for index in range {
            renderer.day(of: index, in: resets.heads)
            renderer.line(resets.heads[index])
            if options.verbose { renderer.details(resets[index]) }
        }
        return renderer.text
    }

    private mutating func flush(_ sink: (String) throws -> Void) rethrows {
        try sink(text)
        text = ""
    }
}

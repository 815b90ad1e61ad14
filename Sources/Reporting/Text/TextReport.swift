public import Correlator

/// Renders a report for a person at a terminal: first how much there is and how sure it is, then the answers, and the single
/// RSTs where they are few or asked for.
public struct TextReport: Sendable {
    public struct Options: Sendable {
        /// Every RST has its line, also where they are many.
        public var list = false
        /// Evidence and kernel path under each RST.
        public var verbose = false
        /// ANSI colours.
        public var color = false
        /// Columns.
        public var width = 80
        /// Lines that headline and answers should fit into.
        public var height = 24
        /// So many answers, whatever the height; 0 is all of them.
        public var top: Int?
        /// What the RSTs are counted by, in place of the answers.
        public var grouping: Grouping?
        public var order = AnswerOrder.count
        /// Bars of block characters, not of ASCII.
        public var isUnicode = true
        public var time = TimeDisplay()
        /// Whether lines say that a RST has no packet, or no event.
        public var showsOutcome = true
        public init() {}
    }

    /// So few RSTs are listed without being asked for.
    static let shortList = 20

    var options: Options
    /// What has not been handed out yet.
    var text = ""

    public init(options: Options = Options()) { self.options = options }

    /// Hands out the text in pieces.
    public mutating func render(_ report: Report, to sink: (String) throws -> Void) rethrows {
        let resets = report.resets
        options.time.origin = resets.rows.first { $0.hasWallClock }?.time ?? resets.rows.first?.time ?? 0
        headline(report)
        warnings(report)
        if options.verbose { comments(report) }
        clocks(report)
        if let grouping = options.grouping { groups(grouping, report) } else { answers(report) }
        try flush(sink)
        let isShort = resets.count <= Self.shortList && options.grouping == nil
        guard options.list || options.verbose || isShort, !resets.isEmpty else { return }
        try sink("\n")
        let list = ListText(self, resets)
        try inPieces(resets.count, { list.text(of: $0) }, to: sink)
    }

    private mutating func flush(_ sink: (String) throws -> Void) rethrows {
        try sink(text)
        text = ""
    }
}

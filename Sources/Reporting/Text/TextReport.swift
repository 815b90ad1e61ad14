public import Correlator

/// Renders a report for a person at a terminal: first how many RSTs there are and how certain, then the answers, and the
/// single RSTs if they are few or requested.
public struct TextReport: Sendable {
    public struct Options: Sendable {
        /// Lists every RST, even if there are many.
        public var list = false
        /// Shows the evidence and the kernel path of each RST.
        public var verbose = false
        /// ANSI colours.
        public var color = false
        /// Columns.
        public var width = 80
        /// Lines into which headline and answers should fit.
        public var height = 24
        /// The number of answers, whatever the height; 0 for all.
        public var top: Int?
        /// The fields by which RSTs are counted, instead of giving answers.
        public var grouping: Grouping?
        public var order = AnswerOrder.count
        /// Draws bars with block characters instead of ASCII.
        public var isUnicode = true
        public var time = TimeDisplay()
        /// Whether lines say that a RST has no packet or no event.
        public var showsOutcome = true
        /// Whether lines say that a RST belongs to no socket.
        var namesNoSocket = false
        /// The lines are those of RSTs that were shown before with another verdict.
        var marksCorrections = false
        public init() {}
    }

    /// Up to this many RSTs are listed without --list.
    static let shortList = 20

    var options: Options
    /// Text that has not been passed on yet.
    var text = ""

    public init(options: Options = Options()) { self.options = options }

    /// Passes the text on in pieces.
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

import ArgumentParser
import Correlator
import Glibc
import Reporting

/// How RSTs are shown to people, in all commands.
struct LineOptions: ParsableArguments {
    enum Color: String, ExpressibleByArgument, CaseIterable { case auto, always, never }

    @Flag(name: .shortAndLong, help: "Add the evidence and the kernel path of each RST.")
    var verbose = false

    @Option(
        help: ArgumentHelp("Show times in this zone: UTC, local, or a name like Europe/Berlin.", valueName: "zone"),
        transform: WallClock.init)
    var tz = WallClock.utc

    @Option(
        help: ArgumentHelp(
            "Show times as clock, relative (to the first RST) or epoch (seconds since 1970).", valueName: "form"),
        transform: { try word($0, "a form of time") })
    var time = TimeDisplay.Form.clock

    @Option(help: "Use colour: auto, always or never. Each certainty has its own colour, as in the headline.")
    var color = Color.auto

    /// - Parameter descriptor: where the text goes.
    func text(for descriptor: Int32) -> TextReport.Options {
        var options = TextReport.Options()
        options.verbose = verbose
        options.time.form = time
        options.time.zone = tz.zone
        let isTerminal = isatty(descriptor) == 1
        options.color =
            switch color {
            case .always: true
            case .never: false
            case .auto: isTerminal && !isSet("NO_COLOR") && environment("TERM") != "dumb"
            }
        var size = winsize()
        if isTerminal, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 {
            options.width = Int(size.ws_col)
            if size.ws_row > 0 { options.height = Int(size.ws_row) }
        } else {
            // A shell that exports them, or the user of a pager, tells the size.
            if let columns = environment("COLUMNS").flatMap(Int.init), (1...10_000).contains(columns) {
                options.width = columns
            }
            if let lines = environment("LINES").flatMap(Int.init), (1...10_000).contains(lines) {
                options.height = lines
            }
        }
        options.isUnicode = !isTerminal || hasUnicodeLocale
        return options
    }

    /// The first of these variables that is set decides (setlocale(3)); without any, the terminal is assumed to show ASCII only.
    private var hasUnicodeLocale: Bool {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap(environment).first { !$0.isEmpty } ?? ""
        let name = locale.uppercased()
        return name.contains("UTF-8") || name.contains("UTF8")
    }
}

private func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

/// NO_COLOR counts if it is not empty (no-color.org).
private func isSet(_ name: String) -> Bool { environment(name).map { !$0.isEmpty } ?? false }

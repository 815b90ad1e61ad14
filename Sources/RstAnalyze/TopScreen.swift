import CLinux
import Glibc
import Reporting

/// A terminal that shows a table in place. What it showed before, and its settings, come back with `close`, and where a signal
/// ends the program.
final class TopScreen {
    private let terminal: Int32
    private var settings = termios()
    private var hasSettings = false
    private var isOpen = true
    private var size: (width: Int, height: Int) = (0, 0)
    private var drawn = Int64.min
    private let isUnicode: Bool

    /// The other screen without a cursor, and back.
    private static let enter = "\u{1b}[?1049h\u{1b}[?25l"
    private static let leave = "\u{1b}[?25h\u{1b}[?1049l"
    /// Nanoseconds from one drawing to the next.
    private static let interval: Int64 = 1_000_000_000

    init(_ terminal: Int32, isUnicode: Bool) {
        self.terminal = terminal
        self.isUnicode = isUnicode
        linux_restore_terminal(terminal, Self.leave)
        if isatty(STDIN_FILENO) == 1, tcgetattr(STDIN_FILENO, &settings) == 0 {
            hasSettings = true
            var raw = settings
            raw.c_lflag &= ~tcflag_t(ICANON | ECHO)
            // Ctrl-C ends the program as always; to be stopped in the middle would leave the screen as it is.
            withUnsafeMutableBytes(of: &raw.c_cc) { bytes in
                bytes[Int(VSUSP)] = 0
                bytes[Int(VMIN)] = 0
                bytes[Int(VTIME)] = 0
            }
            tcsetattr(STDIN_FILENO, TCSANOW, &raw)
        }
        writeAll(Self.enter, to: terminal)
    }

    deinit { close() }

    func close() {
        guard isOpen else { return }
        isOpen = false
        writeAll(Self.leave, to: terminal)
        if hasSettings { tcsetattr(STDIN_FILENO, TCSANOW, &settings) }
        linux_restore_terminal(terminal, nil)
    }

    /// Reads the keys that were pressed.
    ///
    /// - Returns: whether one of them ends the program.
    func readKeys(_ table: inout TopTable) -> Bool {
        guard hasSettings else { return false }
        var request = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        var key: UInt8 = 0
        while poll(&request, 1, 0) == 1, request.revents & Int16(POLLIN) != 0, read(STDIN_FILENO, &key, 1) == 1 {
            let letter = Character(Unicode.Scalar(key))
            if letter == "q" || letter == "Q" { return true }
            if let order = TopTable.Order(rawValue: letter) {
                table.order = order
                drawn = .min
            }
        }
        return false
    }

    /// Draws the table if it is time for that, or the window has another size.
    ///
    /// - Parameter now: CLOCK_MONOTONIC.
    /// - Returns: false if the terminal is gone.
    func draw(_ table: inout TopTable, at now: Int64) -> Bool {
        var window = winsize()
        if ioctl(terminal, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0,
            size != (Int(window.ws_col), Int(window.ws_row))
        {
            size = (Int(window.ws_col), Int(window.ws_row))
            drawn = .min
        }
        guard drawn == .min || now - drawn >= Self.interval else { return true }
        drawn = now
        let (width, height) = size == (0, 0) ? (80, 24) : size
        let lines = table.lines(at: now, width: width, height: height, isUnicode: isUnicode)
        // Each line is cleared to its end, and what is below the last one.
        let text = "\u{1b}[H" + lines.map { $0 + "\u{1b}[K" }.joined(separator: "\r\n") + "\u{1b}[J"
        return writeAll(text, to: terminal)
    }
}

import Glibc
import Recorder

/// One line on a terminal with the progress and speed of reading a large file, and the time left.
///
/// Nothing is written if standard error is not a terminal, nor at first: small files need no such line.
final class ProgressLine {
    private let isShown = isatty(STDERR_FILENO) == 1
    private var begun: Int64?
    private var written: Int64 = 0
    private var lastDone = 0
    private var isDirty = false

    /// Nanoseconds before the first update, and between updates.
    private static let delay: Int64 = 500_000_000
    private static let interval: Int64 = 200_000_000

    /// - Parameters:
    ///   - done: bytes of the current file that have been read.
    ///   - total: its size, if it is known.
    func update(done: Int, total: Int?) {
        guard isShown else { return }
        let now = clockNanoseconds(CLOCK_MONOTONIC)
        // Less than before: another file, or the same file again.
        if done < lastDone || begun == nil { begun = now }
        lastDone = done
        guard let begun, now - begun > Self.delay, now - written > Self.interval else { return }
        written = now
        isDirty = true
        put("\r\u{1b}[K" + Self.text(done: done, total: total, nanoseconds: now - begun))
    }

    /// Leaves the terminal as it was.
    func clear() {
        if isDirty { put("\r\u{1b}[K") }
        isDirty = false
    }

    static func text(done: Int, total: Int?, nanoseconds: Int64) -> String {
        let seconds = max(Double(nanoseconds) / 1e9, 1e-9)
        let rate = Double(done) / seconds
        var text = size(done)
        if let total, total > 0 { text += " of \(size(total)) (\(min(100, done * 100 / total))%)" }
        text += ", \(size(Int(min(rate, 1e18))))/s"
        if let total, total > done, rate > 0 {
            let left = Int(min(Double(total - done) / rate, 1e9).rounded(.up))
            let rest = left % 60
            text += ", \(left / 60):\(rest < 10 ? "0" : "")\(rest) left"
        }
        return text
    }

    /// Decimal units, as `dd` prints them.
    private static func size(_ bytes: Int) -> String {
        var value = bytes
        var unit = 0
        let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
        while value >= 10_000, unit < units.count - 1 {
            value = (value + 500) / 1000
            unit += 1
        }
        return "\(value) \(units[unit])"
    }

    private func put(_ text: String) {
        _ = text.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    }
}

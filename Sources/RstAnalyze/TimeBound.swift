import ArgumentParser
import Reporting

/// A time as people type it, absolute or relative to what was recorded.
struct TimeBound {
    let typed: String
    private let meaning: Meaning

    private enum Meaning {
        /// Nanoseconds since 1970-01-01 UTC.
        case absolute(Int64)
        /// Nanoseconds after the first RST or, if negative, before the last one.
        case relative(Int64)
        /// Without a date, it is on the day of the first RST; without an offset, it is in the report's time zone.
        case local(date: (year: Int, month: Int, day: Int)?, TimeOfDay)
    }

    private struct TimeOfDay {
        var hour = 0
        var minute = 0
        var second = 0
        var nanosecond = 0
    }

    init(_ typed: String) throws {
        self.typed = typed
        guard let meaning = Self.meaning(typed) else {
            throw ValidationError(
                "\"\(typed.printable)\" is not a time: use 14:30:05, \"2026-11-20 14:30\", 2026-11-20T14:30:05Z, @1795223793.5, +1m30s or -10m."
            )
        }
        self.meaning = meaning
    }

    private static func meaning(_ typed: String) -> Meaning? {
        if typed.hasPrefix("@") { return nanoseconds(ofSeconds: typed.dropFirst()).map { .absolute($0) } }
        if typed.hasPrefix("+") {
            return TimeLength(argument: String(typed.dropFirst())).map { .relative($0.nanoseconds) }
        }
        if typed.hasPrefix("-") {
            return TimeLength(argument: String(typed.dropFirst())).map { .relative(-$0.nanoseconds) }
        }
        let parts = typed.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "T" || $0 == " " || $0 == "t" }
        guard parts.count == 2 || typed.contains("-") else { return timeOfDay(parts[0]).map { .local(date: nil, $0) } }
        let numbers = parts[0].split(separator: "-", omittingEmptySubsequences: false).map { digits($0, most: 4) }
        guard numbers.count == 3, let year = numbers[0], let month = numbers[1], let day = numbers[2] else {
            return nil
        }
        // The thirtieth of February does not exist in any zone.
        guard nanoseconds(.utc, (year, month, day), TimeOfDay()) != nil else { return nil }
        guard parts.count == 2 else { return .local(date: (year, month, day), TimeOfDay()) }
        guard let (clock, offset) = zoned(parts[1]), let time = timeOfDay(clock) else { return nil }
        guard let offset else { return .local(date: (year, month, day), time) }
        guard let nanoseconds = nanoseconds(.utc, (year, month, day), time) else {
            return nil
        }
        return .absolute(nanoseconds - Int64(offset) * 60_000_000_000)
    }

    private static func nanoseconds(_ clock: WallClock, _ date: (year: Int, month: Int, day: Int), _ time: TimeOfDay)
        -> Int64?
    {
        clock.nanoseconds(
            year: date.year, month: date.month, day: date.day, hour: time.hour, minute: time.minute,
            second: time.second,
            nanosecond: time.nanosecond)
    }

    /// A number of at most `most` digits and nothing else.
    private static func digits(_ text: some StringProtocol, most: Int) -> Int? {
        guard (1...most).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text)
    }

    private static func nanoseconds(ofSeconds text: some StringProtocol) -> Int64? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let seconds = digits(parts[0], most: 10), seconds < 9_000_000_000 else { return nil }
        guard parts.count == 2 else { return Int64(seconds) * 1_000_000_000 }
        return fraction(parts[1]).map { Int64(seconds) * 1_000_000_000 + Int64($0) }
    }

    /// The nanoseconds that the digits after a point mean.
    private static func fraction(_ text: some StringProtocol) -> Int? {
        guard let number = digits(text, most: 9) else { return nil }
        return (text.utf8.count..<9).reduce(number) { number, _ in number * 10 }
    }

    /// `HH:MM`, with seconds and their fraction if it has them.
    private static func timeOfDay(_ text: some StringProtocol) -> TimeOfDay? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3, let hour = digits(parts[0], most: 2), hour < 24,
            let minute = digits(parts[1], most: 2), minute < 60
        else { return nil }
        var time = TimeOfDay(hour: hour, minute: minute)
        guard parts.count == 3 else { return time }
        let second = parts[2].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = digits(second[0], most: 2), whole <= 60 else { return nil }
        time.second = whole
        if second.count == 2 {
            guard let fraction = fraction(second[1]) else { return nil }
            time.nanosecond = fraction
        }
        return time
    }

    /// A time of day and its offset from UTC in minutes, if it has one: `Z`, `+01:00`.
    private static func zoned(_ text: Substring) -> (clock: Substring, offset: Int?)? {
        if text.hasSuffix("Z") || text.hasSuffix("z") { return (text.dropLast(), 0) }
        guard let sign = text.lastIndex(where: { $0 == "+" || $0 == "-" }) else { return (text, nil) }
        guard let offset = timeOfDay(text[text.index(after: sign)...]) else { return nil }
        let minutes = offset.hour * 60 + offset.minute
        return (text[..<sign], text[sign] == "-" ? -minutes : minutes)
    }

    /// Nanoseconds since 1970-01-01 UTC; nil if it is relative and the RSTs have no such times.
    ///
    /// - Parameter span: the times of the first and the last RST.
    func nanoseconds(span: (first: Int64, last: Int64)?, zone: WallClock) -> Int64? {
        switch meaning {
        case .absolute(let nanoseconds): return nanoseconds
        case .relative(let length):
            return span.map { ($0.first, $0.last) }.map { length < 0 ? $0.1 &+ length : $0.0 &+ length } ?? .max
        case .local(let date, let time):
            guard let date = date ?? span.map({ zone.date($0.first) }) else { return .max }
            return Self.nanoseconds(zone, date, time) ?? .max
        }
    }
}

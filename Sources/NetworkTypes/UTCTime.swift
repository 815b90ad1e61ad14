/// A wall-clock time broken down in UTC, proleptic Gregorian.
package struct UTCTime: Sendable {
    package let year: Int
    package let month: Int
    package let day: Int
    package let hour: Int
    package let minute: Int
    package let second: Int
    package let nanosecond: Int

    /// - Parameter nanoseconds: since 1970-01-01 UTC; negative is before.
    package init(nanoseconds: Int64) {
        func floorDivide(_ a: Int64, _ b: Int64) -> (Int64, Int64) {
            let quotient = a / b
            let rest = a % b
            return rest < 0 ? (quotient - 1, rest + b) : (quotient, rest)
        }
        let (seconds, fraction) = floorDivide(nanoseconds, 1_000_000_000)
        let (days, clock) = floorDivide(seconds, 86_400)
        nanosecond = Int(fraction)
        hour = Int(clock / 3600)
        minute = Int(clock / 60 % 60)
        second = Int(clock % 60)
        // The inverse of days_from_civil: years begin in March, so that the leap day comes last.
        let shifted = days + 719_468
        let (era, dayOfEra) = floorDivide(shifted, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * marchMonth + 2) / 5 + 1)
        month = Int(marchMonth < 10 ? marchMonth + 3 : marchMonth - 9)
        year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
    }

    /// `2026-11-20`.
    package var date: String { "\(Self.digits(year, 4))-\(Self.digits(month, 2))-\(Self.digits(day, 2))" }

    package func isSameDay(as other: UTCTime) -> Bool { (year, month, day) == (other.year, other.month, other.day) }

    /// `23:22:01.123456`.
    ///
    /// - Parameter digits: of the fraction, 0 to 9.
    package func clock(digits: Int) -> String {
        let time = "\(Self.digits(hour, 2)):\(Self.digits(minute, 2)):\(Self.digits(second, 2))"
        return digits == 0 ? time : time + "." + Self.digits(nanosecond, 9).prefix(digits)
    }

    /// `20261120T232201Z` (ISO 8601, basic format).
    package var compact: String {
        "\(date)T\(clock(digits: 0))Z".filter { $0 != "-" && $0 != ":" }
    }

    private static func digits(_ number: Int, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
}

extension UTCTime: CustomStringConvertible {
    /// `2026-11-20T23:22:01.123456789Z` (RFC 3339).
    package var description: String { "\(date)T\(clock(digits: 9))Z" }
}

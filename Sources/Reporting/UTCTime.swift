import JSONText

/// A wall-clock time broken down in UTC, proleptic Gregorian.
struct UTCTime {
    let year: Int
    let month: Int
    let day: Int
    let hour: Int
    let minute: Int
    let second: Int
    let nanosecond: Int

    /// - Parameter nanoseconds: since 1970-01-01 UTC; negative is before.
    init(nanoseconds: Int64) {
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
    var date: String {
        var text = JSONWriter()
        text.date(self)
        return String(decoding: text.finish(), as: UTF8.self)
    }

    func isSameDay(as other: UTCTime) -> Bool { (year, month, day) == (other.year, other.month, other.day) }

    /// `23:22:01.123456`.
    ///
    /// - Parameter digits: of the fraction, 0 to 9.
    func clock(digits: Int) -> String {
        var text = JSONWriter()
        text.clock(self)
        // Without a fraction there is no decimal point.
        return String(decoding: text.finish().dropLast(digits == 0 ? 10 : 9 - digits), as: UTF8.self)
    }
}

extension JSONWriter {
    /// `"2026-11-20T23:22:01.123456789Z"` (RFC 3339).
    mutating func time(_ time: UTCTime) {
        raw("\"")
        date(time)
        raw("T")
        clock(time)
        raw("Z\"")
    }

    /// `2026-11-20`, without quotes.
    fileprivate mutating func date(_ time: UTCTime) {
        // In a 64-bit count of nanoseconds all years have four digits.
        put(time.year, 4)
        raw("-")
        put(time.month, 2)
        raw("-")
        put(time.day, 2)
    }

    /// `23:22:01.123456789`, without quotes.
    fileprivate mutating func clock(_ time: UTCTime) {
        put(time.hour, 2)
        raw(":")
        put(time.minute, 2)
        raw(":")
        put(time.second, 2)
        raw(".")
        put(time.nanosecond, 9)
    }

    private mutating func put(_ number: Int, _ width: Int) {
        digits(UInt64(truncatingIfNeeded: number), width: width)
    }
}

import JSONText
import NetworkTypes

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

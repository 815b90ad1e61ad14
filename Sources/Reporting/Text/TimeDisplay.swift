import NetworkTypes

/// How times are shown.
public struct TimeDisplay: Sendable {
    public enum Form: String, Sendable, CaseIterable {
        /// Time of day, with the date where it changes.
        case clock
        /// Seconds since the first RST.
        case relative
        /// Seconds since 1970-01-01 UTC.
        case epoch
    }

    /// A time zone.
    public struct Zone: Sendable {
        /// The offset from UTC (seconds, east is positive) and its name, at a time in seconds since 1970-01-01 UTC.
        public var offset: @Sendable (Int64) -> (seconds: Int, name: String)
        public init(offset: @escaping @Sendable (Int64) -> (seconds: Int, name: String)) { self.offset = offset }

        public static let utc = Zone { _ in (0, "UTC") }
    }

    public var form = Form.clock
    public var zone = Zone.utc
    /// The origin of relative times, nanoseconds since 1970-01-01 UTC.
    var origin: Int64 = 0
    public init() {}

    // MARK: - Of one time

    /// `23:22:01.123456`, `+12.123456` or `1795223793.123456`.
    func stamp(_ nanoseconds: Int64, digits: Int = 6) -> String {
        switch form {
        case .clock: local(nanoseconds).clock(digits: digits)
        case .relative: seconds(nanoseconds.subtractingReportingOverflow(origin).partialValue, digits, sign: "+")
        case .epoch: seconds(nanoseconds, digits, sign: "")
        }
    }

    /// `2026-11-20 CET` if the day has changed; nil otherwise, and where times of day are not shown.
    func day(_ nanoseconds: Int64, after previous: Int64?) -> String? {
        guard form == .clock else { return nil }
        let time = local(nanoseconds)
        if let previous, time.isSameDay(as: local(previous)) { return nil }
        return "\(time.date) \(name(nanoseconds))"
    }

    /// The beginning of an hour: `2026-11-20 23:00`.
    func hour(_ nanoseconds: Int64) -> String {
        guard form == .clock else { return stamp(nanoseconds, digits: 0) }
        let time = local(nanoseconds)
        return "\(time.date) \(time.clock(digits: 0).dropLast(3))"
    }

    private func local(_ nanoseconds: Int64) -> UTCTime {
        let offset = Int64(zone.offset(nanoseconds / 1_000_000_000).seconds) * 1_000_000_000
        let (sum, overflow) = nanoseconds.addingReportingOverflow(offset)
        return UTCTime(nanoseconds: overflow ? nanoseconds : sum)
    }

    private func name(_ nanoseconds: Int64) -> String { zone.offset(nanoseconds / 1_000_000_000).name.printable }

    private func seconds(_ nanoseconds: Int64, _ digits: Int, sign: String) -> String {
        let size = nanoseconds.magnitude
        let fraction = String(size % 1_000_000_000 + 1_000_000_000).dropFirst().prefix(digits)
        let whole = "\(size / 1_000_000_000)"
        return (nanoseconds < 0 ? "-" : sign) + whole + (digits > 0 ? ".\(fraction)" : "")
    }

    // MARK: - Of two times

    /// What a clock showed before and after it was set: `from 2026-11-20 12:03:05.000 to 11:03:05.000 UTC`.
    func change(from before: Int64, to after: Int64) -> String {
        guard form == .clock else { return "from \(stamp(before, digits: 3)) to \(stamp(after, digits: 3))" }
        let (old, new) = (local(before), local(after))
        let date = old.isSameDay(as: new) ? "" : new.date + " "
        return "from \(old.date) \(old.clock(digits: 3)) to \(date)\(new.clock(digits: 3)) \(name(after))"
    }

    /// `12:03:05 to 14:13:10`, with the dates where they differ or are requested, and with milliseconds if it took less than a
    /// second.
    ///
    /// - Parameter dated: with the date of the first time, and the zone after the last.
    func span(_ first: Int64, _ last: Int64, dated: Bool = false) -> String {
        let isShort = last.subtractingReportingOverflow(first).partialValue.magnitude < 1_000_000_000
        let digits = isShort ? 3 : 0
        guard form == .clock else {
            let (from, to) = (stamp(first, digits: digits), stamp(last, digits: digits))
            return from == to ? from : "\(from) to \(to)"
        }
        let (start, end) = (local(first), local(last))
        let from = (dated ? start.date + " " : "") + start.clock(digits: digits)
        let to = (start.isSameDay(as: end) ? "" : end.date + " ") + end.clock(digits: digits)
        let zone = dated ? " \(name(last))" : ""
        if first == last || start.isSameDay(as: end) && start.clock(digits: digits) == end.clock(digits: digits) {
            return from + zone
        }
        return "\(!dated && !start.isSameDay(as: end) ? start.date + " " : "")\(from) to \(to)\(zone)"
    }
}

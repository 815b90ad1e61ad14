import ArgumentParser
import Glibc
import Reporting

/// The time zone in which times are read and shown, by the C library's rules.
struct WallClock {
    /// UTC, local, or a name from the time zone database.
    let name: String

    static let utc = WallClock()

    private init() { name = "UTC" }

    /// - Throws: for an unknown zone, which the C library would treat as UTC.
    init(_ name: String) throws {
        self.name = name
        guard name != "local", !isUTC else { return }
        let folder = "/usr/share/zoneinfo/"
        guard !name.isEmpty, !name.hasPrefix("/"), !name.split(separator: "/").contains(".."),
            access(folder + name, R_OK) == 0
        else {
            throw ValidationError(
                "\"\(name.printable)\" is not a time zone of \(folder): use UTC, local, or a name like Europe/Berlin.")
        }
    }

    private var isUTC: Bool { name.uppercased() == "UTC" || name == "Z" }

    /// Makes it the time zone of the process.
    func activate() {
        if isUTC { setenv("TZ", "UTC0", 1) } else if name != "local" { setenv("TZ", ":" + name, 1) }
        tzset()
    }

    var zone: TimeDisplay.Zone {
        guard !isUTC else { return .utc }
        return TimeDisplay.Zone { seconds in
            var time = time_t(seconds)
            var broken = tm()
            guard localtime_r(&time, &broken) != nil else { return (0, "UTC") }
            return (broken.tm_gmtoff, broken.tm_zone.map { String(cString: $0) } ?? "")
        }
    }

    /// Nanoseconds since 1970-01-01 UTC; nil if there is no such date or time of day.
    func nanoseconds(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, nanosecond: Int) -> Int64? {
        guard (1...12).contains(month), (1...31).contains(day), (0...24).contains(hour), (0...59).contains(minute),
            (0...60).contains(second), (1678...2261).contains(year)
        else { return nil }
        var broken = tm()
        broken.tm_year = Int32(year - 1900)
        broken.tm_mon = Int32(month - 1)
        broken.tm_mday = Int32(day)
        broken.tm_hour = Int32(hour)
        broken.tm_min = Int32(minute)
        broken.tm_sec = Int32(second)
        broken.tm_isdst = -1
        let seconds = isUTC ? timegm(&broken) : mktime(&broken)
        // The thirtieth of February does not exist.
        guard broken.tm_mday == Int32(day) || hour == 24 else { return nil }
        return Int64(seconds) * 1_000_000_000 + Int64(nanosecond)
    }

    /// Year, month and day in this zone.
    func date(_ nanoseconds: Int64) -> (year: Int, month: Int, day: Int) {
        var time = time_t(nanoseconds / 1_000_000_000)
        var broken = tm()
        _ = isUTC ? gmtime_r(&time, &broken) : localtime_r(&time, &broken)
        return (Int(broken.tm_year) + 1900, Int(broken.tm_mon) + 1, Int(broken.tm_mday))
    }
}

/// A length of time for a person: `2 h 4 min`, `350 s`, `12.3 s`, `36 ms`, `2.7 ms`, `244 µs`, `80 ns`. Cut, not rounded:
/// what is said to have taken 60 s has taken that long.
package struct TimeSpan: CustomStringConvertible {
    private let nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package var description: String {
        let seconds = nanoseconds / 1_000_000_000
        if seconds >= 7200 { return "\(seconds / 3600) h \(seconds % 3600 / 60) min" }
        if seconds >= 100 { return "\(seconds) s" }
        if seconds >= 1 { return "\(seconds).\(nanoseconds % 1_000_000_000 / 100_000_000) s" }
        if nanoseconds >= 10_000_000 { return "\(nanoseconds / 1_000_000) ms" }
        if nanoseconds >= 1_000_000 {
            return "\(nanoseconds / 1_000_000).\(nanoseconds % 1_000_000 / 100_000) ms"
        }
        return nanoseconds >= 1000 ? "\(nanoseconds / 1000) µs" : "\(nanoseconds) ns"
    }
}

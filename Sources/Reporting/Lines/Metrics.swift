public import Correlator
import KernelEvents

/// Counts RSTs for Prometheus (text format 0.0.4), by labels with few values: never by address, port or process.
public struct Metrics: Sendable {
    /// What RSTs are counted by.
    private struct Series: Hashable, Comparable {
        var direction: String
        var cause: String
        var certainty: String
        var unit = ""
        var container = ""

        private var key: [String] { [direction, cause, certainty, unit, container] }
        static func < (a: Series, b: Series) -> Bool { a.key.lexicographicallyPrecedes(b.key) }
    }

    private var counts: [Series: Int] = [:]
    private let version: String
    /// Nanoseconds from a RST to its line, the longest: of this interval, and of the one before it.
    private var lag: (begun: Int64, current: Int64, previous: Int64) = (0, 0, 0)
    /// Kernel events that were lost, by place.
    public var eventsLost: [String: Int] = [:]

    /// Nanoseconds after which a lag is forgotten, or twice that: what scrapes comes more often.
    private static let lagInterval: Int64 = 30_000_000_000
    /// Places that have a series from the beginning, so that an increase shows.
    private static let places = ["recursion", "ring"]

    /// Names of units and containers are untrusted: beyond this many series they are counted together.
    static let mostSeries = 1000
    /// The name under which the rest is counted.
    private static let others = "other"

    /// - Parameter version: of the program.
    public init(version: String) { self.version = version }

    /// Counts RSTs that were shown.
    ///
    /// - Parameter time: when, nanoseconds since 1970-01-01 UTC.
    public mutating func add(_ resets: ResetList, at time: Int64) {
        for row in resets.rows {
            let place = resets.attribution(of: row).location
            var series = Series(
                direction: row.direction.rawValue, cause: row.cause.rawValue, certainty: row.certainty.rawValue,
                unit: place?.identity.unit ?? "", container: place?.containerTitle ?? "")
            if counts[series] == nil, counts.count >= Self.mostSeries {
                if !series.unit.isEmpty { series.unit = Self.others }
                if !series.container.isEmpty { series.container = Self.others }
            }
            counts[series, default: 0] += 1
            if row.hasWallClock {
                let (lag, overflow) = time.subtractingReportingOverflow(row.time)
                if !overflow { note(lag, at: time) }
            }
        }
    }

    private mutating func note(_ age: Int64, at time: Int64) {
        turn(at: time)
        lag.current = max(lag.current, age)
    }

    private mutating func turn(at time: Int64) {
        let (age, overflow) = time.subtractingReportingOverflow(lag.begun)
        guard overflow || age < 0 || age >= Self.lagInterval else { return }
        lag = (time, 0, overflow || age < 0 || age >= 2 * Self.lagInterval ? 0 : lag.current)
    }

    /// All series in a fixed order.
    ///
    /// - Parameter time: nanoseconds since 1970-01-01 UTC.
    public mutating func text(at time: Int64) -> String {
        var text = """
            # HELP rst_resets_total TCP RSTs seen, by direction, cause, certainty, unit and container.
            # TYPE rst_resets_total counter

            """
        for (series, count) in counts.sorted(by: { $0.key < $1.key }) {
            text += "rst_resets_total{direction=\"\(series.direction)\",cause=\"\(series.cause)\","
            text += "certainty=\"\(series.certainty)\",unit=\"\(Self.escaped(series.unit))\","
            text += "container=\"\(Self.escaped(series.container))\"} \(count)\n"
        }
        text += """
            # HELP rst_events_lost_total Kernel events lost, by place.
            # TYPE rst_events_lost_total counter

            """
        for place in Set(Self.places).union(eventsLost.keys).sorted() {
            text += "rst_events_lost_total{where=\"\(Self.escaped(place))\"} \(eventsLost[place] ?? 0)\n"
        }
        turn(at: time)
        let longest = max(lag.current, lag.previous)
        let fraction = String(longest % 1_000_000_000 + 1_000_000_000).dropFirst()
        text += """
            # HELP rst_watch_lag_seconds Longest delay from a RST to its line in the last half minute.
            # TYPE rst_watch_lag_seconds gauge
            rst_watch_lag_seconds \(longest / 1_000_000_000).\(fraction)
            # HELP rst_analyze_build_info Version of rst-analyze.
            # TYPE rst_analyze_build_info gauge
            rst_analyze_build_info{version="\(Self.escaped(version))"} 1

            """
        return text
    }

    /// Escapes a label's value.
    private static func escaped(_ value: String) -> String {
        var text = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}

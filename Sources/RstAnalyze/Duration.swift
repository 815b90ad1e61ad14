import ArgumentParser

/// A length of time as people type it: `500ms`, `30s`, `5m`, `1h`; a bare number is seconds.
struct TimeLength: ExpressibleByArgument, Equatable {
    let nanoseconds: Int64

    init?(argument: String) {
        let units: [(suffix: String, nanoseconds: Double)] = [
            ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9), ("", 1e9),
        ]
        guard let unit = units.first(where: { argument.hasSuffix($0.suffix) }),
            let number = Double(argument.dropLast(unit.suffix.count)), number > 0, number.isFinite,
            number * unit.nanoseconds < 1e18
        else { return nil }
        nanoseconds = Int64(number * unit.nanoseconds)
    }

    var defaultValueDescription: String { "\(Double(nanoseconds) / 1e9)s" }
}

import ArgumentParser

/// A length of time as people type it: `500ms`, `30s`, `1.5h`, `1m30s`; a bare number is seconds.
struct TimeLength: ExpressibleByArgument, Equatable {
    let nanoseconds: Int64

    init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    private static let units: [(suffix: String, nanoseconds: Double)] = [
        ("d", 86_400e9), ("h", 3600e9), ("m", 60e9), ("s", 1e9), ("ms", 1e6),
    ]

    init?(argument: String) {
        var sum = 0.0
        var rest = argument[...]
        // Larger units come before smaller ones, each at most once.
        var units = Self.units[...]
        if Double(rest) != nil { rest += "s" }
        repeat {
            let digits = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
            rest = rest.dropFirst(digits.count)
            let suffix = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(suffix.count)
            guard let number = Double(digits), let place = units.firstIndex(where: { $0.suffix == suffix }) else {
                return nil
            }
            sum += number * units[place].nanoseconds
            units = units[(place + 1)...]
        } while !rest.isEmpty
        guard sum >= 1, sum < 1e18 else { return nil }
        nanoseconds = Int64(sum)
    }

    var defaultValueDescription: String { "\(Double(nanoseconds) / 1e9)s" }
}

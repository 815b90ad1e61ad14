import Correlator
import NetworkTypes

/// Resets over time as stacked bars, the most frequent causes apart.
struct ResetChart {
    private static let slices = 60
    /// More could not be told apart by colour; the last is for all others.
    private static let colors = 8
    private static let width = 960
    private static let height = 160

    private let first: Int64
    private let last: Int64
    /// The most frequent first.
    private let names: [(name: String, count: Int)]
    /// Of each slice how many there are of each name.
    private let counts: [[Int]]

    /// - Returns: nil if all came at one time.
    init?(_ resets: ResetList) {
        guard let span = resets.span, span.last > span.first else { return nil }
        (first, last) = span
        var totals: [Cause: Int] = [:]
        for row in resets.rows where row.hasWallClock { totals[row.cause, default: 0] += 1 }
        let causes = totals.sorted { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) }
        let own = causes.count <= Self.colors ? causes.count : Self.colors - 1
        var names = causes[..<own].map { (name: $0.key.rawValue, count: $0.value) }
        if own < causes.count {
            names.append(("\(causes.count - own) others", causes[own...].reduce(0) { $0 + $1.value }))
        }
        self.names = names
        var places: [Cause: Int] = [:]
        for (place, cause) in causes.enumerated() { places[cause.key] = min(place, names.count - 1) }
        var counts = [[Int]](repeating: [Int](repeating: 0, count: names.count), count: Self.slices)
        let length = Double(Self.length(span.first, span.last))
        for row in resets.rows where row.hasWallClock {
            let share = Double(Self.length(span.first, row.time)) / length
            let slice = max(0, min(Self.slices - 1, Int(share * Double(Self.slices))))
            counts[slice][places[row.cause] ?? 0] += 1
        }
        self.counts = counts
    }

    /// What the template needs.
    func values(_ time: TimeDisplay) -> [String: Any] {
        let most = counts.map { $0.reduce(0, +) }.max() ?? 1
        let step = Self.width / Self.slices
        let slices = counts.enumerated().compactMap { place, counts -> [String: Any]? in
            guard counts.contains(where: { $0 > 0 }) else { return nil }
            var below = 0
            let parts = names.indices.compactMap { name -> [String: Any]? in
                guard counts[name] > 0 else { return nil }
                let (bottom, top) = (height(below, most), height(below + counts[name], most))
                below += counts[name]
                return [
                    "color": name, "x": place * step + 1, "width": step - 2, "y": Self.height - top,
                    "height": max(2, top - bottom),
                ]
            }
            let words = names.indices.filter { counts[$0] > 0 }.map { "\(counts[$0].grouped) \(names[$0].name)" }
            let span = time.span(moment(place), moment(place + 1))
            return [
                "title": "\(span): \(words.joined(separator: ", "))", "x": place * step, "width": step, "parts": parts,
            ]
        }
        let list = names.map { "\($0.name): \($0.count.grouped)" }.joined(separator: ", ")
        return [
            "chartWidth": Self.width, "chartHeight": Self.height, "slices": slices,
            "chartLabel": "Resets over time by cause. \(list)", "chartFirst": time.span(first, first, dated: true),
            "chartLast": time.span(last, last, dated: true),
            "chartMost": "highest bar: \(most.counted("reset")) in \(sliceLength)",
            "legend": names.enumerated().map {
                ["color": $0.offset, "name": $0.element.name, "count": $0.element.count.grouped] as [String: Any]
            },
        ]
    }

    /// Nanoseconds from one time to a later one, however far apart.
    private static func length(_ first: Int64, _ last: Int64) -> UInt64 { UInt64(bitPattern: last &- first) }

    private func height(_ count: Int, _ most: Int) -> Int {
        Int((Double(count) / Double(most) * Double(Self.height)).rounded())
    }

    /// Where a slice begins.
    private func moment(_ slice: Int) -> Int64 {
        let share = Double(slice) / Double(Self.slices)
        return slice >= Self.slices ? last : first &+ Int64(Double(Self.length(first, last)) * share)
    }

    private var sliceLength: String {
        roughly(nanoseconds: Self.length(first, last) / UInt64(Self.slices))
    }
}

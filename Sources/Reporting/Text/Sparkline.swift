/// Counts as a row of bars, one column each, to show at a glance when something was frequent.
func sparkline(_ counts: [Int], isUnicode: Bool) -> String {
    guard let most = counts.max(), most > 0 else { return "" }
    let bars: [Character] =
        isUnicode ? ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] : [".", ":", "-", "=", "+", "*", "%", "#"]
    return String(
        counts.map { count in
            // Zero is shown differently from little.
            count == 0 ? "_" : bars[min(bars.count - 1, Int(Double(count) / Double(most) * Double(bars.count)))]
        })
}

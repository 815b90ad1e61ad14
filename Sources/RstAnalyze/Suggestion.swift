/// The word that was probably meant: one that differs in at most a third of its letters.
func nearest(_ typed: String, among words: [String]) -> String? {
    let candidates = words.map { ($0, distance(typed.lowercased(), $0.lowercased())) }
    guard let best = candidates.min(by: { $0.1 < $1.1 }), best.1 <= max(1, max(typed.count, best.0.count) / 3) else {
        // The beginning or the end of a word is more likely than a misspelling of another word.
        let parts = words.filter { typed.count >= 3 && ($0.hasPrefix(typed) || $0.contains("-" + typed)) }
        return parts.first
    }
    return best.0
}

/// How many letters have to be added, removed, changed or swapped with a neighbour (optimal string alignment).
private func distance(_ one: String, _ other: String) -> Int {
    let a = Array(one.utf8.prefix(64)), b = Array(other.utf8.prefix(64))
    var rows = [Array(0...b.count)]
    for i in 0..<a.count {
        var row = [i + 1]
        for j in 0..<b.count {
            var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, rows[i - 1][j - 1] + 1) }
            row.append(best)
        }
        rows.append(row)
    }
    return rows[a.count][b.count]
}

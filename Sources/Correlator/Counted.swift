extension Int {
    /// With commas between groups of three digits: `10,000`.
    package var grouped: String {
        var digits = String(magnitude)
        var place = digits.endIndex
        while digits.distance(from: digits.startIndex, to: place) > 3 {
            place = digits.index(place, offsetBy: -3)
            digits.insert(",", at: place)
        }
        return (self < 0 ? "-" : "") + digits
    }

    /// `1 host`, `10,000 hosts`.
    package func counted(_ noun: String, plural: String? = nil) -> String {
        "\(grouped) \(self == 1 ? noun : plural ?? noun + "s")"
    }
}

extension StringProtocol {
    /// The text as a terminal may show it: what could move the cursor, change colours or reverse the direction of
    /// reading is written as `\u{…}`. Names of processes, files and interfaces are chosen by whoever made them.
    package var printable: String {
        guard unicodeScalars.contains(where: Self.isHarmful) else { return String(self) }
        var result = ""
        for scalar in unicodeScalars {
            if Self.isHarmful(scalar) {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: true
        default: false
        }
    }
}

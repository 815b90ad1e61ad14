extension StringProtocol {
    /// The text in a form that is safe for terminals: whatever could move the cursor, change colours or reverse the reading
    /// direction is written as `\u{…}`. Names of processes, files and interfaces are untrusted.
    package var printable: String {
        // Nearly always, and much faster than to look up what each character is.
        if utf8.allSatisfy({ (0x20...0x7e).contains($0) }) { return String(self) }
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

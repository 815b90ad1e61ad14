public import Correlator

/// The catalogue of causes for a person.
public enum CatalogueText {
    /// One line a cause, by category.
    public static var overview: String {
        var text = ""
        for category in Category.allCases {
            let rules = Catalogue.rules.filter { $0.category == category }
            guard !rules.isEmpty else { continue }
            text += "\(text.isEmpty ? "" : "\n")\(category.rawValue)\n"
            for rule in rules { text += filled(rule.meaning, head: "  \(rule.cause.rawValue)", indent: 32) }
        }
        return text
    }

    /// Everything the catalogue knows of one cause.
    public static func entry(_ cause: Cause) -> String {
        guard let rule = Catalogue.rule(for: cause) else { return "" }
        var text = "\(rule.cause.rawValue) (\(rule.category.rawValue))\n"
        text += "\n" + filled(rule.meaning, head: "", indent: 2)
        text += "\nWhat to do\n" + filled(rule.advice, head: "", indent: 2)
        text += "\nHow it is recognised\n" + filled(rule.recognition, head: "", indent: 2)
        text += "\nWhat that rests on\n" + filled(rule.basis, head: "", indent: 2)
        if !rule.reasons.isEmpty {
            text += "\nThe kernel's reasons that agree with it\n"
            text += filled(rule.reasons.sorted().joined(separator: ", "), head: "", indent: 2)
        }
        return text
    }

    private static func filled(_ sentence: String, head: String, indent: Int) -> String {
        var text = ""
        var line = head + String(repeating: " ", count: max(1, indent - head.count))
        var isEmpty = true
        for word in sentence.split(separator: " ") {
            if !isEmpty, line.count + 1 + word.count > 80 {
                text += line + "\n"
                line = String(repeating: " ", count: indent)
                isEmpty = true
            }
            if !isEmpty { line += " " }
            line += word
            isEmpty = false
        }
        return text + line + "\n"
    }
}

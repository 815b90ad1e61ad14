extension TextReport {
    /// Appends a text, broken into lines at its spaces.
    ///
    /// - Parameters:
    ///   - indent: of the first line, in columns.
    ///   - hanging: indent of the lines after it; nil for two columns more.
    mutating func wrap(_ sentence: String, indent: Int, hanging: Int? = nil, color: Color? = nil) {
        for line in lines(sentence, indent: indent, hanging: hanging) { text += paint(line, color) + "\n" }
    }

    func lines(_ sentence: String, indent: Int, hanging: Int? = nil) -> [String] {
        var lines: [String] = []
        var line = String(repeating: " ", count: indent)
        var width = indent
        var isEmpty = true
        for word in sentence.split(separator: " ") {
            let columns = word.columns
            if !isEmpty, width + 1 + columns > options.width {
                lines.append(line)
                width = hanging ?? indent + 2
                line = String(repeating: " ", count: width)
                isEmpty = true
            }
            if !isEmpty {
                line += " "
                width += 1
            }
            line += word
            width += columns
            isEmpty = false
        }
        lines.append(line)
        return lines
    }

    enum Color: String {
        case green = "32"
        case yellow = "33"
        case magenta = "35"
        case bold = "1"
    }

    func paint(_ text: String, _ color: Color?) -> String {
        guard options.color, let color else { return text }
        return "\u{1b}[\(color.rawValue)m\(text)\u{1b}[0m"
    }

    func padLeft(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.columns)) + text
    }
}

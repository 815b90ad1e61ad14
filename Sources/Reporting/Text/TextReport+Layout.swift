extension TextReport {
    mutating func wrap(_ sentence: String, indent: Int, color: Color? = nil) {
        var line = String(repeating: " ", count: indent)
        var isEmpty = true
        for word in sentence.split(separator: " ") {
            if !isEmpty, line.count + 1 + word.count > 80 {
                text += paint(line, color) + "\n"
                line = String(repeating: " ", count: indent + 2)
                isEmpty = true
            }
            if !isEmpty { line += " " }
            line += word
            isEmpty = false
        }
        text += paint(line, color) + "\n"
    }

    enum Color: String {
        case green = "32"
        case yellow = "33"
    }

    func paint(_ text: String, _ color: Color?) -> String {
        guard options.color, let color else { return text }
        return "\u{1b}[\(color.rawValue)m\(text)\u{1b}[0m"
    }

    func padLeft(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    func padRight(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }
}

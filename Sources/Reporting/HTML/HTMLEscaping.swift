import Mustache

/// Escapes text for element content and for attribute values in quotes.
///
/// Mustache's own escaping looks at characters: a quotation mark with a combining accent is none to it, but ends an attribute
/// for a browser, which looks at code points.
struct HTMLScalars: MustacheContentType {
    /// As the templates refer to it.
    static let name = "HTML-SCALARS"

    func escapeText(_ text: String) -> String {
        var result = ""
        result.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

extension [UInt8] {
    /// JSON as the content of a script element: nothing in it ends the element or begins a comment.
    var safeInScript: [UInt8] {
        guard contains(UInt8(ascii: "<")) else { return self }
        var result: [UInt8] = []
        result.reserveCapacity(count + 64)
        for byte in self {
            // In JSON, the sign is found only in strings.
            if byte == UInt8(ascii: "<") { result += Array("\\u003c".utf8) } else { result.append(byte) }
        }
        return result
    }
}

import JSONText

/// One flat JSON object on a line, for small outputs.
public enum JSONLine {
    public enum Value: Sendable {
        case string(String)
        case strings([String])
        case number(Int)
    }

    public static func encode(_ fields: [(key: String, value: Value)]) -> String {
        var json = JSONWriter()
        for (index, field) in fields.enumerated() {
            json.raw(index == 0 ? "{" : ",")
            json.string(field.key)
            json.raw(":")
            switch field.value {
            case .string(let text): json.string(text)
            case .number(let number): json.number(number)
            case .strings(let texts): json.strings("[", texts)
            }
        }
        json.raw("}")
        return String(decoding: json.copy(), as: UTF8.self)
    }
}

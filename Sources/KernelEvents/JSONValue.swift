/// Any JSON value, for the output of other tools, whose volume does not matter.
package enum JSONValue: Equatable {
    case null
    case boolean(Bool)
    /// Nil for a number that is not an integer of 64 bits.
    case number(Int64?)
    case string(String)
    case array([JSONValue])
    /// Of keys that come twice the last counts.
    case object([String: JSONValue])

    /// Nil for anything that is not one JSON text (RFC 8259) and nothing more.
    package init?(_ text: [UInt8]) {
        let parsed = unsafe text.withUnsafeBytes { buffer -> JSONValue? in
            guard var scanner = unsafe LineScanner(buffer) else { return nil }
            scanner.spansLines = true
            guard let value = try? scanner.value() else { return nil }
            scanner.skipSpace()
            return scanner.position >= scanner.end ? value : nil
        }
        guard let parsed else { return nil }
        self = parsed
    }

    package subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members[key]
    }

    package var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    package func integer<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) -> Value? {
        guard case .number(let number?) = self else { return nil }
        return Value(exactly: number)
    }
}

extension LineScanner {
    mutating func value(depth: Int = 0) throws(LineProblem) -> JSONValue {
        guard depth < Self.deepest else { throw problem("nested too deep") }
        skipSpace()
        switch byte {
        case UInt8(ascii: "\""): return .string(try string() ?? "")
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean(try boolean() ?? false)
        case UInt8(ascii: "n"):
            try literal("null")
            return .null
        case UInt8(ascii: "["):
            position += 1
            var elements: [JSONValue] = []
            var isFirst = true
            while try nextElement(&isFirst) { elements.append(try value(depth: depth + 1)) }
            return .array(elements)
        case UInt8(ascii: "{"):
            position += 1
            var members: [String: JSONValue] = [:]
            skipSpace()
            if byte == UInt8(ascii: "}") {
                position += 1
                return .object(members)
            }
            while true {
                skipSpace()
                guard byte == UInt8(ascii: "\"") else { throw problem("expected a key in quotes") }
                let name = try string() ?? ""
                try expect(UInt8(ascii: ":"), "expected a colon")
                members[name] = try value(depth: depth + 1)
                skipSpace()
                if byte == UInt8(ascii: "}") {
                    position += 1
                    return .object(members)
                }
                try expect(UInt8(ascii: ","), "expected a comma or a closing brace")
            }
        default:
            let start = position
            try skipNumber()
            var number = self
            number.position = start
            // A fraction or an exponent is a problem for the integer only.
            let integer = try? number.integer(Int64.self, from: -Int64.max)
            return .number(number.position == position ? integer ?? nil : nil)
        }
    }
}

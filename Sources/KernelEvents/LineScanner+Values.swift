/// The values of a record. Each returns nil for `null`, which is the same as an absent key.
extension LineScanner {
    /// True, having read it, if `null` is next.
    @inline(__always)
    mutating func skipNull() throws(LineProblem) -> Bool {
        if byte == UInt8(ascii: "\"") { return false }
        return try skipSpacedNull()
    }

    private mutating func skipSpacedNull() throws(LineProblem) -> Bool {
        skipSpace()
        guard byte == UInt8(ascii: "n") else { return false }
        try literal("null")
        return true
    }

    mutating func literal(_ word: StaticString) throws(LineProblem) {
        for index in 0..<word.utf8CodeUnitCount {
            guard unsafe byte(at: position + index) == word.utf8Start[index] else {
                throw problem("expected a value")
            }
        }
        position += word.utf8CodeUnitCount
    }

    mutating func boolean() throws(LineProblem) -> Bool? {
        skipSpace()
        switch byte {
        case UInt8(ascii: "t"):
            try literal("true")
            return true
        case UInt8(ascii: "f"):
            try literal("false")
            return false
        case UInt8(ascii: "n"):
            try literal("null")
            return nil
        default: throw problem("expected true or false")
        }
    }

    /// An integer from `least` to `limit` (not negative), without fraction or exponent.
    @inline(__always)
    mutating func integer<Value: FixedWidthInteger>(
        _ type: Value.Type = Value.self, from least: Value = .min, upTo limit: Value = .max
    ) throws(LineProblem) -> Value? {
        if byte &- 0x30 <= 9 {
            let start = position
            let magnitude = try digits()
            guard magnitude <= UInt64(truncatingIfNeeded: limit) else {
                throw LineProblem("the number is out of range", at: start, key: key)
            }
            return Value(truncatingIfNeeded: magnitude)
        }
        let least = Value.isSigned ? Int64(truncatingIfNeeded: least) : 0
        guard let value = try spacedInteger(from: least, upTo: UInt64(truncatingIfNeeded: limit)) else { return nil }
        return Value(truncatingIfNeeded: value)
    }

    /// With white space before it, negative, or null. The result is in two's complement.
    private mutating func spacedInteger(from least: Int64, upTo limit: UInt64) throws(LineProblem) -> UInt64? {
        if try skipNull() { return nil }
        let start = position
        let isNegative = byte == UInt8(ascii: "-")
        if isNegative { position += 1 }
        let magnitude = try digits()
        let isInRange = isNegative ? magnitude <= least.magnitude && least < 0 : magnitude <= limit
        guard isInRange else { throw LineProblem("the number is out of range", at: start, key: key) }
        return isNegative ? 0 &- magnitude : magnitude
    }

    /// Nanoseconds of CLOCK_MONOTONIC or CLOCK_REALTIME, 0 to 2^62 - 1 (the year 2116): sums and differences of any
    /// two of them fit in 64 bits.
    @inline(__always)
    mutating func nanoseconds() throws(LineProblem) -> Int64? {
        try integer(Int64.self, from: 0, upTo: 1 << 62 - 1)
    }

    /// How many of something, 0 to 10^12: sums over any file that can exist fit in 64 bits.
    mutating func count() throws(LineProblem) -> Int? {
        try integer(Int.self, from: 0, upTo: 1_000_000_000_000)
    }

    @inline(__always)
    private mutating func digits() throws(LineProblem) -> UInt64 {
        let start = position
        // Eight bytes at once: digits become 0 to 9, and the lowest bit set in `others` is that of the first byte
        // that is none (a carry only disturbs bytes above such a one).
        let word = word(at: start) ^ 0x3030_3030_3030_3030
        let others = (word &+ 0x7676_7676_7676_7676 | word) & 0x8080_8080_8080_8080
        guard others != 0 else { return try manyDigits(Self.joined(word)) }
        let count = others.trailingZeroBitCount &>> 3
        position = start &+ count
        guard count > 0 else { throw problem("expected a number") }
        // The digits move to the high bytes and zeros lead them.
        let value = Self.joined(word &<< UInt64(truncatingIfNeeded: 64 &- 8 &* count))
        try checkDigits(from: start)
        return value
    }

    /// The number that eight bytes of one digit each are, the first in the lowest byte: neighbours are joined to four
    /// numbers of two digits, and these to one.
    @inline(__always)
    private static func joined(_ digits: UInt64) -> UInt64 {
        let pairs = digits &* 10 &+ digits &>> 8
        return
            ((pairs & 0x0000_00ff_0000_00ff) &* 0x000f_4240_0000_0064
            &+ (pairs &>> 16 & 0x0000_00ff_0000_00ff) &* 0x0000_2710_0000_0001) &>> 32
    }

    /// More than seven digits, the first eight of which are known.
    private mutating func manyDigits(_ head: UInt64) throws(LineProblem) -> UInt64 {
        let start = position
        var index = start &+ 8
        var value = head
        while true {
            let digit = byte(at: index) &- 0x30
            guard digit <= 9 else { break }
            value = value &* 10 &+ UInt64(digit)
            index &+= 1
        }
        // Nineteen digits always fit in 64 bits.
        if index &- start > 19 { return try longDigits() }
        position = index
        try checkDigits(from: start)
        return value
    }

    @inline(__always)
    private mutating func checkDigits(from start: Int) throws(LineProblem) {
        if position == start { throw problem("expected a number") }
        if byte == UInt8(ascii: ".") || byte | 0x20 == UInt8(ascii: "e") {
            throw problem("expected a number without fraction or exponent")
        }
        if position > start &+ 1, byte(at: start) == 0x30 {
            position = start
            throw problem("a number with a leading zero")
        }
    }

    private mutating func longDigits() throws(LineProblem) -> UInt64 {
        let start = position
        var value: UInt64 = 0
        while byte >= 0x30, byte <= 0x39 {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(byte - 0x30))
            if overflow || carry {
                position = start
                throw problem("the number is out of range")
            }
            value = sum
            position += 1
        }
        try checkDigits(from: start)
        return value
    }

    /// Any string, its escapes resolved.
    mutating func string() throws(LineProblem) -> String? {
        if try skipNull() { return nil }
        let text = try text()
        if text.isEscaped { return unescaped(text.range) }
        return unsafe String(decoding: bytes(text.range), as: UTF8.self)
    }

    /// A string that is likely to come again.
    @inline(__always)
    mutating func string(from names: inout NameCache) throws(LineProblem) -> String? {
        if try skipNull() { return nil }
        let text = try text()
        if text.isEscaped { return unescaped(text.range) }
        return names.string(text.range, of: self)
    }

    /// Reads over a value of any kind, checking its form.
    mutating func skipValue(depth: Int = 0) throws(LineProblem) {
        guard depth < Self.deepest else { throw problem("nested too deep") }
        skipSpace()
        switch byte {
        case UInt8(ascii: "\""): _ = try text()
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"): try literal("false")
        case UInt8(ascii: "n"): try literal("null")
        case UInt8(ascii: "["):
            position += 1
            var isFirst = true
            while try nextElement(&isFirst) { try skipValue(depth: depth + 1) }
        case UInt8(ascii: "{"):
            var isFirst = true
            while try nextKey(&isFirst) != nil { try skipValue(depth: depth + 1) }
        default: try skipNumber()
        }
    }

    /// RFC 8259, section 6; the value does not matter, so 1e400 is a number like any other.
    mutating func skipNumber() throws(LineProblem) {
        if byte == UInt8(ascii: "-") { position += 1 }
        let start = position
        try skipDigits()
        if position > start + 1, byte(at: start) == 0x30 { throw problem("a number with a leading zero") }
        if byte == UInt8(ascii: ".") {
            position += 1
            try skipDigits()
        }
        if byte | 0x20 == UInt8(ascii: "e") {
            position += 1
            if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { position += 1 }
            try skipDigits()
        }
    }

    private mutating func skipDigits() throws(LineProblem) {
        let start = position
        while byte >= 0x30, byte <= 0x39 { position += 1 }
        if position == start { throw problem("expected a value") }
    }
}

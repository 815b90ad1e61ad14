import NetworkTypes

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
        // A local cursor stays in a register.
        var index = start
        var value: UInt64 = 0
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

    /// `"0x…"`, one to sixteen digits.
    mutating func hexadecimal() throws(LineProblem) -> UInt64? {
        if try skipNull() { return nil }
        let range = try text().range
        let digits = range.count - 2
        guard digits >= 1, digits <= 16, byte(at: range.lowerBound) == 0x30,
            byte(at: range.lowerBound + 1) | 0x20 == UInt8(ascii: "x")
        else { throw problem("expected \"0x\" and one to sixteen hexadecimal digits") }
        var value: UInt64 = 0
        for index in range.lowerBound + 2..<range.upperBound {
            guard let digit = Self.hexDigit(byte(at: index)) else {
                throw problem("expected \"0x\" and one to sixteen hexadecimal digits")
            }
            value = value << 4 | UInt64(digit)
        }
        return value
    }

    /// tcpdump's letters, in any order.
    mutating func flags() throws(LineProblem) -> TCPFlags? {
        if try skipNull() { return nil }
        let range = try text().range
        var bits: UInt16 = 0
        for index in range {
            switch byte(at: index) {
            case UInt8(ascii: "F"): bits |= TCPFlags.fin.rawValue
            case UInt8(ascii: "S"): bits |= TCPFlags.syn.rawValue
            case UInt8(ascii: "R"): bits |= TCPFlags.rst.rawValue
            case UInt8(ascii: "P"): bits |= TCPFlags.psh.rawValue
            case UInt8(ascii: "A"), UInt8(ascii: "."): bits |= TCPFlags.ack.rawValue
            case UInt8(ascii: "U"): bits |= TCPFlags.urg.rawValue
            case UInt8(ascii: "E"): bits |= TCPFlags.ece.rawValue
            case UInt8(ascii: "W"): bits |= TCPFlags.cwr.rawValue
            case UInt8(ascii: "e"): bits |= TCPFlags.ae.rawValue
            default: throw problem("a letter that is no TCP flag")
            }
        }
        return TCPFlags(rawValue: bits)
    }

    /// The kernel's name of a state; nil also for a name that this version does not know.
    mutating func state() throws(LineProblem) -> TCPState? {
        if try skipNull() { return nil }
        let (range, isEscaped) = try text()
        if let state = StateNames.shared.state(head: word(at: range, 0), tail: word(at: range, 8), length: range.count)
        {
            return state
        }
        return unsafe TCPState(name: isEscaped ? unescaped(range) : String(decoding: bytes(range), as: UTF8.self))
    }

    mutating func address() throws(LineProblem) -> IPAddress? {
        if try skipNull() { return nil }
        let range = try text().range
        if let address = ipv4(range) ?? ipv6(range) { return address }
        // What is left are the rarer forms of RFC 4291, section 2.2: "::ffff:10.0.0.1".
        guard let address = unsafe IPAddress(utf8: bytes(range)) else { throw problem("expected an IP address") }
        return address
    }

    @inline(__always)
    private func ipv4(_ range: Range<Int>) -> IPAddress? {
        guard range.count >= 7, range.count <= 15 else { return nil }
        var address: UInt32 = 0
        var octet: UInt32 = 0
        var digits = 0
        var dots = 0
        for index in range {
            let byte = byte(at: index)
            let digit = byte &- 0x30
            if digit <= 9 {
                octet = octet &* 10 &+ UInt32(digit)
                digits &+= 1
                // 3 digits at most keep the octet below 1000.
                guard digits <= 3, octet <= 255 else { return nil }
            } else {
                guard byte == UInt8(ascii: "."), digits > 0, dots < 3 else { return nil }
                address = address << 8 | octet
                octet = 0
                digits = 0
                dots &+= 1
            }
        }
        guard dots == 3, digits > 0 else { return nil }
        return IPAddress(ipv4: address << 8 | octet)
    }

    /// Groups and one "::", without an IPv4 tail.
    private func ipv6(_ range: Range<Int>) -> IPAddress? {
        guard range.count >= 2, range.count <= 39 else { return nil }
        // Groups are shifted in from the right; at "::" those so far are set aside.
        var groups: UInt128 = 0
        var count = 0
        var before: UInt128 = 0
        var countBefore = -1
        var index = range.lowerBound
        while index < range.upperBound {
            if byte(at: index) == UInt8(ascii: ":") {
                let isDouble = index + 1 < range.upperBound && byte(at: index + 1) == UInt8(ascii: ":")
                if isDouble {
                    guard countBefore < 0 else { return nil }
                    before = groups
                    countBefore = count
                    groups = 0
                    index += 2
                    continue
                }
                // A single colon stands between two groups, never at an end or after "::".
                guard index > range.lowerBound, index + 1 < range.upperBound,
                    byte(at: index - 1) != UInt8(ascii: ":")
                else { return nil }
                index += 1
                continue
            }
            var group: UInt128 = 0
            var digits = 0
            while index < range.upperBound, let digit = Self.hexDigit(byte(at: index)) {
                group = group << 4 | UInt128(digit)
                digits += 1
                index += 1
            }
            guard digits >= 1, digits <= 4, count < 8 else { return nil }
            groups = groups << 16 | group
            count += 1
        }
        if countBefore >= 0 {
            guard count < 8 else { return nil }
            if countBefore > 0 { groups |= before << UInt128(16 * (8 - countBefore)) }
        } else if count != 8 {
            return nil
        }
        return IPAddress(high: UInt64(truncatingIfNeeded: groups >> 64), low: UInt64(truncatingIfNeeded: groups))
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
            position += 1
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

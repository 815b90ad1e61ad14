import NetworkTypes

/// The values that belong to networking: kernel addresses, flags, states, IP addresses.
extension LineScanner {
    /// `"0x…"`, one to sixteen digits.
    mutating func hexadecimal() throws(LineProblem) -> UInt64? {
        if try skipNull() { return nil }
        let range = try text().range
        let digits = range.upperBound &- range.lowerBound &- 2
        guard digits >= 1, digits <= 16, byte(at: range.lowerBound) == 0x30,
            byte(at: range.lowerBound + 1) | 0x20 == UInt8(ascii: "x")
        else { throw problem("expected \"0x\" and one to sixteen hexadecimal digits") }
        var value: UInt64 = 0
        var isHexadecimal = true
        var index = range.lowerBound &+ 2
        while index < range.upperBound {
            let byte = byte(at: index)
            index &+= 1
            let decimal = byte &- 0x30
            let letter = (byte | 0x20) &- 0x61
            isHexadecimal = isHexadecimal && (decimal <= 9 || letter <= 5)
            value = value << 4 | UInt64(decimal <= 9 ? decimal : letter &+ 10)
        }
        guard isHexadecimal else { throw problem("expected \"0x\" and one to sixteen hexadecimal digits") }
        return value
    }

    /// tcpdump's letters, in any order.
    mutating func flags() throws(LineProblem) -> TCPFlags? {
        if try skipNull() { return nil }
        let range = try text().range
        var flags: TCPFlags = []
        var index = range.lowerBound
        while index < range.upperBound {
            guard let flag = TCPFlags(letter: byte(at: index)) else { throw problem("a letter that is no TCP flag") }
            flags.formUnion(flag)
            index &+= 1
        }
        return flags
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
        let length = range.upperBound &- range.lowerBound
        guard length >= 7, length <= 15 else { return nil }
        var address: UInt32 = 0
        var octet: UInt32 = 0
        var digits = 0
        var dots = 0
        var index = range.lowerBound
        while index < range.upperBound {
            let byte = byte(at: index)
            index &+= 1
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
                // A single colon separates two groups; it is never at an end or after "::".
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
}

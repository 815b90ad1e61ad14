package import NetworkTypes

/// Appends JSON to a byte buffer: the few shapes that events.jsonl and the report need, without a tree in between.
package struct JSONWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    /// Appends text that is JSON already: punctuation and keys.
    @inline(__always)
    package mutating func raw(_ text: StaticString) {
        unsafe bytes.append(
            contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Appends what another writer wrote.
    package mutating func raw(_ text: [UInt8]) { bytes += text }

    // Not one generic function: across modules that is called through tables, at ten times the cost.
    package mutating func number(_ value: UInt64) { digits(value) }
    package mutating func number(_ value: UInt32) { digits(UInt64(value)) }
    package mutating func number(_ value: UInt16) { digits(UInt64(value)) }
    package mutating func number(_ value: UInt8) { digits(UInt64(value)) }
    package mutating func number(_ value: Int64) {
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        digits(value.magnitude)
    }
    package mutating func number(_ value: Int32) { number(Int64(value)) }
    package mutating func number(_ value: Int) { number(Int64(value)) }

    private mutating func digits(_ value: UInt64) {
        guard value >= 10 else {
            bytes.append(0x30 + UInt8(truncatingIfNeeded: value))
            return
        }
        var count = 1
        var rest = value
        while rest >= 10 {
            rest /= 10
            count += 1
        }
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(0x30, count: count))
        rest = value
        var at = start + count
        while at > start {
            at -= 1
            bytes[at] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
    }

    package mutating func boolean(_ value: Bool) {
        if value { raw("true") } else { raw("false") }
    }

    /// A quoted string. Escaped besides what RFC 8259, section 7, asks for: DEL and the C1 controls, so that no name a
    /// process chose can steer the terminal of the person who looks at the file.
    package mutating func string(_ text: String) {
        var text = text
        bytes.append(UInt8(ascii: "\""))
        text.withUTF8 { utf8 in
            var index = 0
            while index < utf8.count {
                let byte = unsafe utf8[index]
                index += 1
                switch byte {
                case 0x22: raw("\\\"")
                case 0x5c: raw("\\\\")
                case 0x08: raw("\\b")
                case 0x09: raw("\\t")
                case 0x0a: raw("\\n")
                case 0x0c: raw("\\f")
                case 0x0d: raw("\\r")
                case 0x00..<0x20, 0x7f: unicodeEscape(byte)
                case 0xc2:
                    // Swift strings are valid UTF-8: a second byte follows. C2 80 to C2 9F are U+0080 to U+009F.
                    if index < utf8.count, unsafe utf8[index] < 0xa0 {
                        unsafe unicodeEscape(utf8[index])
                        index += 1
                    } else {
                        bytes.append(byte)
                    }
                default:
                    // Almost all text is plain, and goes in one piece.
                    let start = index - 1
                    while index < utf8.count, unsafe Self.isPlain(utf8[index]) { index += 1 }
                    unsafe bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start..<index]))
                }
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x22 && byte != 0x5c && byte != 0x7f && byte != 0xc2
    }

    private mutating func unicodeEscape(_ byte: UInt8) {
        raw("\\u00")
        bytes.append(Self.hexDigits(byte >> 4))
        bytes.append(Self.hexDigits(byte & 15))
    }

    private static func hexDigits(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 + nibble : 0x57 + nibble }

    /// `"0xffff888103a4f000"`: JSON readers that hold numbers as doubles would round a kernel address.
    package mutating func hexadecimal(_ value: UInt64) {
        raw("\"0x")
        var shift = max(0, 60 - value.leadingZeroBitCount & ~3)
        while shift >= 0 {
            bytes.append(Self.hexDigits(UInt8(truncatingIfNeeded: value >> UInt64(shift) & 15)))
            shift -= 4
        }
        bytes.append(UInt8(ascii: "\""))
    }

    package mutating func address(_ address: IPAddress) {
        guard address.isIPv4 else {
            string(address.description)
            return
        }
        bytes.append(UInt8(ascii: "\""))
        for shift in [24, 16, 8, 0] as [UInt32] {
            digits(UInt64(address.ipv4 >> shift & 255))
            if shift > 0 { bytes.append(UInt8(ascii: ".")) }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// tcpdump's letters, as `TCPFlags.description` has them; bits that have no letter are not written.
    package mutating func flags(_ flags: TCPFlags) {
        bytes.append(UInt8(ascii: "\""))
        for (bit, letter) in "FSRPAUEWe".utf8.enumerated() where flags.rawValue & 1 << bit != 0 {
            bytes.append(letter)
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

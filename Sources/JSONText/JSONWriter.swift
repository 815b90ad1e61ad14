package import NetworkTypes

/// Appends JSON to a byte buffer: only the few shapes that events.jsonl and the report need, without building a tree.
package struct JSONWriter: Sendable {
    /// The first `count` bytes are written; the others are room for more, so that writing is nothing but copying.
    private var room: [UInt8] = []
    package private(set) var count = 0

    package init() {}

    /// - Parameter capacity: how many bytes are expected.
    package init(capacity: Int) { room = [UInt8](repeating: 0, count: capacity) }

    package var isEmpty: Bool { count == 0 }

    /// Whether an object or a list has just begun, or nothing has been written yet.
    @inline(__always)
    package var isAtStart: Bool {
        count == 0 || room[count - 1] == UInt8(ascii: "{") || room[count - 1] == UInt8(ascii: "[")
    }

    /// Copies all that has been written.
    package func copy() -> [UInt8] { Array(room[..<count]) }

    package mutating func removeAll() { count = 0 }

    /// Returns what has been written.
    package consuming func finish() -> [UInt8] {
        room.removeLast(room.count - count)
        return room
    }

    // MARK: Bytes

    /// Makes room for some bytes and passes it to the closure to write them.
    ///
    /// - Parameter length: not 0.
    @inline(__always)
    private mutating func write(_ length: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Void) {
        if room.count - count < length { grow(length) }
        // After making room, the array is not empty and has a base address.
        unsafe room.withUnsafeMutableBufferPointer { unsafe body($0.baseAddress! + count) }
        count += length
    }

    @inline(never)
    private mutating func grow(_ length: Int) {
        room.append(contentsOf: repeatElement(0, count: max(room.count, length, 4096)))
    }

    @inline(__always)
    private mutating func copy(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
        unsafe write(bytes.count) { unsafe $0.update(from: base, count: bytes.count) }
    }

    @inline(__always)
    private mutating func byte(_ byte: UInt8) { unsafe write(1) { unsafe $0.pointee = byte } }

    /// Appends text that is JSON already: punctuation and keys.
    @inline(__always)
    package mutating func raw(_ text: StaticString) {
        unsafe copy(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Appends the first bytes of a text that is JSON already: all are copied, which takes less than looking at the length.
    ///
    /// - Parameter length: up to 32.
    @inline(__always)
    package mutating func raw(_ text: SIMD32<UInt8>, length: Int) {
        if room.count - count < 32 { grow(32) }
        unsafe room.withUnsafeMutableBytes {
            unsafe $0.storeBytes(of: text, toByteOffset: count, as: SIMD32<UInt8>.self)
        }
        count += length
    }

    /// Appends what another writer wrote.
    package mutating func raw(_ text: [UInt8]) { unsafe text.withUnsafeBufferPointer { unsafe copy($0) } }

    // MARK: Numbers

    // Not one generic function: across modules that would be called through witness tables, at ten times the cost.
    package mutating func number(_ value: UInt64) { digits(value) }
    package mutating func number(_ value: UInt32) { digits(UInt64(value)) }
    package mutating func number(_ value: UInt16) { digits(UInt64(value)) }
    package mutating func number(_ value: UInt8) { digits(UInt64(value)) }
    package mutating func number(_ value: Int64) {
        if value < 0 { byte(UInt8(ascii: "-")) }
        digits(value.magnitude)
    }
    package mutating func number(_ value: Int32) { number(Int64(value)) }
    package mutating func number(_ value: Int) { number(Int64(value)) }

    private mutating func digits(_ value: UInt64) {
        // 1233 / 4096 is a little more than log10(2).
        var length = ((64 - (value | 1).leadingZeroBitCount) &* 1233) &>> 12
        if length == 0 || value >= Self.power(length) { length &+= 1 }
        digits(value, width: length)
    }

    /// Of ten, up to 10^19.
    @inline(__always)
    private static func power(_ exponent: Int) -> UInt64 { powers[exponent] }
    private static let powers = (0..<20).map { exponent in (0..<exponent).reduce(1 as UInt64) { power, _ in power * 10 }
    }

    /// The last `width` digits of a number, with leading zeros.
    package mutating func digits(_ value: UInt64, width: Int) {
        unsafe write(width) { bytes in
            var rest = value
            var at = width
            while at > 0 {
                at &-= 1
                let quotient = rest / 10
                unsafe bytes[at] = 0x30 | UInt8(truncatingIfNeeded: rest &- quotient &* 10)
                rest = quotient
            }
        }
    }

    /// A member whose value may be unknown; nothing is written then.
    ///
    /// - Parameter head: the text before the value: comma, key and colon.
    package mutating func member(_ head: StaticString, _ value: UInt64?) {
        guard let value else { return }
        raw(head)
        digits(value)
    }
    package mutating func member(_ head: StaticString, _ value: UInt32?) { member(head, value.map(UInt64.init)) }
    package mutating func member(_ head: StaticString, _ value: UInt16?) { member(head, value.map(UInt64.init)) }
    package mutating func member(_ head: StaticString, _ value: UInt8?) { member(head, value.map(UInt64.init)) }
    package mutating func member(_ head: StaticString, _ value: Int64?) {
        guard let value else { return }
        raw(head)
        number(value)
    }
    package mutating func member(_ head: StaticString, _ value: Int32?) { member(head, value.map(Int64.init)) }
    package mutating func member(_ head: StaticString, _ value: Int?) { member(head, value.map(Int64.init)) }

    /// The same for a string.
    @inline(__always)
    package mutating func member(_ head: StaticString, _ value: String?) {
        guard let value else { return }
        raw(head)
        string(value)
    }

    /// An array of strings.
    ///
    /// - Parameter head: the text before it, including its bracket.
    package mutating func strings(_ head: StaticString, _ values: [String]) {
        raw(head)
        for (index, value) in values.enumerated() {
            if index > 0 { raw(",") }
            string(value)
        }
        raw("]")
    }

    package mutating func boolean(_ value: Bool) {
        if value { raw("true") } else { raw("false") }
    }

    // MARK: Strings

    /// A quoted string. Besides what RFC 8259, section 7 requires, DEL and the C1 controls are escaped, so that no name chosen
    /// by a process can control the terminal of whoever looks at the file.
    package mutating func string(_ text: String) {
        var text = text
        byte(UInt8(ascii: "\""))
        text.withUTF8 { utf8 in
            var index = 0
            while index < utf8.count {
                // Almost all text is plain, and is copied in one piece.
                let start = index
                unsafe index += Self.plainWords(
                    UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(utf8)[index...]))
                while index < utf8.count, unsafe Self.isPlain(utf8[index]) { index += 1 }
                if start < index { unsafe copy(UnsafeBufferPointer(rebasing: utf8[start..<index])) }
                guard index < utf8.count else { break }
                let special = unsafe utf8[index]
                index += 1
                switch special {
                case 0x22: raw("\\\"")
                case 0x5c: raw("\\\\")
                case 0x08: raw("\\b")
                case 0x09: raw("\\t")
                case 0x0a: raw("\\n")
                case 0x0c: raw("\\f")
                case 0x0d: raw("\\r")
                case 0xc2:
                    // Swift strings are valid UTF-8: a second byte follows. C2 80 to C2 9F are U+0080 to U+009F.
                    if index < utf8.count, unsafe utf8[index] < 0xa0 {
                        unsafe unicodeEscape(utf8[index])
                        index += 1
                    } else {
                        byte(special)
                    }
                default: unicodeEscape(special)
                }
            }
        }
        byte(UInt8(ascii: "\""))
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x22 && byte != 0x5c && byte != 0x7f && byte != 0xc2
    }

    /// How many bytes at the start are plain, found eight at a time.
    private static func plainWords(_ bytes: UnsafeRawBufferPointer) -> Int {
        /// Marks, by their high bits, the bytes that are less than a number up to 128; the byte above may also be marked.
        func less(_ word: UInt64, than number: UInt64) -> UInt64 { (word &- ones &* number) & ~word & ones << 7 }
        let ones: UInt64 = 0x0101_0101_0101_0101
        var length = 0
        while length + 8 <= bytes.count {
            let word = unsafe bytes.loadUnaligned(fromByteOffset: length, as: UInt64.self)
            let escaped =
                less(word, than: 0x20) | less(word ^ ones &* 0x22, than: 1) | less(word ^ ones &* 0x5c, than: 1)
            let special = escaped | less(word ^ ones &* 0x7f, than: 1) | less(word ^ ones &* 0xc2, than: 1)
            if special != 0 { break }
            length += 8
        }
        return length
    }

    private mutating func unicodeEscape(_ code: UInt8) {
        raw("\\u00")
        byte(Self.hexDigits(code >> 4))
        byte(Self.hexDigits(code & 15))
    }

    private static func hexDigits(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 0x30 + nibble : 0x57 + nibble }

    /// `"0xffff888103a4f000"`: JSON readers that hold numbers as doubles would round a kernel address.
    package mutating func hexadecimal(_ value: UInt64) {
        raw("\"0x")
        var shift = max(0, 60 - value.leadingZeroBitCount & ~3)
        while shift >= 0 {
            byte(Self.hexDigits(UInt8(truncatingIfNeeded: value >> UInt64(shift) & 15)))
            shift -= 4
        }
        byte(UInt8(ascii: "\""))
    }

    package mutating func address(_ address: IPAddress) {
        guard address.isIPv4 else {
            string(address.description)
            return
        }
        byte(UInt8(ascii: "\""))
        for shift in [24, 16, 8, 0] as [UInt32] {
            digits(UInt64(address.ipv4 >> shift & 255))
            if shift > 0 { byte(UInt8(ascii: ".")) }
        }
        byte(UInt8(ascii: "\""))
    }

    /// In the form of `TCPFlags.description`.
    package mutating func flags(_ flags: TCPFlags) {
        byte(UInt8(ascii: "\""))
        for bit in 0..<TCPFlags.letters.utf8CodeUnitCount where flags.rawValue & 1 << bit != 0 {
            byte(unsafe TCPFlags.letters.utf8Start[bit])
        }
        byte(UInt8(ascii: "\""))
    }
}

/// A cursor over the bytes of JSON lines (RFC 8259, one text a line).
///
/// It never reads outside the buffer it was made for, and treats the end of the buffer as the end of a line. A newline
/// is not white space here, so that a broken line cannot swallow the next one.
@safe struct LineScanner {
    private let base: UnsafePointer<UInt8>
    let end: Int
    /// Before this position there are eight bytes to read at once.
    private let wordsEnd: UInt
    var position = 0
    /// Whether a newline is white space: in the pretty-printed output of other tools.
    var spansLines = false
    /// The key whose value is being read, for messages and to guess the next key.
    var key = RecordKey.unknown

    static let newline = UInt8(ascii: "\n")
    /// Deeper nesting than this is a damaged line; the format itself needs three levels.
    static let deepest = 64

    /// The buffer must outlive the scanner.
    init?(_ buffer: UnsafeRawBufferPointer) {
        guard let base = buffer.baseAddress else { return nil }
        unsafe self.base = base.assumingMemoryBound(to: UInt8.self)
        end = buffer.count
        wordsEnd = UInt(max(0, buffer.count - 7))
    }

    /// The byte under the cursor; a newline at the end.
    @inline(__always)
    var byte: UInt8 { byte(at: position) }

    @inline(__always)
    func byte(at position: Int) -> UInt8 {
        // As an unsigned number a negative position is past the end too.
        UInt(bitPattern: position) < UInt(bitPattern: end) ? unsafe base[position] : Self.newline
    }

    /// Eight bytes as a little-endian number, whatever stands before the end, zeros after it.
    @inline(__always)
    func word(at position: Int) -> UInt64 {
        if UInt(bitPattern: position) < wordsEnd {
            return unsafe UInt64(
                littleEndian: UnsafeRawPointer(base + position).loadUnaligned(as: UInt64.self))
        }
        return lastWord(at: position)
    }

    private func lastWord(at position: Int) -> UInt64 {
        var word: UInt64 = 0
        for index in 0..<8 where position >= 0 && position < end - index {
            word |= UInt64(byte(at: position + index)) << UInt64(8 * index)
        }
        return word
    }

    func bytes(_ range: Range<Int>) -> UnsafeBufferPointer<UInt8> {
        let range = range.clamped(to: 0..<end)
        return unsafe UnsafeBufferPointer(start: base + range.lowerBound, count: range.count)
    }

    func problem(_ text: StaticString) -> LineProblem { LineProblem(text, at: position, key: key) }

    // MARK: Structure

    /// Spaces, tabs and carriage returns, so that CRLF ends a line too.
    @inline(__always)
    mutating func skipSpace() {
        while byte <= 0x20,
            byte == 0x20 || byte == 0x09 || byte == 0x0d || (spansLines && byte == 0x0a && position < end)
        {
            position += 1
        }
    }

    @inline(__always)
    mutating func expect(_ wanted: UInt8, _ text: StaticString) throws(LineProblem) {
        skipSpace()
        guard byte == wanted else { throw problem(text) }
        position += 1
    }

    /// Stops before the opening brace, which the first `nextKey` reads.
    @inline(__always)
    mutating func beginObject() throws(LineProblem) {
        if byte == UInt8(ascii: "{") { return }
        skipSpace()
        guard byte == UInt8(ascii: "{") else { throw problem("expected an object") }
    }

    /// The next key of an object and its colon, or nil after the closing brace. `isFirst` starts out true.
    mutating func nextKey(_ isFirst: inout Bool) throws(LineProblem) -> RecordKey? {
        skipSpace()
        if isFirst {
            position += 1
            skipSpace()
        }
        if byte == UInt8(ascii: "}") {
            position += 1
            return nil
        }
        if !isFirst {
            guard byte == UInt8(ascii: ",") else { throw problem("expected a comma or a closing brace") }
            position += 1
            skipSpace()
        }
        isFirst = false
        guard byte == UInt8(ascii: "\"") else { throw problem("expected a key in quotes") }
        let name: RecordKey
        if let (short, length) = shortKey(at: position + 1) {
            name = short
            position += length + 2
        } else {
            name = try longKey()
        }
        skipSpace()
        guard byte == UInt8(ascii: ":") else { throw problem("expected a colon") }
        position += 1
        key = name
        return name
    }

    /// The same, quick for a key that came here the last time too.
    @inline(__always)
    mutating func nextKey(_ isFirst: inout Bool, _ order: inout KeyOrder) throws(LineProblem) -> RecordKey? {
        // As programs write it, without white space: a brace or a comma, the key in quotes, a colon.
        let start = position
        let opening = isFirst ? UInt8(ascii: "{") : UInt8(ascii: ",")
        if byte(at: start) == opening, byte(at: start &+ 1) == UInt8(ascii: "\"") {
            let successor = order.successors[Int(key.rawValue)]
            if word(at: start &+ 2) & successor.mask == successor.packed,
                byte(at: start &+ successor.length &+ 3) == UInt8(ascii: ":")
            {
                position = start &+ successor.length &+ 4
                isFirst = false
                key = successor.key
                return successor.key
            }
        } else if !isFirst, byte(at: start) == UInt8(ascii: "}") {
            position = start &+ 1
            return nil
        }
        return try unexpectedKey(&isFirst, &order)
    }

    private mutating func unexpectedKey(_ isFirst: inout Bool, _ order: inout KeyOrder) throws(LineProblem)
        -> RecordKey?
    {
        let previous = key
        guard let key = try nextKey(&isFirst) else { return nil }
        let quote = position &- 2
        let length = key.name.utf8.count
        if length <= 7, byte(at: quote) == UInt8(ascii: "\""), key != .unknown,
            RecordKey(packed: word(at: quote - length) & UInt64.max >> UInt64(56 - 8 * length)) == key
        {
            let mask = UInt64.max >> UInt64(56 - 8 * length)
            order.successors[Int(previous.rawValue)] = KeyOrder.Successor(
                packed: word(at: quote - length) & mask, mask: mask, length: length, key: key)
        }
        return key
    }

    /// A known key of at most seven bytes that begins there, and its length.
    @inline(__always)
    private func shortKey(at position: Int) -> (key: RecordKey, length: Int)? {
        let head = word(at: position)
        let quotes = head ^ 0x2222_2222_2222_2222
        // The lowest bit set is that of the first quote; bits above it may be wrong.
        let found = (quotes &- 0x0101_0101_0101_0101) & ~quotes & 0x8080_8080_8080_8080
        guard found != 0 else { return nil }
        let shift = UInt64(truncatingIfNeeded: 63 &- found.trailingZeroBitCount)
        guard let key = RecordKey(packed: head & UInt64.max &>> shift) else { return nil }
        return (key, found.trailingZeroBitCount &>> 3)
    }

    /// Keys of eight bytes and more, with escapes, or unknown ones.
    private mutating func longKey() throws(LineProblem) -> RecordKey {
        let text = try text()
        if text.isEscaped {
            return RecordKey(name: unescaped(text.range)) ?? .unknown
        }
        return RecordKey(head: word(at: text.range, 0), tail: word(at: text.range, 8), length: text.range.count)
            ?? .unknown
    }

    /// Eight bytes of a text from `offset` on, zeros after its end.
    @inline(__always)
    func word(at range: Range<Int>, _ offset: Int) -> UInt64 {
        let rest = range.upperBound &- range.lowerBound &- offset
        guard rest > 0 else { return 0 }
        let word = word(at: range.lowerBound &+ offset)
        return rest >= 8 ? word : word & ((UInt64(1) &<< UInt64(truncatingIfNeeded: 8 &* rest)) &- 1)
    }

    /// The next element of an array: true with the cursor before it, false after the closing bracket.
    mutating func nextElement(_ isFirst: inout Bool) throws(LineProblem) -> Bool {
        skipSpace()
        if isFirst {
            isFirst = false
            if byte == UInt8(ascii: "]") {
                position += 1
                return false
            }
            return true
        }
        if byte == UInt8(ascii: "]") {
            position += 1
            return false
        }
        guard byte == UInt8(ascii: ",") else { throw problem("expected a comma or a closing bracket") }
        position += 1
        skipSpace()
        return true
    }

    /// Nothing but white space may follow the object of a line. Leaves the cursor on the newline.
    mutating func endLine() throws(LineProblem) {
        skipSpace()
        key = .unknown
        guard byte == Self.newline else { throw problem("text after the end of the object") }
    }

    /// Where the line under the cursor ends: its newline, or the end of the buffer.
    func endOfLine(from position: Int) -> Int {
        var position = position
        while position <= end &- 8 {
            let lines = word(at: position) ^ 0x0a0a_0a0a_0a0a_0a0a
            let found = (lines &- 0x0101_0101_0101_0101) & ~lines & 0x8080_8080_8080_8080
            if found != 0 { return position + found.trailingZeroBitCount >> 3 }
            position += 8
        }
        while position < end, byte(at: position) != Self.newline { position += 1 }
        return position
    }

    // MARK: Text

    /// A string's bytes between its quotes, and whether any of them is a backslash.
    @inline(__always)
    mutating func text() throws(LineProblem) -> (range: Range<Int>, isEscaped: Bool) {
        if byte != UInt8(ascii: "\"") {
            skipSpace()
            guard byte == UInt8(ascii: "\"") else { throw problem("expected a string") }
        }
        let start = position &+ 1
        var index = start
        while true {
            // Advances over whole words without a quote, a backslash or a control character.
            let word = word(at: index)
            let quotes = word ^ 0x2222_2222_2222_2222
            let slashes = word ^ 0x5c5c_5c5c_5c5c_5c5c
            let ones: UInt64 = 0x0101_0101_0101_0101
            let special =
                ((quotes &- ones) & ~quotes | (slashes &- ones) & ~slashes
                    | (word &- 0x2020_2020_2020_2020) & ~word) & 0x8080_8080_8080_8080
            if special == 0 {
                index &+= 8
                continue
            }
            // The lowest of the three is exact: a borrow only disturbs bytes above one that is special itself.
            index &+= special.trailingZeroBitCount &>> 3
            break
        }
        if byte(at: index) == UInt8(ascii: "\"") {
            position = index &+ 1
            return (start..<index, false)
        }
        return try escapedText(from: start)
    }

    private mutating func escapedText(from start: Int) throws(LineProblem) -> (range: Range<Int>, isEscaped: Bool) {
        var index = start
        while true {
            switch byte(at: index) {
            case UInt8(ascii: "\""):
                position = index + 1
                return (start..<index, true)
            case UInt8(ascii: "\\"):
                position = index
                switch byte(at: index + 1) {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
                    UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
                    index += 2
                case UInt8(ascii: "u"):
                    guard codeUnit(at: index + 2) != nil else { throw problem("\\u without four hexadecimal digits") }
                    index += 6
                default: throw problem("unknown escape in a string")
                }
            case 0..<0x20:
                position = index
                throw problem(
                    byte == Self.newline ? "a string without its closing quote" : "a control character in a string")
            default: index += 1
            }
        }
    }

    private func codeUnit(at position: Int) -> UInt16? {
        var value: UInt16 = 0
        for offset in 0..<4 {
            guard let digit = Self.hexDigit(byte(at: position + offset)) else { return nil }
            value = value << 4 | UInt16(digit)
        }
        return value
    }

    static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x61...0x66: byte - 0x57
        case 0x41...0x46: byte - 0x37
        default: nil
        }
    }

    /// The text of a checked range. Half a surrogate pair and bytes that are not UTF-8 become U+FFFD.
    func unescaped(_ range: Range<Int>) -> String {
        var units: [UInt8] = []
        units.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            guard byte(at: index) == UInt8(ascii: "\\") else {
                units.append(byte(at: index))
                index += 1
                continue
            }
            let escape = byte(at: index + 1)
            index += 2
            switch escape {
            case UInt8(ascii: "b"): units.append(0x08)
            case UInt8(ascii: "f"): units.append(0x0c)
            case UInt8(ascii: "n"): units.append(0x0a)
            case UInt8(ascii: "r"): units.append(0x0d)
            case UInt8(ascii: "t"): units.append(0x09)
            case UInt8(ascii: "u"):
                var scalar = UInt32(codeUnit(at: index) ?? 0xfffd)
                index += 4
                if scalar & 0xfc00 == 0xd800, index + 6 <= range.upperBound, byte(at: index) == UInt8(ascii: "\\"),
                    byte(at: index + 1) == UInt8(ascii: "u"), let low = codeUnit(at: index + 2), low & 0xfc00 == 0xdc00
                {
                    scalar = 0x10000 + (scalar & 0x3ff) << 10 + UInt32(low & 0x3ff)
                    index += 6
                }
                units += Array(String(Unicode.Scalar(scalar) ?? "\u{fffd}").utf8)
            default: units.append(escape)
            }
        }
        return String(decoding: units, as: UTF8.self)
    }
}

/// Which key followed each key the last time. Programs write their keys in one order, so most keys are recognised with
/// one comparison.
struct KeyOrder {
    /// By the raw value of the key before.
    fileprivate var successors = InlineArray<256, Successor>(repeating: Successor())

    fileprivate struct Successor {
        /// The key with its closing quote, and a mask of as many bytes. At first a key that no mask of 0 lets through.
        var packed: UInt64 = 1
        var mask: UInt64 = 0
        var length = 0
        var key = RecordKey.unknown
    }
}

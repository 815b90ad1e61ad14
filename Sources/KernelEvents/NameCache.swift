import NetworkTypes

/// Strings that come again and again: a hook, a device, a command, a reason; the path of a cgroup.
///
/// A hit makes no new string. The table is small and forgets: a new name takes the slot of the one it collides with.
struct NameCache {
    private struct Slot {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var length = -1
        var name = ""
    }

    private static let size = 256
    private var slots = [Slot](repeating: Slot(), count: size)
    /// For names of more than 32 bytes; empty until there is one.
    private var longNames: [String] = []

    @inline(__always)
    mutating func string(_ range: Range<Int>, of scanner: LineScanner) -> String {
        let length = range.count
        guard length <= 32 else { return longString(range, of: scanner) }
        let words = (
            scanner.word(at: range, 0), scanner.word(at: range, 8), scanner.word(at: range, 16),
            scanner.word(at: range, 24)
        )
        let mixed = (words.0 ^ words.1 &* 3 ^ words.2 &* 5 ^ words.3 &* 7) &* 0x9e37_79b9_7f4a_7c15
        let index = Int(truncatingIfNeeded: mixed >> 56)
        if slots[index].length == length, slots[index].words == words { return slots[index].name }
        let name = unsafe String(decoding: scanner.bytes(range), as: UTF8.self)
        slots[index] = Slot(words: words, length: length, name: name)
        return name
    }

    private mutating func longString(_ range: Range<Int>, of scanner: LineScanner) -> String {
        var mixed = UInt64(truncatingIfNeeded: range.count)
        for offset in stride(from: 0, to: range.count, by: 8) {
            mixed = (mixed ^ scanner.word(at: range, offset)) &* 0x9e37_79b9_7f4a_7c15
        }
        let index = Int(truncatingIfNeeded: mixed >> 56)
        if longNames.isEmpty { longNames = Array(repeating: "", count: Self.size) }
        let bytes = unsafe scanner.bytes(range)
        if unsafe longNames[index].utf8.elementsEqual(bytes) { return longNames[index] }
        let name = unsafe String(decoding: bytes, as: UTF8.self)
        // A name of megabytes is nothing to hold on to.
        if range.count <= 4096 { longNames[index] = name }
        return name
    }
}

/// The names of TCP states as packed numbers.
struct StateNames {
    static let shared = StateNames()

    private let entries: [(head: UInt64, tail: UInt64, state: TCPState)]

    private init() {
        entries = TCPState.allCases.map { state in
            var words: (UInt64, UInt64) = (0, 0)
            for (index, byte) in state.name.utf8.enumerated() {
                if index < 8 {
                    words.0 |= UInt64(byte) << UInt64(8 * index)
                } else {
                    words.1 |= UInt64(byte) << UInt64(8 * (index - 8))
                }
            }
            return (words.0, words.1, state)
        }
    }

    /// The state whose name, at most sixteen bytes, is packed in two numbers.
    func state(head: UInt64, tail: UInt64, length: Int) -> TCPState? {
        guard length <= 16 else { return nil }
        for entry in entries where entry.head == head && entry.tail == tail { return entry.state }
        return nil
    }
}

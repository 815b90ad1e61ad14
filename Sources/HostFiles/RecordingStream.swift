/// The two files of a recording in a directory, and how they are called: `capture.pcapng` and `events.jsonl`, or, of a divided
/// one, pairs with one number, `capture-000007.pcapng` and `events-000007.jsonl`.
package enum RecordingStream: Int, CaseIterable, Sendable {
    case capture, events

    private var ending: String { self == .capture ? ".pcapng" : ".jsonl" }

    /// Of a recording that is not divided.
    package var name: String { "\(self)\(ending)" }

    package func name(_ number: Int) -> String {
        let digits = String(number)
        return "\(self)-\(String(repeating: "0", count: max(0, 6 - digits.count)))\(digits)\(ending)"
    }

    /// What follows the name of events that are compressed.
    package static let compressedEnding = ".zst"

    /// The number in the name of a file; nil for another file.
    package func number(_ name: String) -> Int? {
        let prefix = "\(self)-"
        guard name.hasPrefix(prefix), name.hasSuffix(ending) else { return nil }
        let digits = name.dropFirst(prefix.count).dropLast(ending.count)
        guard digits.count >= 6, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(digits)
    }
}

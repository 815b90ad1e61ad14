import Testing

@testable import KernelEvents

/// The packed numbers in `RecordKey` against the names they stand for.
@Suite struct RecordKeyTests {
    private func packed(_ bytes: some Sequence<UInt8>) -> UInt64 {
        var word: UInt64 = 0
        for (index, byte) in bytes.enumerated() { word |= UInt64(byte) << UInt64(8 * index) }
        return word
    }

    @Test func everyNameIsRecognisedAsItself() {
        for key in RecordKey.allCases where key != .unknown {
            let name = Array(key.name.utf8)
            #expect((1...16).contains(name.count))
            if name.count <= 7 {
                #expect(RecordKey(packed: packed(name + [0x22])) == key, "\(key.name)")
                // Without its closing quote, or longer, it is another key.
                #expect(RecordKey(packed: packed(name)) == nil)
                #expect(RecordKey(packed: packed(name.dropLast() + [0x22])) != key)
            } else {
                let (head, tail) = (packed(name.prefix(8)), packed(name.dropFirst(8)))
                #expect(RecordKey(head: head, tail: tail, length: name.count) == key, "\(key.name)")
                #expect(RecordKey(head: head, tail: tail, length: 17) == nil)
                #expect(RecordKey(head: head, tail: tail ^ 1, length: name.count) == nil)
            }
            #expect(RecordKey(name: key.name) == key)
        }
        #expect(RecordKey(name: "?") == nil)
        #expect(Set(RecordKey.allCases.map(\.name)).count == RecordKey.allCases.count)
    }
}

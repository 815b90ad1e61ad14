import Foundation
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

    private static let docs = URL(filePath: #filePath).appending(path: "../../../docs").standardizedFileURL

    /// The keys of all objects of the schema.
    private func properties(of value: Any) -> Set<String> {
        if let list = value as? [Any] { return list.reduce(into: []) { $0.formUnion(properties(of: $1)) } }
        guard let object = value as? [String: Any] else { return [] }
        return object.reduce(into: []) { names, member in
            if member.key == "properties", let fields = member.value as? [String: Any] { names.formUnion(fields.keys) }
            names.formUnion(properties(of: member.value))
        }
    }

    @Test func theSchemaHasTheSameKeys() throws {
        let text = try Data(contentsOf: Self.docs.appending(path: "schema/rst-events-1.schema.json"))
        let schema = properties(of: try JSONSerialization.jsonObject(with: text))
        let keys = Set(RecordKey.allCases.filter { $0 != .unknown }.map(\.name))
        #expect(schema.subtracting(keys).isEmpty)
        #expect(keys.subtracting(schema).isEmpty)
    }

    /// In the first column of a table: `hooks[].name`, `.ifindex`, `task.pid`.
    @Test func theDocumentationNamesThem() throws {
        let text = try String(contentsOf: Self.docs.appending(path: "events.md"), encoding: .utf8)
        let tables = text.prefix(upTo: try #require(text.range(of: "## Recordings of other tools")).lowerBound)
        var documented: Set<String> = ["type"]
        for row in tables.split(separator: "\n") where row.hasPrefix("| `") {
            for (index, field) in row.split(separator: "|")[0].split(separator: "`").enumerated() where index % 2 == 1 {
                documented.formUnion(field.replacing("[]", with: "").split(separator: ".").map(String.init))
            }
        }
        let keys = Set(RecordKey.allCases.filter { $0 != .unknown }.map(\.name))
        #expect(keys.subtracting(documented).isEmpty)
        // The names of lines stand before their fields.
        #expect(documented.subtracting(keys).subtracting(["end"]).isEmpty)
    }
}

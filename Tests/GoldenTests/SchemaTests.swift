import Foundation
import KernelEvents
import NetworkTypes
import Reporting
import Testing

@testable import Correlator

/// The schemas in docs/schema list the keys of the JSON formats. What is written has those keys and no others, and the
/// words of the catalogue are theirs.
@Suite struct SchemaTests {
    private static func schema(_ name: String) throws -> [String: Any] {
        let file = FixtureTests.root.appending(path: "docs/schema/\(name).schema.json")
        return try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    }

    @Test func theWordsAreThoseOfTheSource() throws {
        let definitions = try #require(try Self.schema("rst-report-1")["$defs"] as? [String: Any])
        func words(_ name: String) -> [String]? { (definitions[name] as? [String: Any])?["enum"] as? [String] }
        #expect(words("cause") == Cause.allCases.map(\.rawValue))
        #expect(words("category") == Category.allCases.map(\.rawValue))
        #expect(words("certainty") == Certainty.allCases.map(\.rawValue))
        #expect(words("outcome") == Outcome.allCases.map(\.rawValue))
        let group = (definitions["group"] as? [String: Any])?["properties"] as? [String: [String: Any]]
        let fields = (group?["by"]?["propertyNames"] as? [String: Any])?["enum"] as? [String]
        #expect(fields == Grouping.Field.allCases.map(\.rawValue))
    }

    /// Every key of the expected reports is in the schema, and every key of the schema is in one of them or in a report that
    /// has everything.
    @Test func theReportHasTheKeysOfItsSchema() throws {
        var walk = SchemaWalk(try Self.schema("rst-report-1"))
        for file in try #require(FileManager.default.enumerator(atPath: FixtureTests.fixtures.path)) {
            guard let path = file as? String, path.hasSuffix("/expected.json") else { continue }
            try walk.visit(Data(contentsOf: FixtureTests.fixtures.appending(path: path)))
        }
        var renderer = JSONReport(tool: "t")
        renderer.grouping = Grouping(fields: [.cause, .src])
        renderer.top = 1
        var bytes: [UInt8] = []
        renderer.render(Self.everything()) { bytes += $0 }
        try walk.visit(Data(bytes))
        #expect(walk.unknown.isEmpty)
        // Patterns need many RSTs: AnswerTests have those.
        let patterns = ["times_down", "silence_ns", "after_silence"].map { ".answers[].\($0)" }
        #expect(walk.all.subtracting(walk.seen).subtracting(patterns) == [])
    }

    /// Two RSTs and all that can be said about their inputs.
    private static func everything() -> Report {
        let tuple = FourTuple(
            source: IPAddress(ipv4: 0x0a00_0001), sourcePort: 80, destination: IPAddress(ipv4: 0x0a00_0002),
            destinationPort: 40000)
        let path = "/kubepods.slice/kubepods-pod214f3ba8_4b69_4bdb_a7d5_5ecc73f04ae9.slice/cri-containerd-"
        let identity = CgroupIdentity(path: path + String(repeating: "ab", count: 32) + ".scope")
        var ending = ResetEvent.Ending(how: .close, monotonic: 1)
        ending.thread = "t"
        var process = ProcessRecord(pid: 5, comm: "a")
        process.argumentsAreCut = true
        process.exe = "/a"
        process.arguments = ["a"]
        process.uid = 0
        process.user = "root"
        process.parent = ResetEvent.Owner(pid: 1, comm: "init")
        var reception = ResetEvent.Reception()
        reception.errno = 104
        reception.wait = .poll
        reception.idle = 1
        reception.age = 2
        reception.unacknowledged = 3
        reception.unread = 4
        func reset(_ id: Int, _ cause: Cause) -> Reset {
            var reset = Reset(
                id: id, time: Int64(id), tuple: tuple, direction: .sent, outcome: .kernelOnly, sightings: [],
                cause: cause, category: .refused, certainty: .inferred, summary: "s.", evidence: [],
                process: Reset.Process(pid: 5, comm: "a", role: .owner, details: process))
            reset.owner = reset.process
            var container = ContainerRecord(id: identity.container ?? "")
            (container.name, container.runtime, container.image) = ("c", .containerd, "i")
            (container.pod, container.namespace) = ("p", "n")
            reset.location = Reset.Location(netns: 3, cgroup: "/a", identity: identity, container: container)
            reset.end = ConnectionEnd(ending, at: 2, trigger: nil)
            reset.receiver = Reset.Receiver(
                process: reset.process, state: .established, reception: reception, location: reset.location,
                monotonic: 1)
            return reset
        }
        var service = reset(2, .lingerZero)
        service.delivery = .lost
        service.location?.identity = CgroupIdentity(path: "/system.slice/a.service")
        service.receiver?.location = service.location
        var report = Report(inputs: [], losses: Report.Losses(), resets: ResetList([reset(1, .closedPort), service]))
        var input = Report.Input(
            file: "f", kind: .events, packets: 0, events: 2, damage: [], damageCount: 0,
            undecoded: [UndecodedPackets(reason: "r", packets: 1, isLoss: true)])
        input.notes = ["n"]
        input.scope = RecordingScope(
            netns: [1], hosts: [IPPrefix("10.0.0.0/8")].compactMap(\.self), ports: [1])
        report.inputs = [input]
        var refusal = ICMPRefusal(time: 1, tuple: tuple, certainty: .proven)
        (refusal.errno, refusal.state, refusal.messages) = (111, .synSent, 1)
        (refusal.process, refusal.location) = (service.process, service.location)
        refusal.message = ICMPRefusal.Message(
            file: "f", packet: 1, sender: tuple.destination, isVersion6: false, type: 3, code: 3)
        report.refusals = [refusal]
        report.clocks = [ClockOffset(file: "f", reference: "g", offset: 1, delay: 2, segments: 3)]
        report.clockSettings = [
            ClockSetting(
                file: "f", before: 1, after: 2, size: 1, suspended: 1, uncertainty: 1, isDerived: false,
                mayBeSlewed: false)
        ]
        let group = UnfinishedConnections.Group(kind: .neverAnswered, count: 1, packet: 1, tuple: tuple)
        report.unfinished = [("f", UnfinishedConnections([group], connections: 1))]
        report.selection = Report.Selection(total: 3, words: ["--cause closed-port"])
        report.selection?.refusals = 1
        return report
    }

    /// docs/records.md describes each field of a record once.
    @Test func theDocumentedFieldsOfRecordsAreThoseOfTheSchema() throws {
        let properties = try #require(try Self.schema("rst-record-1")["properties"] as? [String: Any])
        let page = try String(contentsOf: FixtureTests.root.appending(path: "docs/records.md"), encoding: .utf8)
        let text = try #require(page.components(separatedBy: "\n## ").first)
        let names = text.split(separator: "\n").filter { $0.hasPrefix("| `") }.flatMap { row in
            row.split(separator: "|")[0].split(separator: "`").filter { $0.allSatisfy { $0.isLetter || "_" == $0 } }
        }
        #expect(names.count == Set(names).count)
        #expect(Set(names.map(String.init)) == Set(properties.keys))
    }
}

/// Follows JSON values along a schema.
private struct SchemaWalk {
    private let schema: [String: Any]
    private let definitions: [String: Any]
    /// Keys that the schema has, those that were met, and those that it does not have: `.resets[].id`.
    private(set) var all: Set<String> = []
    private(set) var seen: Set<String> = []
    private(set) var unknown: Set<String> = []

    init(_ schema: [String: Any]) {
        self.schema = schema
        definitions = schema["$defs"] as? [String: Any] ?? [:]
        list(schema, "")
    }

    mutating func visit(_ document: Data) throws { visit(try JSONSerialization.jsonObject(with: document), schema, "") }

    private func resolve(_ schema: [String: Any]) -> [String: Any] {
        guard let name = (schema["$ref"] as? String)?.split(separator: "/").last else { return schema }
        return definitions[String(name)] as? [String: Any] ?? [:]
    }

    private mutating func list(_ schema: [String: Any], _ path: String) {
        let schema = resolve(schema)
        for (key, value) in schema["properties"] as? [String: [String: Any]] ?? [:] {
            all.insert("\(path).\(key)")
            list(value, "\(path).\(key)")
        }
        if let items = schema["items"] as? [String: Any] { list(items, path + "[]") }
    }

    private mutating func visit(_ value: Any, _ schema: [String: Any], _ path: String) {
        let schema = resolve(schema)
        if let members = value as? [String: Any] {
            let properties = schema["properties"] as? [String: [String: Any]] ?? [:]
            let others = schema["additionalProperties"] as? [String: Any]
            for (key, value) in members {
                if let property = properties[key] {
                    seen.insert("\(path).\(key)")
                    visit(value, property, "\(path).\(key)")
                } else if let others {
                    visit(value, others, "\(path).*")
                } else {
                    unknown.insert("\(path).\(key)")
                }
            }
        } else if let values = value as? [Any] {
            let items = schema["items"] as? [String: Any] ?? [:]
            for value in values { visit(value, items, path + "[]") }
        }
    }
}

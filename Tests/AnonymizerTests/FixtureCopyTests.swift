import Anonymizer
import CaptureFile
import Correlator
import Foundation
import InputFiles
import KernelEvents
import NetworkTypes
import PcapReader
import Testing

/// Copies of all fixtures: what is reported of them, and what is in them.
@Suite struct FixtureCopyTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Directories with captures or events, as paths below fixtures/.
    private static let cases: [String] = {
        let fixtures = root.appending(path: "fixtures").path
        var cases: Set<String> = []
        for case let path as String in FileManager.default.enumerator(atPath: fixtures) ?? .init() {
            let name = (path as NSString).lastPathComponent
            guard name.hasSuffix(".pcapng") || name.hasSuffix(".pcap") || name == "events.jsonl" else { continue }
            cases.insert((path as NSString).deletingLastPathComponent)
        }
        return cases.sorted()
    }()

    @Test func thereAreFixtures() { #expect(Self.cases.count > 250) }

    @Test(arguments: cases) func theReportIsTheSame(_ name: String) throws {
        try withCopy(of: name) { original, copy in
            let (before, after) = (try signature(original), try signature(copy))
            #expect(before == after)
        }
    }

    @Test(arguments: cases) func nothingOfTheOriginalIsInTheCopy(_ name: String) throws {
        try withCopy(of: name) { original, copy in
            let addresses = try addresses(original)
            #expect(!addresses.isEmpty)
            let secrets = try secrets(original)
            for path in copy {
                let bytes = try [UInt8](Data(contentsOf: URL(filePath: path)))
                for address in addresses where !Self.isKept(address) {
                    #expect(!contains(bytes, text: address.description), "\(address)")
                    var binary: [UInt8] = []
                    for half in [address.high, address.low] { withUnsafeBytes(of: half.bigEndian) { binary += $0 } }
                    #expect(
                        firstIndex(of: address.isIPv4 ? Array(binary.suffix(4)) : binary, in: bytes) == nil,
                        "\(address)")
                }
                for secret in secrets { #expect(firstIndex(of: Array(secret.utf8), in: bytes) == nil, "\(secret)") }
            }
        }
    }

    private static func isKept(_ address: IPAddress) -> Bool {
        ["127.0.0.0/8", "0.0.0.0", "::", "::1"].contains { IPPrefix($0)?.contains(address) == true }
    }

    /// Runs the body with the paths of the original and of the copy.
    private func withCopy(of name: String, _ body: ([String], [String]) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "rst-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let directory = Self.root.appending(path: "fixtures/\(name)").path
        let names = try FileManager.default.contentsOfDirectory(atPath: directory).filter {
            $0.hasSuffix(".pcapng") || $0.hasSuffix(".pcap") || $0.hasSuffix("events.jsonl")
        }.sorted()
        var pseudonyms = try samplePseudonyms()
        for name in names {
            let target = folder.appending(path: name)
            let output = Output()
            try SingleInput.forEach(["\(directory)/\(name)"]) { _, input in
                switch try input.get() {
                case .capture(let file):
                    var ignored = CollectedSegments()
                    let summary = try file.scan(selecting: .resets, into: &ignored)
                    var capture = AnonymousCapture(of: summary, pseudonyms, application: "test") { output.bytes += $0 }
                    let whole = try file.scan(selecting: .all, into: &capture)
                    #expect(capture.segments == whole.tcpSegments)
                    pseudonyms = capture.finish()
                case .recording(let recording):
                    pseudonyms.recording(recording).write { output.bytes += $0 }
                }
            }
            try Data(output.bytes).write(to: target)
        }
        try body(names.map { "\(directory)/\($0)" }, names.map { folder.appending(path: $0).path })
    }

    private final class Output { var bytes: [UInt8] = [] }

    /// Of each RST and each refusal, in their order, what matters.
    private func signature(_ paths: [String]) throws -> [String] {
        let loaded = InputLoader().load(paths)
        #expect(loaded.failures.isEmpty)
        for recording in loaded.recordings { #expect(recording.recording.damagedLines == 0) }
        for capture in loaded.captures { #expect(capture.summary.damageCount == 0) }
        let report = correlate(captures: loaded.captures, recordings: loaded.recordings)
        return report.resets.map {
            "\($0.cause.rawValue) \($0.certainty) \($0.outcome) \($0.sightings.count) \($0.tuple.sourcePort)"
        }
            + report.refusals.map {
                "refusal \($0.certainty) \($0.messages) \($0.message?.type ?? 0) \($0.message?.code ?? 0)"
            }
    }

    private func addresses(_ paths: [String]) throws -> Set<IPAddress> {
        var addresses: Set<IPAddress> = []
        func insert(_ tuple: FourTuple?) {
            guard let tuple else { return }
            addresses.formUnion([tuple.source, tuple.destination])
        }
        try SingleInput.forEach(paths) { _, input in
            switch try input.get() {
            case .capture(let file):
                var segments = CollectedSegments()
                let summary = try file.scan(selecting: .all, into: &segments)
                for segment in segments.finish() { insert(segment.segment.tuple) }
                addresses.formUnion(summary.icmpErrors.map(\.sender))
            case .recording(let recording):
                for event in recording.events + recording.failures {
                    insert(event.tuple)
                    insert(event.conntrack?.original)
                    insert(event.conntrack?.reply)
                }
                addresses.formUnion(recording.header?.interfaces.flatMap(\.addresses) ?? [])
            }
        }
        return addresses
    }

    private func secrets(_ paths: [String]) throws -> Set<String> {
        var secrets: Set<String> = []
        try SingleInput.forEach(paths) { _, input in
            guard case .recording(let recording) = try input.get() else { return }
            if let header = recording.header { secrets.formUnion([header.bootID, "\"host\":\"\(header.host)\""]) }
            // An argument may also be the name of a process, which stays.
            var names = Set(recording.processes.values.joined().map(\.comm))
            for event in recording.events + recording.failures {
                names.formUnion([event.task?.comm, event.task?.process, event.socket?.owner?.comm].compactMap(\.self))
            }
            for process in recording.processes.values.joined() {
                secrets.formUnion([process.exe].compactMap(\.self).filter { $0.dropFirst().contains("/") })
                secrets.formUnion((process.arguments ?? []).filter { $0.utf8.count > 12 && !names.contains($0) })
            }
            for container in recording.containers.values {
                secrets.insert(container.id)
                for text in [container.name, container.image, container.pod, container.namespace].compactMap(\.self) {
                    secrets.insert("\"\(text)\"")
                }
            }
            for event in recording.events {
                let paths = [event.socket?.cgroupPath, event.task?.cgroupPath, event.ending?.cgroupPath]
                for path in paths.compactMap(\.self) {
                    secrets.formUnion(path.split(separator: "/").map(String.init).filter { $0.hasSuffix(".service") })
                }
            }
            secrets.formUnion(recording.rulesets.compactMap(\.content))
        }
        return secrets.filter { !$0.isEmpty }
    }

    private func firstIndex(of wanted: [UInt8], in bytes: [UInt8], from start: Int = 0) -> Int? {
        guard let first = wanted.first, bytes.count >= wanted.count else { return nil }
        return bytes.withUnsafeBufferPointer { bytes in
            var at = start
            while at + wanted.count <= bytes.count {
                guard let found = memchr(bytes.baseAddress! + at, Int32(first), bytes.count - wanted.count + 1 - at)
                else {
                    return nil
                }
                at = UnsafeRawPointer(found) - UnsafeRawPointer(bytes.baseAddress!)
                if bytes[at..<at + wanted.count].elementsEqual(wanted) { return at }
                at += 1
            }
            return nil
        }
    }

    /// Not as a part of a longer address or number.
    private func contains(_ bytes: [UInt8], text: String) -> Bool {
        func isPart(_ place: Int) -> Bool {
            bytes.indices.contains(place) && "0123456789abcdef.:".utf8.contains(bytes[place])
        }
        var start = 0
        while let found = firstIndex(of: Array(text.utf8), in: bytes, from: start) {
            if !isPart(found - 1), !isPart(found + text.utf8.count) { return true }
            start = found + 1
        }
        return false
    }
}

import Correlator
import Foundation
import Glibc
import InputFiles
import Reporting
import Testing

/// A capture from a pipe, which is read once, has the report of the file.
@Suite struct StreamTests {
    /// All captures of the fixtures.
    static let captures: [String] = {
        let paths = (FileManager.default.enumerator(atPath: FixtureTests.fixtures.path)?.allObjects ?? [])
            .compactMap { $0 as? String }
        return paths.filter { path in [".pcap", ".pcapng", ".pcap.gz", ".pcapng.gz"].contains { path.hasSuffix($0) } }
            .sorted()
    }()

    private static func json(_ path: String) -> (text: String, failures: [String]) {
        let loaded = InputLoader().load([path])
        let captures = loaded.captures.map {
            var capture = $0
            capture.file = "capture"
            return capture
        }
        var renderer = JSONReport(tool: "rst-analyze 0.1.0")
        var bytes: [UInt8] = []
        renderer.render(correlate(captures: captures, recordings: loaded.recordings)) { bytes += $0 }
        return (String(decoding: bytes, as: UTF8.self), loaded.failures)
    }

    @Test func thereAreCaptures() { #expect(Self.captures.count > 100) }

    @Test(arguments: captures)
    func pipeAndFileAreJudgedAlike(_ name: String) throws {
        let file = FixtureTests.fixtures.appending(path: name).path
        let pipe = FileManager.default.temporaryDirectory.appending(path: "pipe-\(UUID().uuidString)").path
        try #require(mkfifo(pipe, 0o600) == 0)
        defer { unlink(pipe) }
        let bytes = try Data(contentsOf: URL(filePath: file))
        let writer = Thread { try? bytes.write(to: URL(filePath: pipe)) }
        writer.start()
        let streamed = Self.json(pipe)
        let whole = Self.json(file)
        #expect(streamed.failures.isEmpty && whole.failures.isEmpty)
        #expect(streamed.text == whole.text)
    }
}

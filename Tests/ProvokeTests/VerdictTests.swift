import Foundation
import Glibc
import Laboratory
import Recorder
import Testing

@testable import Provoke

/// Each HOW, recorded at the same time: the verdict from the kernel's events is the cause that the log names.
///
/// In a network namespace of its own, on its loopback.
@Suite(
    .serialized,
    .enabled(if: isRoot && Recorder.obstacle == nil, "\(isRoot ? Recorder.obstacle ?? "" : "it needs root")"))
struct VerdictTests {
    private struct Report: Decodable {
        struct Reset: Decodable {
            var src: String
            var srcPort: UInt16
            var dst: String
            var dstPort: UInt16
            var cause: String
            var certainty: String
        }
        var resets: [Reset]
    }

    /// Sends a request, reads to the end, and then sends until an error comes; connects until that is refused, if asked.
    private static let client = """
        import os, socket, sys, time
        address = (os.environ['PROVOKE_HOST'], int(os.environ['PROVOKE_PORT']))
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(address, timeout=10) as s:
                    if sys.argv[1] == 'refused': continue
                    s.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n')
                    while s.recv(65536): pass
                    while time.monotonic() < deadline:
                        s.send(b'x')
                        time.sleep(0.01)
            except ConnectionRefusedError: sys.exit(0 if sys.argv[1] == 'refused' else 1)
            except (ConnectionResetError, BrokenPipeError):
                if sys.argv[1] != 'refused': sys.exit(0)
        sys.exit(2)
        """

    @Test(arguments: ServerTests.Case.all(How.allCases))
    func theKernelSaysWhatWasAskedFor(_ test: ServerTests.Case) throws {
        let script = """
            echo 0 >/proc/sys/net/ipv6/conf/all/disable_ipv6
            echo 1 >/proc/sys/net/ipv4/tcp_abort_on_overflow
            ip link set lo up
            exec "$0" record -i lo -o rec -- "$0" provoke server "$@"
            """
        let isRefused = test.how == .closedPort
        let arguments = [
            "--listen", "\(loopback[test.version]!):8080", "--how", test.how.rawValue, "--log", "log",
            "--pause", isRefused ? "500ms" : "50ms", "--", "python3", "-c", Self.client,
            isRefused ? "refused" : "reset",
        ]
        try Self.expect(
            "proven", ["/usr/bin/unshare", "-n", "sh", "-ec", script, program] + arguments, mayBeRefused: false)
    }

    /// Runs the words, which record into `rec` and log to `log`, and expects a verdict of that certainty on each reset of the
    /// log, with its cause; says all that is known where there is none.
    ///
    /// - Parameter mayBeRefused: some kernels have no way to do it, and the test is cancelled there.
    private static func expect(_ certainty: String, _ words: [String], mayBeRefused: Bool = true) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "rst-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let process = Process()
        process.executableURL = URL(filePath: words[0])
        process.arguments = Array(words.dropFirst())
        process.currentDirectoryURL = folder
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        let said = String(decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        if mayBeRefused, said.contains("this kernel refuses") { try Test.cancel("\(said)") }
        try #require(process.terminationStatus == 0 && !said.contains("ended with status"), "\(said)")
        let resets = try LogLine.lines(String(contentsOf: folder.appending(path: "log"), encoding: .utf8))
            .filter { $0.type == "reset" }
        #expect(!resets.isEmpty)
        let recording = folder.appending(path: "rec")
        let data = try report(recording)
        let report = try snakeCase.decode(Report.self, from: data)
        let unexplained = resets.filter { line in
            !report.resets.contains {
                $0.src == line.src && $0.srcPort == line.srcPort && $0.dst == line.dst && $0.dstPort == line.dstPort
                    && $0.cause == line.cause && $0.certainty == certainty
            }
        }
        #expect(
            unexplained.isEmpty,
            """
            \(unexplained.count) of \(resets.count)
            \(String(decoding: data, as: UTF8.self))
            \((try? String(contentsOf: recording.appending(path: "events.jsonl"), encoding: .utf8)) ?? "")
            """)
    }

    /// Requests until an error comes.
    private static let patientClient = """
        import os, socket, sys, time
        address = (os.environ['PROVOKE_HOST'], int(os.environ['PROVOKE_PORT']))
        deadline = time.monotonic() + 20
        try:
            with socket.create_connection(address, timeout=10) as s:
                while time.monotonic() < deadline:
                    s.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n')
                    if not s.recv(65536): sys.exit(1)
                    time.sleep(0.02)
        # Refused: it came late.
        except (ConnectionResetError, ConnectionRefusedError): sys.exit(0)
        sys.exit(2)
        """

    /// The router's faults that send RSTs. Its namespaces have no capture: the kernel's events alone are the evidence.
    @Test(arguments: [RoutedRun.Fault.reject, .inject, .forgetNAT], IPVersion.allCases)
    func theRouterDoesWhatWasAskedFor(_ fault: RoutedRun.Fault, _ version: IPVersion) throws {
        // A router that sends from another host's address may only have carried what it forged: that is not proven.
        try Self.expect(
            fault == .inject ? "inferred" : "proven",
            [
                program, "record", "-i", "lo", "--netns", "all", "-o", "rec", "--", program, "provoke", "run",
                "--fault",
                fault.rawValue, "--after", "500ms", "--ip", "\(version.rawValue)", "--log", "log", "--", "python3",
                "-c",
                Self.patientClient,
            ])
    }

    /// On an interface that is there already: the loopback of a namespace.
    @Test(arguments: ["inject", "reject"], IPVersion.allCases)
    func anInterfaceThatIsOwned(_ kind: String, _ version: IPVersion) throws {
        let script = """
            echo 0 >/proc/sys/net/ipv6/conf/all/disable_ipv6
            ip link set lo up
            program=$0 address=$1
            shift
            "$program" record -i lo -o rec -- "$program" provoke server --listen "$address" --log /dev/null -- \
                "$program" provoke "$@"
            test -z "$(nft list ruleset)"
            """
        let address = "\(loopback[version]!):8080"
        try Self.expect(
            "proven",
            [
                "/usr/bin/unshare", "-n", "sh", "-ec", script, program, address, kind, "--interface", "lo",
                "--i-own-this-network", "--to", address, "--after", "300ms", "--log", "log", "--", "python3", "-c",
                Self.patientClient,
            ])
    }

    private static func report(_ recording: URL) throws -> Data {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(filePath: program)
        process.arguments = ["report", recording.path, "--format", "json"]
        process.standardOutput = output
        try process.run()
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return bytes
    }
}

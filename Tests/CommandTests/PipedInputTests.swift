import Foundation
import Glibc
import Testing

/// Ctrl-C reaches all of `tcpdump -w - | rst-analyze report -`.
@Suite struct PipedInputTests {
    /// A process group of what writes a capture and goes on, and of the report that reads it.
    private struct Pipeline {
        let process = Process()
        let folder: URL
        var report: String { (try? String(contentsOf: folder.appending(path: "out"), encoding: .utf8)) ?? "" }
        var errors: String { (try? String(contentsOf: folder.appending(path: "err"), encoding: .utf8)) ?? "" }

        /// - Parameter end: what the writer does when it has written.
        init(_ end: String, in folder: URL) throws {
            self.folder = folder
            let capture = Program.root.appending(path: "fixtures/closed-port-v4/capture.pcapng").path
            let script = """
                (cat "$1"; touch written; \(end)) | (echo $BASHPID >pid; exec "$0" report - >out 2>err)
                exit ${PIPESTATUS[1]}
                """
            process.executableURL = URL(filePath: "/usr/bin/setsid")
            // The shell itself waits for both.
            process.arguments = ["--wait", "bash", "-c", "trap : INT; \(script)", Program.path, capture]
            process.currentDirectoryURL = folder
            process.environment = ProcessInfo.processInfo.environment.merging(["LC_ALL": "C"]) { $1 }
            try process.run()
            for _ in 0..<600 where access(folder.appending(path: "written").path, F_OK) != 0 { usleep(50_000) }
            for _ in 0..<600 where handled == false { usleep(50_000) }
        }

        var reader: Int32? {
            (try? String(contentsOf: folder.appending(path: "pid"), encoding: .utf8)).flatMap {
                Int32($0.trimmingCharacters(in: .whitespacesAndNewlines))
            }
        }

        /// Whether the report handles SIGINT by now: proc_pid_status(5); what is handled by a queue is ignored otherwise.
        private var handled: Bool {
            guard let reader, let text = try? String(contentsOfFile: "/proc/\(reader)/status", encoding: .utf8) else {
                return false
            }
            let name = text.split(separator: "\n").first ?? ""
            let masks = text.split(separator: "\n").filter { $0.hasPrefix("SigIgn:") || $0.hasPrefix("SigCgt:") }
            return name.hasSuffix("rst-analyze")
                && masks.contains { (UInt64($0.split(separator: "\t").last ?? "", radix: 16) ?? 0) & 2 != 0 }
        }

        /// As a terminal does.
        func interruptAll() throws { kill(-getpgid(try #require(reader)), SIGINT) }
    }

    @Test func whatTheWriterHasWrittenIsReported() throws {
        try Program.withFolder { folder in
            let pipeline = try Pipeline("exec sleep 100", in: folder)
            try pipeline.interruptAll()
            pipeline.process.waitUntilExit()
            #expect(pipeline.process.terminationStatus == 0, "\(pipeline.errors)")
            #expect(pipeline.report.contains("closed-port"), "\(pipeline.report)")
        }
    }

    @Test func theSecondOneEndsTheProgram() throws {
        try Program.withFolder { folder in
            let pipeline = try Pipeline("trap '' INT; sleep 100", in: folder)
            defer { if let reader = pipeline.reader { kill(-getpgid(reader), SIGKILL) } }
            try pipeline.interruptAll()
            for _ in 0..<200 where !pipeline.errors.contains("Ctrl-C again") { usleep(50_000) }
            let reader = try #require(pipeline.reader)
            #expect(pipeline.errors.contains("Ctrl-C again"), "\(pipeline.errors)")
            #expect(kill(reader, 0) == 0)
            kill(reader, SIGINT)
            for _ in 0..<200 where kill(reader, 0) == 0 { usleep(50_000) }
            #expect(kill(reader, 0) != 0)
            #expect(pipeline.report.isEmpty)
        }
    }
}

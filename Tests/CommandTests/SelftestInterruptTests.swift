import Foundation
import Testing

@Suite struct SelftestInterruptTests {
    /// Ended in the middle of a recording by SIGTERM, since SIGINT may be ignored for all children of the test.
    @Test(.enabled(if: geteuid() == 0, "network namespaces need root"), .timeLimit(.minutes(2)))
    func leavesNothingBehind() throws {
        try Program.withFolder { folder in
            let process = Process()
            process.executableURL = URL(filePath: Program.path)
            process.arguments = ["selftest", "linger-zero", "closed-port", "abort-on-close"]
            process.environment = ProcessInfo.processInfo.environment.merging(["TMPDIR": folder.path]) { $1 }
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            let manager = FileManager.default
            // Not before there is something that could be left behind.
            while process.isRunning, try manager.subpathsOfDirectory(atPath: folder.path).count < 3 { usleep(5_000) }
            process.terminate()
            process.waitUntilExit()
            #expect(try manager.contentsOfDirectory(atPath: folder.path) == [])
        }
    }
}

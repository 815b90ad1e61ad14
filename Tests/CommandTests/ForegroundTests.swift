import Foundation
import Glibc
import Testing

/// A command that is run at a terminal gets its input, including Ctrl-C and Ctrl-Z.
@Suite(.enabled(if: geteuid() == 0, "recording needs root"))
struct ForegroundTests {
    /// A terminal whose only session runs the program in a network namespace of its own.
    private final class Session {
        let leader: Int32
        let process = Process()
        private let folder: URL
        var output: String { (try? String(contentsOf: folder.appending(path: "out"), encoding: .utf8)) ?? "" }
        var errors: String { (try? String(contentsOf: folder.appending(path: "err"), encoding: .utf8)) ?? "" }

        init(_ arguments: [String], in folder: URL) throws {
            self.folder = folder
            leader = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
            var (unlocked, number) = (Int32(0), UInt32(0))
            // TIOCSPTLCK and TIOCGPTN: what unlockpt(3) and ptsname(3) do.
            try #require(
                leader >= 0 && ioctl(leader, 0x4004_5431, &unlocked) == 0 && ioctl(leader, 0x8004_5430, &number) == 0)
            let terminal = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
            try #require(terminal >= 0)
            defer { close(terminal) }
            process.executableURL = URL(filePath: "/usr/bin/setsid")
            let script = "ip link set lo up && exec \"$0\" \"$@\" >out 2>err"
            process.arguments =
                ["--ctty", "--wait", "unshare", "-n", "sh", "-c", script, Program.path] + arguments
            process.currentDirectoryURL = folder
            process.standardInput = FileHandle(fileDescriptor: terminal)
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
        }

        deinit {
            if process.isRunning { process.terminate() }
            close(leader)
        }

        func type(_ text: String) {
            let bytes = Array(text.utf8)
            _ = write(leader, bytes, bytes.count)
        }

        /// Waits until the command prints the word.
        func waitFor(_ word: String) -> Bool {
            for _ in 0..<600 {
                if output.contains(word) { return true }
                usleep(50_000)
            }
            return false
        }
    }

    private static let commands = [["run", "-i", "lo"], ["record", "-i", "lo", "-o", "rec"]]

    @Test(arguments: commands)
    func theCommandReadsWhatIsTyped(_ arguments: [String]) throws {
        try Program.withFolder { folder in
            // A process in the background that reads from its terminal is stopped.
            let session = try Session(
                arguments + ["--", "sh", "-c", "echo ready; read line; echo \"got $line\"; exit 7"], in: folder)
            #expect(session.waitFor("ready"), "\(session.errors)")
            session.type("hello\n")
            session.process.waitUntilExit()
            #expect(session.output.contains("got hello"), "\(session.errors)")
            #expect(session.process.terminationStatus == 7, "\(session.errors)")
        }
    }

    @Test(arguments: commands)
    func ctrlCInterruptsTheCommandAndNotTheReport(_ arguments: [String]) throws {
        try Program.withFolder { folder in
            let session = try Session(
                arguments + ["--", "sh", "-c", "echo ready; exec sleep 100"], in: folder)
            #expect(session.waitFor("ready"), "\(session.errors)")
            session.type("\u{3}")
            session.process.waitUntilExit()
            #expect(session.process.terminationStatus == 130, "\(session.errors)")
            let told = arguments[0] == "run" ? "0 resets" : "kernel events in"
            #expect(session.errors.contains(told), "\(session.errors)")
        }
    }

    /// Ctrl-C while the program starts what guards the command, which is then still in the program's own process group.
    @Test(arguments: commands)
    func ctrlCWhileTheCommandStarts(_ arguments: [String]) throws {
        // As the terminal does to all of its foreground, from just after the command's start on.
        let interrupt = "for _ in 1 2 3 4 5 6 7 8 9 10; do kill -s INT -- -$PPID; done; exec sleep 100"
        for _ in 0..<3 {
            try Program.withFolder { folder in
                let session = try Session(arguments + ["--", "sh", "-c", interrupt], in: folder)
                session.process.waitUntilExit()
                #expect(session.process.terminationStatus == 130, "\(session.errors)")
                let told = arguments[0] == "run" ? "0 resets" : "kernel events in"
                #expect(session.errors.contains(told), "\(session.errors)")
            }
        }
    }

    /// A stopped command loses the terminal, and gets it back when it continues.
    @Test func ctrlZStopsTheProgramWithItsCommand() throws {
        try Program.withFolder { folder in
            let session = try Session(
                ["run", "-i", "lo", "--", "sh", "-c", "echo ready; read line; echo \"got $line\""], in: folder)
            #expect(session.waitFor("ready"), "\(session.errors)")
            let program = try #require(Self.program(of: session.process.processIdentifier))
            session.type("\u{1a}")
            #expect(Self.waits(for: "T", program))
            kill(program, SIGCONT)
            #expect(Self.waits(for: "S", program))
            session.type("hello\n")
            session.process.waitUntilExit()
            #expect(session.output.contains("got hello"), "\(session.errors)")
            #expect(session.process.terminationStatus == 0, "\(session.errors)")
        }
    }

    /// Our process, a child of setsid(1).
    private static func program(of parent: Int32) -> Int32? {
        for entry in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let pid = Int32(entry), let status = stat(pid), status.name == "rst-analyze",
                pid == parent || status.parent == parent
            else { continue }
            return pid
        }
        return nil
    }

    private static func waits(for state: Character, _ pid: Int32) -> Bool {
        for _ in 0..<200 {
            if stat(pid)?.state == state { return true }
            usleep(50_000)
        }
        return false
    }

    /// Of proc_pid_stat(5).
    private static func stat(_ pid: Int32) -> (name: String, state: Character, parent: Int32)? {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
            let start = text.firstIndex(of: "("), let end = text.lastIndex(of: ")")
        else { return nil }
        let rest = text[text.index(after: end)...].split(separator: " ")
        guard rest.count > 1, let state = rest[0].first, let parent = Int32(rest[1]) else { return nil }
        return (String(text[text.index(after: start)..<end]), state, parent)
    }
}

/// Interrupting a report ends it at once.
@Suite struct InterruptedReportTests {
    /// A report that is written to a pipe that nobody reads never ends by itself.
    @Test(arguments: [SIGINT, SIGTERM])
    func runEndsAndLeavesNothingBehind(_ signal: Int32) throws {
        try Program.withFolder { folder in
            let pipe = folder.appending(path: "pipe").path
            try #require(mkfifo(pipe, 0o600) == 0)
            let reader = open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
            defer { close(reader) }
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/unshare")
            let flood =
                "import socket\nfor i in range(400):\n  s=socket.socket()\n  s.connect_ex(('127.0.0.1',9))\n  s.close()"
            process.arguments = [
                "-n", "sh", "-c", "ip link set lo up && exec \"$0\" run -i lo --verbose -o pipe -- python3 -c \"$1\"",
                Program.path, flood,
            ]
            process.currentDirectoryURL = folder
            process.environment = ProcessInfo.processInfo.environment.merging(["TMPDIR": folder.path]) { $1 }
            process.standardError = FileHandle.nullDevice
            try process.run()
            // Once it writes, the command has ended.
            var descriptor = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
            #expect(poll(&descriptor, 1, 60_000) == 1)
            usleep(300_000)
            #expect(process.isRunning)
            kill(process.processIdentifier, signal)
            for _ in 0..<100 where process.isRunning { usleep(100_000) }
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
            process.waitUntilExit()
            #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == signal)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["pipe"])
        }
    }
}

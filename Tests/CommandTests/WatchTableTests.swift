import Foundation
import Glibc
import Testing

/// `watch --top` at a terminal of its own.
@Suite(.serialized, .enabled(if: geteuid() == 0, "recording needs root"))
struct WatchTableTests {
    /// A terminal, and the program that has it.
    private final class Terminal {
        private let leader: Int32
        let process = Process()
        private(set) var output = ""
        private let before: termios

        init(columns: UInt16, rows: UInt16) throws {
            leader = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
            var (unlocked, number) = (Int32(0), UInt32(0))
            // TIOCSPTLCK and TIOCGPTN: what unlockpt(3) and ptsname(3) do.
            try #require(
                leader >= 0 && ioctl(leader, 0x4004_5431, &unlocked) == 0 && ioctl(leader, 0x8004_5430, &number) == 0)
            _ = fcntl(leader, F_SETFL, O_NONBLOCK)
            let terminal = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
            try #require(terminal >= 0)
            var settings = termios()
            tcgetattr(terminal, &settings)
            before = settings
            let handle = FileHandle(fileDescriptor: terminal, closeOnDealloc: true)
            process.executableURL = URL(filePath: "/usr/bin/unshare")
            process.arguments = [
                "-n", "sh", "-c",
                """
                ip link set lo up
                python3 -c "import os, socket, time
                parent = os.getppid()
                while os.getppid() == parent:
                    socket.socket().connect_ex(('127.0.0.1', 9))
                    time.sleep(0.5)" >/dev/null 2>&1 </dev/null &
                exec "$0" watch --top 2>/dev/null
                """, Program.path,
            ]
            process.environment = ["TERM": "xterm", "LANG": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
            process.standardInput = handle
            process.standardOutput = handle
            process.standardError = FileHandle.nullDevice
            resize(columns, rows)
            try process.run()
        }

        deinit { close(leader) }

        func resize(_ columns: UInt16, _ rows: UInt16) {
            var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
            _ = ioctl(leader, UInt(TIOCSWINSZ), &size)
        }

        func type(_ text: String) { _ = write(leader, text, text.utf8.count) }

        /// Reads until what came since the last time contains a text.
        func wait(for text: String) -> String {
            var new = ""
            for _ in 0..<1200 {
                new += take()
                if new.contains(text) { return new }
                usleep(50_000)
            }
            return new
        }

        private func take() -> String {
            let bytes = Program.rest(of: leader)
            let text = String(decoding: bytes, as: UTF8.self)
            output += text
            return text
        }

        /// The rest of what it writes.
        func finish() {
            process.waitUntilExit()
            _ = take()
        }

        /// The terminal has its settings back, and shows what it showed before.
        var isRestored: Bool {
            var after = termios()
            tcgetattr(leader, &after)
            return after.c_lflag == before.c_lflag && after.c_iflag == before.c_iflag
                && output.contains("\u{1b}[?1049h") && output.hasSuffix("\u{1b}[?25h\u{1b}[?1049l")
        }

        var isRaw: Bool {
            var now = termios()
            tcgetattr(leader, &now)
            return now.c_lflag & tcflag_t(ICANON) == 0
        }
    }

    /// The lines of the last whole drawing.
    private static func lines(_ text: String) -> [String] {
        let drawings = text.components(separatedBy: "\u{1b}[H").dropFirst()
        let whole = drawings.last { $0.contains("\u{1b}[J") } ?? ""
        // The terminal adds a carriage return to a line feed, and the two are one character of a string.
        return whole.components(separatedBy: "\u{1b}[J")[0].unicodeScalars.split(separator: "\n").map { line in
            var text = String.UnicodeScalarView()
            text.append(contentsOf: line.filter { $0 != "\r" })
            return String(text).replacing("\u{1b}[K", with: "")
        }
    }

    @Test func theTableIsRefreshedSortedAndResized() throws {
        let terminal = try Terminal(columns: 100, rows: 20)
        let first = terminal.wait(for: "closed-port")
        #expect(terminal.isRaw)
        #expect(Self.lines(first).count <= 20 && Self.lines(first).allSatisfy { $0.count <= 100 })
        #expect(Self.lines(first).contains { $0.hasPrefix("closed-port, proven  no socket") })
        terminal.resize(44, 5)
        // One drawing may have been on its way.
        _ = terminal.wait(for: "\u{1b}[J")
        _ = terminal.wait(for: "\u{1b}[J")
        let small = terminal.wait(for: "\u{1b}[J")
        #expect(Self.lines(small).count <= 5 && Self.lines(small).allSatisfy { $0.count <= 44 }, "\(small)")
        terminal.resize(100, 20)
        terminal.type("c")
        #expect(terminal.wait(for: "by cause").contains("by cause"))
        terminal.type("m")
        #expect(terminal.wait(for: "by 1 min").contains("by 1 min"))
        terminal.type("q")
        terminal.finish()
        #expect(terminal.isRestored)
        #expect(terminal.process.terminationReason == .exit && terminal.process.terminationStatus == 0)
    }

    /// However it ends.
    @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV])
    func theTerminalIsGivenBack(_ signal: Int32) throws {
        let terminal = try Terminal(columns: 80, rows: 24)
        _ = terminal.wait(for: "\u{1b}[J")
        kill(terminal.process.processIdentifier, signal)
        terminal.finish()
        #expect(terminal.isRestored, "\(terminal.output.suffix(40).debugDescription)")
        let isOrderly = [SIGINT, SIGTERM, SIGHUP].contains(signal)
        #expect(terminal.process.terminationReason == (isOrderly ? .exit : .uncaughtSignal))
    }

    @Test func withoutATerminalThereIsNoTable() throws {
        let result = try Program.run("watch", "--top")
        #expect(result.status == 64 && result.errors.contains("--top needs a terminal"))
    }
}

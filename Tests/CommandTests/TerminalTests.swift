import Foundation
import Glibc
import Testing

/// The program at a terminal of its own.
@Suite struct TerminalTests {
    /// What it writes to a terminal of that size.
    private static func run(
        columns: UInt16, rows: UInt16, _ arguments: [String], environment: [String: String] = [:]
    ) throws -> String {
        let leader = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var (unlocked, number) = (Int32(0), UInt32(0))
        // TIOCSPTLCK and TIOCGPTN: what unlockpt(3) and ptsname(3) do.
        try #require(
            leader >= 0 && ioctl(leader, 0x4004_5431, &unlocked) == 0 && ioctl(leader, 0x8004_5430, &number) == 0)
        var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        try #require(ioctl(leader, UInt(TIOCSWINSZ), &size) == 0)
        let terminal = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
        try #require(terminal >= 0)
        // Otherwise it writes a carriage return before each line feed.
        var settings = termios()
        tcgetattr(terminal, &settings)
        settings.c_oflag &= ~tcflag_t(OPOST)
        tcsetattr(terminal, TCSANOW, &settings)
        let process = Process()
        process.executableURL = URL(filePath: Program.path)
        process.arguments = arguments
        process.currentDirectoryURL = Program.root
        process.environment = ["TERM": "xterm", "LANG": "C.UTF-8"].merging(environment) { $1 }
        process.standardOutput = FileHandle(fileDescriptor: terminal)
        process.standardError = FileHandle.nullDevice
        try process.run()
        close(terminal)
        let bytes = Program.rest(of: leader)
        process.waitUntilExit()
        close(leader)
        #expect(process.terminationStatus == 0)
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let files = [
        "report", "fixtures/closed-port-v4", "fixtures/linger-zero-v4", "fixtures/masqueraded-v4",
    ]

    private static func width(_ text: String) -> Int {
        text.replacing(/\u{1b}\[[0-9]+m/, with: "").split(separator: "\n").map(\.count).max() ?? 0
    }

    @Test(arguments: [UInt16(50), 80, 132, 200])
    func theTextIsAsWideAsTheTerminal(_ columns: UInt16) throws {
        let text = try Self.run(columns: columns, rows: 40, Self.files)
        #expect(Self.width(text) <= Int(columns))
        #expect(text.contains("\u{1b}[32m"))
        // Where there is room a RST takes one line.
        #expect(text.replacing(/\u{1b}\[[0-9]+m/, with: "").contains("40001  closed-port, proven") == (columns > 80))
    }

    @Test func answersFitTheScreen() throws {
        let low = try Self.run(columns: 80, rows: 24, Self.files + ["--group-by", "cause"])
        #expect(low.split(separator: "\n", omittingEmptySubsequences: false).count <= 24)
    }

    @Test func colourIsLeftOutWhereItIsNotWanted() throws {
        #expect(try !Self.run(columns: 80, rows: 24, Self.files + ["--color", "never"]).contains("\u{1b}"))
        #expect(try !Self.run(columns: 80, rows: 24, Self.files, environment: ["NO_COLOR": "1"]).contains("\u{1b}"))
        #expect(try !Self.run(columns: 80, rows: 24, Self.files, environment: ["TERM": "dumb"]).contains("\u{1b}"))
        #expect(try !Program.run(more: Self.files).output.contains("\u{1b}"))
        #expect(try Program.run(more: Self.files + ["--color", "always"]).output.contains("\u{1b}[32m"))
    }

    @Test func withoutATerminalThereAreEightyColumns() throws {
        #expect(Self.width(try Program.run(more: Self.files).output) <= 80)
        #expect(Self.width(try Program.run(more: Self.files, environment: ["COLUMNS": "50"]).output) <= 50)
    }
}

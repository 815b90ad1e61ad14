import Foundation
import Glibc
import Testing

/// How `provoke` ends.
@Suite struct CommandStatusTests {
    private func status(_ command: [String], _ more: [String] = []) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments =
            ["provoke", "server", "--listen", "127.0.0.1:0", "--log", "/dev/null"] + more + ["--"] + command
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }

    @Test func theStatusIsThatOfCommand() throws {
        #expect(try status(["sh", "-c", "exit 7"]) == 7)
        #expect(try status(["true"]) == 0)
        #expect(try status(["sh", "-c", "kill -TERM $$"]) == 128 + SIGTERM)
        #expect(try status(["/no/such/program"]) == 1)
    }

    @Test func commandIsToldWhereToConnect() throws {
        let script = """
            import os, socket
            s = socket.create_connection((os.environ['PROVOKE_HOST'], os.environ['PROVOKE_PORT']))
            try:
                s.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n'); s.recv(10); os._exit(1)
            except ConnectionResetError:
                os._exit(42)
            """
        #expect(try status(["python3", "-c", script], ["--how", "linger-zero"]) == 42)
    }

    /// Not every system connects to an unspecified address.
    @Test(arguments: [("0.0.0.0", "127.0.0.1"), ("[::]", "::1")])
    func commandIsToldAnAddressOfThisHost(_ listen: String, _ host: String) throws {
        let script = "test \"$PROVOKE_HOST\" = \(host)"
        #expect(try status(["sh", "-c", script], ["--listen", "\(listen):0"]) == 0)
    }

    /// Reaching the count does not end a server whose COMMAND still runs.
    @Test func aCountIsNotTheEndOfCommand() throws {
        let script = """
            import os, socket
            def ask():
                try:
                    with socket.create_connection((os.environ['PROVOKE_HOST'], os.environ['PROVOKE_PORT'])) as s:
                        s.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n')
                        return s.recv(5)
                except ConnectionResetError:
                    return None
            os._exit(9 if [ask(), ask(), ask()] == [None, b'HTTP/', b'HTTP/'] else 1)
            """
        let arguments = ["--how", "linger-zero", "--count", "1"]
        #expect(try status(["python3", "-c", script], arguments) == 9)
    }

    @Test(arguments: [
        ["--when", "sent=0"], ["--when", "whenever"], ["--when", "connect,sent=1"], ["--when", "every=0"],
        ["--rate", "2"], ["--count", "0"], ["--how", "closed-port", "--when", "sent=3"], ["--listen", "localhost"],
        ["--how", "listener-closed", "--when", "every=2"], ["--listen", "::1:80"],
    ])
    func nonsenseIsAUsageError(_ arguments: [String]) throws {
        #expect(try status(["true"], arguments) == 64)
    }

    /// A log that cannot be written ends the program at once, and no line goes to a socket that got its number.
    @Test(arguments: [">&-", ">/dev/full"])
    func aLogThatCannotBeWrittenIsAnError(_ redirection: String) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", "exec \"$0\" provoke server --listen 127.0.0.1:0 \(redirection)", program]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 1)
    }

    /// Nothing is sent on an interface without confirmation of its ownership.
    @Test(arguments: [
        ["inject"], ["inject", "--interface", "lo", "--to", "127.0.0.1:80"],
        ["reject", "--interface", "lo", "--to", "127.0.0.1:80"],
        ["reject", "--interface", "lo", "--i-own-this-network"], ["reject", "--i-own-this-network", "--", "true"],
        ["inject", "--per-second", "1001", "--", "true"], ["reject", "--count", "1", "--", "true"],
    ])
    func interfacesAreForTheirOwners(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = ["provoke"] + arguments
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 64)
    }
}

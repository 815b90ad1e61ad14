import CLaboratory
import Glibc

/// A child process, started from the calling thread and so in that thread's network namespace.
package final class ChildProcess {
    package let pid: Int32
    /// The writing end of the child's standard input.
    package let input: Descriptor
    /// The reading end of its standard output and, with `mergingErrors`, of its standard error.
    package let output: Descriptor
    /// Kept open so that writing to a child that has ended does not raise SIGPIPE.
    private let childInput: Descriptor
    package private(set) var status: Int32?

    /// Starts the executable at `path`; it inherits the three standard descriptors, and `inherited` as number 3. The initial
    /// input must fit in a pipe (65,536 bytes).
    package init(
        path: String, arguments: [String], initialInput: [UInt8] = [], mergingErrors: Bool,
        inheriting inherited: Int32? = nil
    ) throws {
        var toChild: [Int32] = [-1, -1]
        var fromChild: [Int32] = [-1, -1]
        try check(laboratory_pipe(&toChild), "pipe2")
        childInput = Descriptor(toChild[0])
        input = Descriptor(toChild[1])
        try check(laboratory_pipe(&fromChild), "pipe2")
        output = Descriptor(fromChild[0])
        let childOutput = Descriptor(fromChild[1])

        precondition(initialInput.count <= 65536)
        if !initialInput.isEmpty { try check(write(input.number, initialInput, initialInput.count), "write", path) }

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, childInput.number, 0)
        posix_spawn_file_actions_adddup2(&actions, childOutput.number, 1)
        if mergingErrors { posix_spawn_file_actions_adddup2(&actions, childOutput.number, 2) }
        if let inherited { posix_spawn_file_actions_adddup2(&actions, inherited, 3) }

        var words = arguments.map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        let status = posix_spawn(&pid, path, &actions, nil, words, environ)
        guard status == 0 else { throw LabError.system(call: "posix_spawn", subject: path, errno: status) }
        self.pid = pid
        childOutput.close()
    }

    /// Waits for the end and returns the status of waitpid(2); nil if the child still runs at the deadline.
    package func wait(until deadline: Deadline) -> Int32? {
        var raw: Int32 = 0
        while status == nil {
            let ended = waitpid(pid, &raw, WNOHANG)
            if ended == pid || (ended < 0 && errno == ECHILD) {
                status = raw
            } else if deadline.hasPassed {
                return nil
            } else {
                usleep(300)
            }
        }
        return status
    }

    package func kill(_ signal: Int32 = SIGKILL) {
        if status == nil { Glibc.kill(pid, signal) }
    }

    deinit {
        input.close()
        if wait(until: Deadline(milliseconds: 0)) == nil {
            kill()
            _ = wait(until: Deadline(milliseconds: Deadline.patience))
        }
    }
}

/// Programs of the system that the laboratory uses.
package enum Command {
    /// Where the program is, in PATH or the system administrator's directories; nil if it is not found.
    package static func path(of program: String) -> String? {
        if program.contains("/") { return access(program, X_OK) == 0 ? program : nil }
        let fromEnvironment = getenv("PATH").map { String(cString: $0) } ?? ""
        let directories =
            fromEnvironment.split(separator: ":").map(String.init) + ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]
        return directories.map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }

    /// Runs the program to its end and returns what it printed.
    ///
    /// Throws `.unsupported` if the program is missing, `.command` for a status other than 0, and `.timeout` (after ending
    /// the program) if it takes too long.
    @discardableResult
    package static func run(_ words: [String], input: String = "") throws -> String {
        guard let path = path(of: words[0]) else {
            throw LabError.unsupported("the program \(words[0]) is not installed")
        }
        let line = words.joined(separator: " ")
        let deadline = Deadline(milliseconds: Deadline.patience)
        let child = try ChildProcess(
            path: path, arguments: words, initialInput: Array(input.utf8), mergingErrors: true)
        child.input.close()

        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while true {
            guard try child.output.poll(POLLIN, until: deadline) != 0 else {
                throw LabError.timeout("end of `\(line)`")
            }
            let count = try check(read(child.output.number, &chunk, chunk.count), "read", line)
            if count == 0 { break }
            output += chunk[..<count]
        }
        guard let status = child.wait(until: deadline) else { throw LabError.timeout("end of `\(line)`") }
        let text = String(decoding: output, as: UTF8.self)
        guard status == 0 else {
            throw LabError.command(
                line: input.isEmpty ? line : "\(line) <<< \(input)", status: status >> 8, output: text)
        }
        return text
    }
}

/// Distinguishes a kernel that lacks something from a wrong command, by what the netfilter commands print.
package func supported(_ command: () throws -> Void) throws {
    do {
        try command()
    } catch LabError.command(let line, let status, let output) {
        let signs = [
            "not supported", "No such file", "do you need to insmod", "No chain/target/match", "Unknown error",
            "missing kernel module",
        ]
        if signs.contains(where: output.contains) {
            let first = output.split(separator: "\n").first ?? "?"
            throw LabError.unsupported("this kernel refuses: \(first)")
        }
        throw LabError.command(line: line, status: status, output: output)
    }
}

import CLaboratory
import Glibc
import NetworkTypes

/// How a lab starts a child process that owns sockets: the executable, and the words before the actor's own.
public struct ActorCommand: Sendable {
    public let path: String
    public let arguments: [String]

    public init(path: String, arguments: [String]) {
        self.path = path
        self.arguments = arguments
    }

    /// This executable with the hidden subcommand `selftest-actor`, which calls `Actor.main`.
    public static let thisProgram = ActorCommand(path: "/proc/self/exe", arguments: ["selftest-actor"])
}

/// A process in a namespace of the lab that does what it is told (see `Actor`).
///
/// It ends with its last reference, or on its own when the laboratory is gone.
public final class ActorProcess {
    private let child: ChildProcess
    public var pid: Int32 { child.pid }

    /// With a listener, the process inherits it, as the child of a forking server does. Without a node it runs in the
    /// namespace of the caller.
    package init(in node: Node?, of lab: Lab, listener: Socket? = nil) throws {
        let command = lab.actorCommand
        let start = {
            try ChildProcess(
                path: command.path, arguments: [command.path] + command.arguments, mergingErrors: false,
                inheriting: listener?.number)
        }
        child = try node?.run(start) ?? start()
        try request("hello")
        if let listener { try request("adopt \(listener.family)") }
    }

    /// Sends a request and returns the words of the answer.
    @discardableResult
    package func request(_ line: String) throws -> [Substring] {
        try send(line)
        return try answer(to: line)
    }

    /// The words of the answer to a request that was sent before.
    package func answer(to line: String) throws -> [Substring] {
        var answer: [UInt8] = []
        let deadline = Deadline(milliseconds: 2 * Deadline.patience)
        while answer.last != UInt8(ascii: "\n") {
            guard try child.output.poll(POLLIN, until: deadline) != 0 else {
                throw LabError.timeout("answer to `\(line)`")
            }
            var byte: UInt8 = 0
            let count = try check(read(child.output.number, &byte, 1), "read", "answer")
            guard count == 1 else { throw LabError.actor("ended at `\(line)`") }
            answer.append(byte)
        }
        let words = String(decoding: answer.dropLast(), as: UTF8.self).split(separator: " ")
        guard words.first == "ok" else {
            throw LabError.actor("`\(line)`: \(words.joined(separator: " "))")
        }
        return Array(words.dropFirst())
    }

    /// Sends a request that is not answered.
    package func send(_ line: String) throws {
        let bytes = Array((line + "\n").utf8)
        try check(write(child.input.number, bytes, bytes.count), "write", line)
    }

    /// Sends SIGKILL, without waiting for the process to end.
    package func kill() { child.kill() }

    /// Binds the process to one processor; false if it cannot run on that one.
    package func bind(toProcessor number: Int) throws -> Bool {
        if laboratory_bind(pid, UInt32(number)) == 0 { return true }
        guard errno == EINVAL else {
            throw LabError.system(call: "sched_setaffinity", subject: "processor \(number)", errno: errno)
        }
        return false
    }

    /// The time that processors have spent on the process, in milliseconds.
    package func processorTime() throws -> Int {
        var clock = clockid_t()
        var time = timespec()
        let status = clock_getcpuclockid(pid, &clock)
        guard status == 0 else {
            throw LabError.system(call: "clock_getcpuclockid", subject: "\(pid)", errno: status)
        }
        try check(clock_gettime(clock, &time), "clock_gettime", "\(pid)")
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    /// Listens on the port of the node's address.
    package func listen(_ endpoint: Endpoint) throws { try request("listen \(endpoint.address) \(endpoint.port)") }

    /// Connects and returns the local end.
    package func connect(to endpoint: Endpoint) throws -> Endpoint {
        let words = try request("connect \(endpoint.address) \(endpoint.port)")
        guard words.count == 2, let address = IPAddress(words[0]), let port = UInt16(words[1]) else {
            throw LabError.actor("no local address")
        }
        return Endpoint(address, port)
    }
}

extension Lab {
    /// Starts a process in the server's namespace that has nothing to do with any connection and uses the processor;
    /// it ends with its last reference.
    public func startBystander() throws -> ActorProcess {
        let actor = try ActorProcess(in: server, of: self)
        try actor.request("burn")
        return actor
    }
}

/// A server process and its client's socket, made before anything is recorded.
package struct PreparedSockets {
    package let server: ActorProcess
    package var client: Socket?

    package init(server: ActorProcess, client: Socket? = nil) {
        self.server = server
        self.client = client
    }
}

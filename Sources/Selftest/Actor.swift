import Glibc
import Laboratory
import NetworkTypes

/// The child process of a scenario: it owns sockets, and closes them, exits or is killed with them.
///
/// Requests arrive on standard input, one per line, and each is answered with one line on standard output: `ok` and the
/// result, or `error` and the reason. The process ends with its standard input, so it does not outlive the laboratory.
public enum Actor {
    /// Serves requests until standard input ends.
    public static func main() -> Never {
        try? File.write("selftest-actor", to: "/proc/self/comm")
        // An interrupt from the terminal is for the laboratory; this process then sees the end of its input.
        for number in [SIGINT, SIGTERM, SIGHUP] { signal(number, SIG_IGN) }
        var performer = Performer()
        while let line = readLine() {
            let words = line.split(separator: " ")
            let answer: String
            do {
                answer = (["ok"] + (try performer.perform(words))).joined(separator: " ")
            } catch {
                answer = "error \(error)"
            }
            let bytes = Array((answer + "\n").utf8)
            guard write(1, bytes, bytes.count) == bytes.count else { break }
            if words.first == "burn" { burn() }
        }
        performer.orphanLimit?.restore()
        exit(0)
    }

    /// Keeps the processor busy until there is standard input to read.
    private static func burn() {
        var input = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
        var number: UInt64 = 1
        repeat {
            for _ in 0..<100_000 { number = number &* 6_364_136_223_846_793_005 &+ 1 }
        } while poll(&input, 1, 0) == 0
        if number == 0 { exit(1) }
    }
}

private struct Performer {
    private var listener: Socket?
    private var connections: [Socket] = []
    var orphanLimit: OrphanLimit?

    mutating func perform(_ words: [Substring]) throws -> [String] {
        switch words.first {
        case "hello": return [String(getpid())]
        case "burn": return []
        case "listen":
            let endpoint = try endpoint(words.dropFirst())
            let socket = try Socket(family: endpoint.address.version.family)
            try socket.bind(endpoint)
            try socket.listen()
            listener = socket
        case "adopt": listener = Socket(adopting: 3, family: words.count > 1 ? Int32(words[1]) ?? AF_INET : AF_INET)
        case "accept": connections.append(try require(listener).accept())
        case "connect":
            let endpoint = try endpoint(words.dropFirst())
            let socket = try Socket(family: endpoint.address.version.family)
            try socket.connect(to: endpoint)
            connections.append(socket)
            let local = try socket.local()
            return [local.address.description, String(local.port)]
        case "refused":
            let endpoint = try endpoint(words.dropFirst())
            try Socket(family: endpoint.address.version.family).expectRefusal(of: endpoint)
        case "wait-listener": try require(listener).waitUntilReadable("connection in the queue")
        case "wait-long": try require(connections.last).setTCP(TCP_LINGER2, 100)
        case "wait-readable": try require(connections.last).waitUntilReadable()
        case "send": try require(connections.last).send(10)
        case "receive": try require(connections.last).receive(10)
        case "error-of-read": return [String(try require(connections.last).errorOfReading())]
        case "error-of-write": return [String(try require(connections.last).errorOfWriting())]
        case "error-of-connect": return [String(try errorOfConnecting(to: endpoint(words.dropFirst())))]
        case "error-of-connect-from":
            let local = try endpoint(words.dropFirst().prefix(2))
            return [String(try errorOfConnecting(to: endpoint(words.dropFirst(3)), from: local))]
        case "keepalive": try require(connections.last).startKeepalive(count: 1)
        case "linger-zero": try require(connections.last).setLinger(seconds: 0)
        case "close": try require(connections.popLast()).close()
        case "close-in-thread": try closeInThread(require(connections.popLast()))
        case "exec":
            // execve(2) closes the descriptors with FD_CLOEXEC.
            let words = Array((File.read("/proc/self/cmdline") ?? "").utf8).split(separator: 0)
            var arguments = words.map { word in strdup(String(decoding: word, as: UTF8.self)) } + [nil]
            execv("/proc/self/exe", &arguments)
            throw LabError.system(call: "execv", subject: "/proc/self/exe", errno: errno)
        case "close-listener": try require(listener).close()
        case "destroy":
            try SocketDestroyer.destroy(
                local: try endpoint(words.dropFirst()), remote: try endpoint(words.dropFirst(3)))
        case "forbid-orphans": orphanLimit = try OrphanLimit()
        case "allow-orphans":
            orphanLimit?.restore()
            orphanLimit = nil
        case "exit": exit(0)
        default: throw LabError.actor("unknown request")
        }
        return []
    }

    /// Waits in connect(2).
    private func errorOfConnecting(to endpoint: Endpoint, from local: Endpoint? = nil) throws -> Int32 {
        let socket = try Socket(family: endpoint.address.version.family)
        defer { socket.close() }
        if let local { try socket.bind(local) }
        return socket.errorOfConnecting(to: endpoint)
    }

    /// Closes the socket in a thread with a name of its own.
    private func closeInThread(_ socket: Socket) throws {
        let unmanaged = Unmanaged.passRetained(socket)
        var thread: pthread_t = 0
        let status = pthread_create(
            &thread, nil,
            { argument in
                try? File.write("selftest-thread", to: "/proc/thread-self/comm")
                if let argument { Unmanaged<Socket>.fromOpaque(argument).takeRetainedValue().close() }
                return nil
            }, unmanaged.toOpaque())
        guard status == 0 else {
            unmanaged.release()
            throw LabError.system(call: "pthread_create", subject: "close-in-thread", errno: status)
        }
        pthread_join(thread, nil)
    }

    private func require(_ socket: Socket?) throws -> Socket {
        guard let socket else { throw LabError.actor("no such socket") }
        return socket
    }

    private func endpoint(_ words: ArraySlice<Substring>) throws -> Endpoint {
        guard words.count >= 2, let address = IPAddress(words[words.startIndex]),
            let port = UInt16(words[words.startIndex + 1])
        else { throw LabError.actor("no address and port") }
        return Endpoint(address, port)
    }
}

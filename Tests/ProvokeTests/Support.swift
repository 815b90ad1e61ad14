import Foundation
import Glibc
import Laboratory
import NetworkTypes
import Testing

@testable import Provoke

let isRoot = geteuid() == 0

/// The program, as a user runs it: it is beside the test bundle.
let program: String = {
    let bundle = Bundle.allBundles.map(\.bundleURL).first { $0.pathExtension == "xctest" }
    let folder =
        bundle?.deletingLastPathComponent()
        ?? URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    return folder.appendingPathComponent("rst-analyze").path
}()

let loopback: [IPVersion: String] = [.v4: "127.0.0.1", .v6: "[::1]"]

let snakeCase: JSONDecoder = {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return decoder
}()

/// A line of the log.
struct LogLine: Decodable {
    var type: String
    var listen: String?
    var how: String?
    var cause: String?
    var side: String?
    var src: String?
    var srcPort: UInt16?
    var dst: String?
    var dstPort: UInt16?
    var sent: String?
    var resets: Int?

    static func lines(_ text: String) throws -> [LogLine] {
        try text.split(separator: "\n").map { try snakeCase.decode(LogLine.self, from: Data($0.utf8)) }
    }
}

/// `rst-analyze provoke …`, running.
final class Provoker {
    let process = Process()
    /// A file, not a pipe: a server that logs hundreds of resets must not wait until somebody reads them.
    private let output: FileHandle
    private(set) var endpoint = Endpoint(IPAddress(ipv4: 0), 0)

    /// Returns when it listens.
    ///
    /// - Parameter prefix: a program that runs this one, and what it takes.
    init(_ role: String, _ arguments: [String], prefix: [String] = []) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "provoke-\(UUID().uuidString)").path
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o600)
        try #require(descriptor >= 0)
        unlink(path)
        output = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        let words = prefix + [program, "provoke", role] + arguments
        process.executableURL = URL(filePath: words[0])
        process.arguments = Array(words.dropFirst())
        process.standardOutput = output
        try process.run()
        while process.isRunning, try !text.contains("\n") { usleep(1_000) }
        let first = try #require(try LogLine.lines(String(text.prefix { $0 != "\n" })).first)
        if let listen = first.listen { endpoint = try #require(Endpoint(text: listen)) }
    }

    /// What it has written so far.
    private var text: String {
        get throws {
            try output.seek(toOffset: 0)
            return String(decoding: try output.readToEnd() ?? Data(), as: UTF8.self)
        }
    }

    convenience init(
        server how: How?, _ version: IPVersion, when: String = "connect", count: Int? = 1, _ more: [String] = []
    ) throws {
        var arguments = ["--listen", "\(loopback[version]!):0", "--when", when] + more
        if let how { arguments += ["--how", how.rawValue] }
        if let count { arguments += ["--count", "\(count)"] }
        try self.init("server", arguments)
    }

    /// Waits for the end and returns the log, without its first line.
    func finish(interrupting: Bool = false) throws -> [LogLine] {
        if interrupting { process.terminate() }
        process.waitUntilExit()
        return Array(try LogLine.lines(text).dropFirst())
    }

    deinit { if process.isRunning { process.terminate() } }
}

extension Endpoint {
    /// `127.0.0.1:80` or `[::1]:80`.
    init?(text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]),
            let address = IPAddress(text[..<colon].filter { $0 != "[" && $0 != "]" })
        else { return nil }
        self.init(address, port)
    }
}

/// A simple client that reports which error ended it.
struct TestClient {
    let socket: Socket
    let local: Endpoint
    /// The RST came before connect(2) returned.
    private var wasReset = false

    init(_ endpoint: Endpoint) throws {
        socket = try Socket(family: endpoint.address.isIPv4 ? AF_INET : AF_INET6)
        // A socket that was reset has no port but one that it was bound to.
        try socket.bind(Endpoint(endpoint.address, 0))
        local = try socket.local()
        do {
            try socket.connect(to: endpoint)
        } catch LabError.system(_, _, ECONNRESET) {
            wasReset = true
        }
    }

    static let request = Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8)

    /// The error of send(2), or nil.
    func send(_ bytes: [UInt8] = request) -> Int32? {
        if wasReset { return ECONNRESET }
        return Glibc.send(socket.number, bytes, bytes.count, Int32(MSG_NOSIGNAL)) < 0 ? errno : nil
    }

    enum End: Equatable { case file, error(Int32) }

    /// Reads to the end, or up to `count` bytes.
    func read(_ count: Int = .max) throws -> (bytes: [UInt8], end: End?) {
        if wasReset { return ([], .error(ECONNRESET)) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count < count {
            try socket.waitUntilReadable()
            let some = recv(socket.number, &chunk, min(chunk.count, count - bytes.count), 0)
            if some < 0 { return (bytes, .error(errno)) }
            if some == 0 { return (bytes, .file) }
            bytes += chunk[..<some]
        }
        return (bytes, nil)
    }

    /// Sends a request, reads to the end, and after an end of file sends until that fails. Returns what came before the
    /// error, and the error.
    func untilError() throws -> (sawEndOfFile: Bool, error: Int32) {
        if let error = send() { return (false, error) }
        let end = try read().end
        if case .error(let error) = end { return (false, error) }
        var failure: Int32?
        try wait(for: "error of send") {
            failure = send([1])
            return failure != nil
        }
        return (true, failure ?? 0)
    }
}

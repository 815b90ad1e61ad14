import Dispatch
import Foundation
import Glibc
import Synchronization

@testable import Recorder

/// A Unix socket that answers each request with the same bytes.
final class FakeRuntime: Sendable {
    let path: String
    private let listener: Int32
    private let requests = Mutex<[String]>([])
    private let answer: [UInt8]
    /// Microseconds before each byte; 0 for all at once.
    private let pause: UInt32

    var received: [String] { requests.withLock { $0 } }

    init(_ path: String, answer: [UInt8], pause: UInt32 = 0) throws {
        self.path = path
        self.answer = answer
        self.pause = pause
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let name = path.utf8CString
        precondition(name.count <= 108)
        withUnsafeMutableBytes(of: &address.sun_path) { place in
            name.withUnsafeBytes { place.copyMemory(from: $0) }
        }
        let result = withUnsafeBytes(of: &address) {
            bind(listener, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
        }
        guard result == 0, listen(listener, 8) == 0 else { throw POSIXError(.EADDRINUSE) }
        Thread.detachNewThread { [self] in serve() }
    }

    static func ok(_ body: [UInt8]) -> [UInt8] {
        Array("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n".utf8) + body
    }

    private func serve() {
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0 else { return }
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = recv(client, &buffer, buffer.count, 0)
            requests.withLock { $0.append(String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)) }
            if pause == 0 {
                var rest = answer[...]
                while !rest.isEmpty {
                    let sent = rest.withUnsafeBytes { send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
                    if sent <= 0 { break }
                    rest = rest.dropFirst(sent)
                }
            } else {
                for byte in answer {
                    usleep(pause)
                    var byte = byte
                    if send(client, &byte, 1, Int32(MSG_NOSIGNAL)) <= 0 { break }
                }
            }
            close(client)
        }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }
}

/// A directory that is gone when the test is over.
final class ScratchFolder {
    let path = "/tmp/rst-\(UUID().uuidString.prefix(8))"

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        let file = URL(fileURLWithPath: path + name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
    }
}

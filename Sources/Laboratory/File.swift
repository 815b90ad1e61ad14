import Glibc
import HostFiles

/// Small files of /proc and /sys.
package enum File {
    /// The file's text; nil if it cannot be read.
    package static func read(_ path: String) -> String? {
        bytes(path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The file's bytes; nil if it cannot be read.
    package static func bytes(_ path: String) -> [UInt8]? { contents(ofFile: path) }

    package static func write(_ text: String, to path: String) throws {
        let descriptor = try check(open(path, O_WRONLY | O_CLOEXEC), "open", path)
        defer { close(descriptor) }
        try check(Glibc.write(descriptor, text, text.utf8.count), "write \(text) to", path)
    }

    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}

/// A file descriptor that is closed with its last reference.
package final class Descriptor {
    package private(set) var number: Int32

    package init(_ number: Int32) { self.number = number }

    package func close() {
        if number >= 0 { Glibc.close(number) }
        number = -1
    }

    deinit { close() }

    /// Waits for one of the poll(2) events and returns those that happened; none if the deadline passed.
    package func poll(_ events: Int32, until deadline: Deadline) throws -> Int32 {
        var request = pollfd(fd: number, events: Int16(truncatingIfNeeded: events), revents: 0)
        while true {
            let count = Glibc.poll(&request, 1, deadline.remainingMilliseconds)
            if count < 0, errno == EINTR { continue }
            try check(count, "poll")
            return Int32(request.revents)
        }
    }
}

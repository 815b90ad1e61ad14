import Glibc
import Laboratory

/// Holds the host's net.ipv4.tcp_max_orphans at 0. Only one process at a time may do so.
final class OrphanLimit {
    private static let path = "/proc/sys/net/ipv4/tcp_max_orphans"
    private let file: Descriptor
    private let before: String

    init() throws {
        let file = Descriptor(try check(open(Self.path, O_RDWR | O_CLOEXEC), "open", Self.path))
        try wait(for: "lock of \(Self.path)") { flock(file.number, LOCK_EX | LOCK_NB) == 0 }
        guard let value = File.read(Self.path), value.trimmedNumber > 0 else {
            throw LabError.unsupported("\(Self.path) is 0 already")
        }
        self.file = file
        before = String(value.trimmedNumber)
        try File.write("0", to: Self.path)
    }

    func restore() {
        try? File.write(before, to: Self.path)
        file.close()
    }
}

extension String {
    fileprivate var trimmedNumber: Int { split { !$0.isNumber }.first.flatMap { Int($0) } ?? 0 }
}

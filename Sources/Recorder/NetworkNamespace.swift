import CLinux
import Glibc
import HostFiles
import KernelEvents
import NetworkTypes

/// A network namespace, by a path that can be opened: `/proc/PID/ns/net`, `/run/netns/NAME`.
public struct NetworkNamespace: Sendable, Equatable {
    public var path: String

    public init(path: String) { self.path = path }

    /// The one the calling thread is in.
    public static let current = "/proc/thread-self/ns/net"

    /// The number of a namespace of any kind, as `readlink` shows it; nil if the path cannot be examined.
    public static func number(_ path: String) -> UInt32? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return UInt32(truncatingIfNeeded: status.st_ino)
    }

    /// Finds a namespace by the name that `ip netns` gives it, by its inode number, or by a path.
    ///
    /// A number is looked for among the named ones and those of all processes.
    public init?(named name: String) {
        if name.contains("/") {
            path = name
        } else if let number = UInt32(name) {
            guard let path = Self.paths().first(where: { Self.number($0) == number }) else { return nil }
            self.path = path
        } else {
            path = "\(Self.names)/\(name)"
        }
        guard Self.number(path) != nil else { return nil }
    }

    /// Where `ip netns` keeps them (ip-netns(8)).
    private static let names = "/run/netns"

    private static func paths() -> [String] {
        (namesInDirectory(names) ?? []).filter { !$0.hasPrefix(".") }.map { "\(names)/\($0)" }
            + (namesInDirectory("/proc") ?? []).filter { Int32($0) != nil }.map { "/proc/\($0)/ns/net" }
    }

    /// Whether the calling process is in a container, or in a network namespace that is not the host's.
    public static var isApart: Bool {
        // PROC_PID_INIT_INO: of the PID namespaces only the first has a fixed number.
        guard number("/proc/self/ns/pid") == 0xEFFF_FFFC else { return true }
        return number("/proc/1/ns/net") != number(current)
    }

    /// Runs the body with the calling thread in the namespace, and goes back.
    static func run<Result>(
        in namespace: NetworkNamespace?, _ body: () throws(RecorderError) -> Result
    ) throws(RecorderError) -> Result {
        guard let namespace else { return try body() }
        let home = open(current, O_RDONLY | O_CLOEXEC)
        let target = open(namespace.path, O_RDONLY | O_CLOEXEC)
        defer {
            if home >= 0 { close(home) }
            if target >= 0 { close(target) }
        }
        var (here, there) = (stat(), stat())
        // To enter even the own one needs CAP_SYS_ADMIN.
        if home >= 0, target >= 0, fstat(home, &here) == 0, fstat(target, &there) == 0, here.st_dev == there.st_dev,
            here.st_ino == there.st_ino
        {
            return try body()
        }
        guard home >= 0, target >= 0, linux_enter_network_namespace(target) == 0 else {
            throw RecorderError.cannotEnterNamespace(path: namespace.path, reason: RecorderError.systemReason)
        }
        // A thread that cannot go home must not go on in a foreign place.
        defer { precondition(linux_enter_network_namespace(home) == 0, "cannot return to the network namespace") }
        return try body()
    }
}

/// The interfaces of the calling thread's network namespace and their addresses.
func networkInterfaces(captured: Set<String>) -> [RecordingHeader.Interface] {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return [] }
    defer { freeifaddrs(list) }
    let netns = NetworkNamespace.number(NetworkNamespace.current)
    var found: [RecordingHeader.Interface] = []
    var entry = list
    while let current = entry?.pointee {
        defer { entry = current.ifa_next }
        let name = String(cString: current.ifa_name)
        let index =
            found.firstIndex { $0.name == name }
            ?? {
                found.append(
                    RecordingHeader.Interface(
                        name: name, ifindex: Int32(if_nametoindex(name)), netns: netns, addresses: [],
                        captured: captured.contains(name) || captured.contains("any")))
                return found.count - 1
            }()
        if let address = current.ifa_addr.flatMap(address) { found[index].addresses.append(address) }
    }
    return found
}

private func address(_ socket: UnsafeMutablePointer<sockaddr>) -> IPAddress? {
    let raw = UnsafeRawPointer(socket)
    switch Int32(socket.pointee.sa_family) {
    case AF_INET:
        let bits = raw.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        return IPAddress(ipv4: UInt32(bigEndian: bits))
    case AF_INET6:
        return IPAddress(
            high: UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
            low: UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 16, as: UInt64.self)))
    default: return nil
    }
}

import Glibc
import HostFiles

/// Finds a way into a network namespace that an event names by its number.
struct NamespaceFinder {
    /// Where to look first: the recorder's own and those of its interfaces.
    private let known: [String]
    private var paths: [UInt32: NetworkNamespace] = [:]
    /// When all processes were last looked through, CLOCK_MONOTONIC in nanoseconds.
    private var searched: Int64 = .min

    /// Nanoseconds between two searches through all processes.
    private static let interval: Int64 = 1_000_000_000

    init(known: [String]) { self.known = known }

    /// - Returns: nil if nobody is found in it.
    mutating func namespace(_ number: UInt32) -> NetworkNamespace? {
        if let namespace = paths[number] {
            if NetworkNamespace.number(namespace.path) == number { return namespace }
            paths[number] = nil
        }
        if let path = known.first(where: { NetworkNamespace.number($0) == number }) {
            return keep(path, number)
        }
        if let path = (namesInDirectory("/run/netns") ?? []).lazy.map({ "/run/netns/\($0)" }).first(where: {
            NetworkNamespace.number($0) == number
        }) {
            return keep(path, number)
        }
        let now = clockNanoseconds(CLOCK_MONOTONIC)
        guard searched == .min || now - searched >= Self.interval else { return nil }
        searched = now
        for process in (namesInDirectory("/proc") ?? []) where process.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            let path = "/proc/\(process)/ns/net"
            if NetworkNamespace.number(path) == number { return keep(path, number) }
        }
        return nil
    }

    private mutating func keep(_ path: String, _ number: UInt32) -> NetworkNamespace {
        let namespace = NetworkNamespace(path: path)
        paths[number] = namespace
        return namespace
    }
}

import CLinux
import Glibc
import KernelEvents

/// Names for cgroups: ids of cgroup v2, and processes of hosts where the services are in cgroup v1.
struct ControlGroups {
    /// Nil where cgroup v2 is not mounted.
    private let mount: (path: String, descriptor: Int32)?
    /// Whether /proc has the process numbers that the hooks see: those of the initial PID namespace.
    private let seesAllProcesses = NetworkNamespace.number("/proc/self/ns/pid") == 0xEFFF_FFFC
    private var byID: [UInt64: Entry] = [:]
    private var byProcess: [Int32: Entry] = [:]

    private struct Entry {
        var path: String?
        /// CLOCK_MONOTONIC, nanoseconds.
        var asked: Int64
    }

    /// Nanoseconds until a question without an answer is asked again, and until a process may have moved.
    private static let patience: Int64 = 1_000_000_000
    /// Cgroups and processes come and go while a recorder runs for months.
    private static let capacity = 16384

    init() {
        guard let path = Self.mountPoint(mountinfo: readFile("/proc/self/mountinfo")) else {
            mount = nil
            return
        }
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        mount = descriptor < 0 ? nil : (path, descriptor)
    }

    func close() { if let mount { Glibc.close(mount.descriptor) } }

    /// The path of the cgroup below the mount, `/` for the root; nil if it is gone and was not asked for before.
    mutating func path(id: UInt64) -> String? {
        guard let mount, id != 0 else { return nil }
        let now = clockNanoseconds(CLOCK_MONOTONIC)
        // An id is never given to another cgroup, and a cgroup is never renamed.
        if let known = byID[id], known.path != nil || now - known.asked < Self.patience { return known.path }
        if byID.count >= Self.capacity { byID = [:] }
        let path = Self.path(id: id, below: mount.path, descriptor: mount.descriptor)
        byID[id] = Entry(path: path, asked: now)
        return path
    }

    private static func path(id: UInt64, below mount: String, descriptor: Int32) -> String? {
        let directory = linux_open_cgroup(descriptor, id)
        guard directory >= 0 else { return nil }
        defer { Glibc.close(directory) }
        var target = [UInt8](repeating: 0, count: 8192)
        let count = target.withUnsafeMutableBytes {
            readlink("/proc/self/fd/\(directory)", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
        }
        guard count > 0, count < target.count else { return nil }
        let link = target[..<count]
        // Elsewhere it is outside of what this mount shows.
        guard link.starts(with: mount.utf8) else { return nil }
        let path = link.dropFirst(mount.utf8.count)
        if path.isEmpty { return "/" }
        return path.first == UInt8(ascii: "/") ? String(kernelName: path) : nil
    }

    /// The process's path in cgroup v1; nil if it has none but the root, or is gone.
    mutating func path(process pid: Int32) -> String? {
        guard seesAllProcesses else { return nil }
        let now = clockNanoseconds(CLOCK_MONOTONIC)
        if let known = byProcess[pid], now - known.asked < Self.patience { return known.path }
        if byProcess.count >= Self.capacity { byProcess = [:] }
        let path = Self.legacyPath(cgroup: readFile("/proc/\(pid)/cgroup"))
        byProcess[pid] = Entry(path: path, asked: now)
        return path
    }

    // MARK: - Texts of the kernel

    /// Where the whole hierarchy of cgroup v2 is mounted, from /proc/self/mountinfo (proc_pid_mountinfo(5)).
    static func mountPoint(mountinfo: [UInt8]) -> String? {
        for line in mountinfo.split(separator: UInt8(ascii: "\n")) {
            // id parent major:minor root mount-point options [optional fields] - type source super-options
            let fields = line.split(separator: UInt8(ascii: " "))
            guard fields.count > 6, let dash = fields[6...].firstIndex(where: { $0.elementsEqual("-".utf8) }),
                dash + 1 < fields.count, fields[dash + 1].elementsEqual("cgroup2".utf8),
                fields[3].elementsEqual("/".utf8)
            else { continue }
            return String(decoding: unescaped(fields[4]), as: UTF8.self)
        }
        return nil
    }

    /// Space, tab, newline and backslash are written as three octal digits.
    private static func unescaped(_ field: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var rest = field
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            guard byte == UInt8(ascii: "\\"), digits.count == 3,
                let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            else {
                result.append(byte)
                continue
            }
            result.append(code)
            rest = rest.dropFirst(3)
        }
        return result
    }

    /// From /proc/PID/cgroup (cgroups(7)): the hierarchy of systemd, or else of a controller that every container
    /// runtime puts its containers into. The root says nothing.
    static func legacyPath(cgroup text: [UInt8]) -> String? {
        var paths: [String: String] = [:]
        for line in text.split(separator: UInt8(ascii: "\n")) {
            // hierarchy-ID:controller-list:path
            let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3, !fields[2].elementsEqual("/".utf8) else { continue }
            for controller in fields[1].split(separator: UInt8(ascii: ",")) {
                paths[String(decoding: controller, as: UTF8.self)] = String(kernelName: fields[2])
            }
        }
        return ["name=systemd", "pids", "devices", "cpu"].lazy.compactMap { paths[$0] }.first
    }
}

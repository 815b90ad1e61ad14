import CLinux
import Glibc
import KernelEvents

/// Names for cgroups: ids of cgroup v2, and processes of hosts where the services are in cgroup v1.
struct ControlGroups {
    /// Nil where cgroup v2 cannot be reached.
    private let mount: (path: String, descriptor: Int32)?
    /// Why cgroup v2 cannot be reached; nil if it can.
    let obstacle: String?
    /// Whether /proc has the process numbers that the hooks see: those of the initial PID namespace.
    private let seesAllProcesses = NetworkNamespace.number("/proc/self/ns/pid") == 0xEFFF_FFFC
    private var byID: [UInt64: Entry] = [:]
    private var byProcess: [Int32: Entry] = [:]

    private struct Entry {
        var path: String?
        /// CLOCK_MONOTONIC, nanoseconds.
        var asked: Int64
        /// Of the last file that has it.
        var file: Int
    }

    /// Paths that this file has and that were not asked for since; some of them more than once.
    private var fresh: [String] = []
    /// How many files were begun.
    private var file = 0

    /// Paths are news again.
    mutating func beginFile() { file += 1 }

    private mutating func tell(_ path: String?) { if let path { fresh.append(path) } }

    /// Paths that came since the last time.
    mutating func takeFresh() -> [String] {
        guard !fresh.isEmpty else { return [] }
        defer { fresh = [] }
        return fresh
    }

    /// Nanoseconds until a question without an answer is asked again, and until a process may have moved.
    private static let patience: Int64 = 1_000_000_000
    /// Cgroups and processes come and go while a recorder runs for months.
    private static let capacity = 16384

    init() {
        let (descriptor, error) = Self.openRoot()
        if descriptor >= 0, let path = Self.link(descriptor) {
            mount = (path == "/" ? "" : path, descriptor)
            obstacle = nil
            return
        }
        if descriptor >= 0 { Glibc.close(descriptor) }
        mount = nil
        obstacle = error
    }

    /// CGROUP2_SUPER_MAGIC.
    private static let magic = 0x6367_7270

    /// A descriptor of the root of cgroup v2: where this process sees it mounted; or, since `ip netns exec` mounts /sys anew
    /// and without it, mounted for this process alone; or where the first process of the host has it.
    private static func openRoot() -> (descriptor: Int32, error: String?) {
        if let path = mountPoint(mountinfo: readFile("/proc/self/mountinfo")) {
            let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            if descriptor >= 0 { return (descriptor, nil) }
        }
        let descriptor = linux_mount_cgroup2()
        if descriptor >= 0 { return (descriptor, nil) }
        let error = String(cString: strerror(errno))
        for path in ["/proc/1/root/sys/fs/cgroup", "/proc/1/root/sys/fs/cgroup/unified"] {
            let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            if linux_file_system(descriptor) == magic { return (descriptor, nil) }
            Glibc.close(descriptor)
        }
        return (-1, "cgroup v2 is not mounted here and cannot be: \(error)")
    }

    func close() { if let mount { Glibc.close(mount.descriptor) } }

    /// The path of the cgroup below the mount, `/` for the root; nil if it is gone and was not asked for before.
    mutating func path(id: UInt64) -> String? {
        guard let mount, id != 0 else { return nil }
        let now = clockNanoseconds(CLOCK_MONOTONIC)
        // An id is never given to another cgroup, and a cgroup is never renamed.
        if let known = byID[id], known.path != nil || now - known.asked < Self.patience {
            if known.file != file {
                byID[id]?.file = file
                tell(known.path)
            }
            return known.path
        }
        if byID.count >= Self.capacity { byID = [:] }
        let path = Self.path(id: id, below: mount.path, descriptor: mount.descriptor)
        byID[id] = Entry(path: path, asked: now, file: file)
        tell(path)
        return path
    }

    private static func path(id: UInt64, below mount: String, descriptor: Int32) -> String? {
        let directory = linux_open_cgroup(descriptor, id)
        guard directory >= 0 else { return nil }
        defer { Glibc.close(directory) }
        guard let link = target(directory) else { return nil }
        // Elsewhere it is outside of what this mount shows.
        guard link.starts(with: mount.utf8) else { return nil }
        let path = link.dropFirst(mount.utf8.count)
        if path.isEmpty { return "/" }
        return path.first == UInt8(ascii: "/") ? String(kernelName: path) : nil
    }

    /// Where a descriptor leads to: from the root of its mount, if no mount namespace has that.
    private static func target(_ descriptor: Int32) -> ArraySlice<UInt8>? {
        var target = [UInt8](repeating: 0, count: 8192)
        let count = target.withUnsafeMutableBytes {
            readlink("/proc/self/fd/\(descriptor)", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
        }
        guard count > 0, count < target.count else { return nil }
        return target[..<count]
    }

    private static func link(_ descriptor: Int32) -> String? {
        target(descriptor).flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// The process's path in cgroup v1; nil if it has none but the root, or is gone.
    mutating func path(process pid: Int32) -> String? {
        guard seesAllProcesses else { return nil }
        let now = clockNanoseconds(CLOCK_MONOTONIC)
        if let known = byProcess[pid], now - known.asked < Self.patience {
            if known.file != file {
                byProcess[pid]?.file = file
                tell(known.path)
            }
            return known.path
        }
        if byProcess.count >= Self.capacity { byProcess = [:] }
        let path = Self.legacyPath(cgroup: readFile("/proc/\(pid)/cgroup"))
        byProcess[pid] = Entry(path: path, asked: now, file: file)
        tell(path)
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

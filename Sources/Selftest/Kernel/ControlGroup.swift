import Glibc
import Laboratory

/// A cgroup v2 of the laboratory's own, empty except for the processes that are put into it; removed with its last reference.
final class ControlGroup {
    /// Relative to the root of the hierarchy.
    let path: String
    private let mount: String

    init(named name: String) throws {
        // id parent major:minor root mount-point options [optional fields] - type source super-options
        let lines = (File.read("/proc/self/mountinfo") ?? "").split(separator: "\n").map { $0.split(separator: " ") }
        guard
            let fields = lines.first(where: { line in
                line.count > 6 && line[3] == "/" && line[6...].firstIndex(of: "-").map { line[$0 + 1] } == "cgroup2"
            })
        else { throw LabError.unsupported("cgroup v2 is not mounted") }
        mount = String(fields[4])
        path = "/" + name
        guard mkdir(mount + path, 0o755) == 0 else {
            throw LabError.unsupported("cannot create a cgroup in \(mount): \(String(cString: strerror(errno)))")
        }
    }

    func add(_ pid: Int32) throws { try File.write("\(pid)", to: "\(mount)\(path)/cgroup.procs") }

    /// Moves the process to the root.
    func remove(_ pid: Int32) throws { try File.write("\(pid)", to: "\(mount)/cgroup.procs") }

    deinit {
        // A process that has just ended stays in it until it is reaped.
        let path = mount + path
        try? wait(for: "end of the cgroup") { rmdir(path) == 0 || errno == ENOENT }
    }
}

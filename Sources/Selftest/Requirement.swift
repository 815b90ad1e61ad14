import Glibc
import Laboratory

/// What a scenario needs besides root, network namespaces, veth and iproute2.
public enum Requirement: Sendable, Hashable {
    /// A program in PATH or in the directories of the system administrator.
    case command(String)
    /// A sysctl by its dotted name: a kernel feature shows itself this way.
    case sysctl(String)
    /// A file or device, `/dev/net/tun`.
    case file(String)
    case kernel(KernelVersion)
    /// It changes a setting of the whole host for a moment: it runs only when that is allowed.
    case hostWideSetting(String)

    /// Why it is not met; nil if it is.
    public var obstacle: String? {
        switch self {
        case .command(let program):
            Command.path(of: program) == nil ? "the program \(program) is not installed" : nil
        case .sysctl(let name):
            File.exists("/proc/sys/" + String(name.map { $0 == "." ? "/" : $0 }))
                ? nil : "this kernel has no sysctl \(name)"
        case .file(let path): File.exists(path) ? nil : "there is no \(path)"
        case .kernel(let version):
            KernelVersion.running.map { $0 >= version } ?? true ? nil : "it needs Linux \(version)"
        case .hostWideSetting(let name): "it changes \(name) of the whole host for a moment, which was not allowed"
        }
    }
}

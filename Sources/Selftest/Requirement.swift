import Glibc
import Laboratory

/// What a scenario needs besides root, network namespaces, veth and iproute2.
public enum Requirement: Sendable, Hashable {
    /// A program in PATH or in the system administrator's directories.
    case command(String)
    /// A sysctl, by its dotted name, whose presence shows a kernel feature.
    case sysctl(String)
    /// A file or device, such as `/dev/net/tun`.
    case file(String)
    case kernel(KernelVersion)
    /// Permission to change a host-wide setting briefly.
    case hostWideSetting(String)

    /// Why the requirement is not met; nil if it is.
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
        case .hostWideSetting(let name):
            "it briefly changes the host-wide setting \(name), which needs --allow-host-wide"
        }
    }
}

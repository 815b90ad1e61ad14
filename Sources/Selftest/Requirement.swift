import Glibc

/// What a scenario needs besides root, network namespaces, veth and iproute2.
public enum Requirement: Sendable, Hashable {
    /// A program in PATH or in the directories of the system administrator.
    case command(String)
    /// A sysctl by its dotted name: a kernel feature shows itself this way.
    case sysctl(String)
    /// A file or device, `/dev/net/tun`.
    case file(String)
    case kernel(major: Int, minor: Int)
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
        case .kernel(let major, let minor):
            Self.runningKernel.map { $0 >= (major, minor) } ?? true
                ? nil : "it needs Linux \(major).\(minor)"
        case .hostWideSetting(let name): "it changes \(name) of the whole host for a moment, which was not allowed"
        }
    }

    /// The first two numbers of the release.
    static var runningKernel: (Int, Int)? {
        let numbers = (File.read("/proc/sys/kernel/osrelease") ?? "").split { !$0.isNumber }.prefix(2).compactMap {
            Int($0)
        }
        return numbers.count == 2 ? (numbers[0], numbers[1]) : nil
    }
}

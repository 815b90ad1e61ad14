import KernelEvents

extension HostChecks {
    /// - Parameter found: the runtimes of the host.
    static func containerRuntimes(_ found: [RuntimeTrace]) -> HostCheck {
        func list(_ traces: [RuntimeTrace]) -> String {
            traces.map { "\($0.runtime.properName) (\($0.path))" }.joined(separator: ", ")
        }
        let (usable, others) = (found.filter(\.isUsable), found.filter { !$0.isUsable })
        guard others.isEmpty else {
            return HostCheck(
                .containerRuntimes, .warning, "the names of containers cannot be learnt from \(list(others))",
                fix: "record as root or with CAP_DAC_READ_SEARCH")
        }
        return HostCheck(
            .containerRuntimes, .ok,
            usable.isEmpty
                ? "no container runtime was found at its usual place"
                : "names of containers come from \(list(usable))")
    }
}

extension ContainerRuntime {
    fileprivate var properName: String {
        switch self {
        case .docker: "Docker"
        case .podman: "Podman"
        case .containerd: "containerd"
        case .crio: "CRI-O"
        case .lxc: "LXC"
        }
    }
}

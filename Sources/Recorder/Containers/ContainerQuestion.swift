import KernelEvents

/// A container whose name is wanted.
struct ContainerQuestion: Hashable {
    /// 64 hexadecimal digits.
    let id: String
    /// Who made it; nil if its cgroup does not say.
    let runtime: ContainerRuntime?
    /// The user's slice in which it runs; nil for the host's own.
    let slice: String?

    /// Nil for the path of a cgroup that is no container's, or of one that has its name in its path.
    init?(cgroup path: String) {
        let identity = CgroupIdentity(path: path)
        guard let id = identity.containerID, identity.runtime != .lxc else { return nil }
        self.id = id
        runtime = identity.runtime
        slice = CgroupIdentity.userSlice(path: path)
    }

    /// The container that a process is in, from /proc/PID/cgroup (cgroups(7)); nil if it is in none.
    init?(process text: [UInt8]) {
        for line in text.split(separator: UInt8(ascii: "\n")) {
            // hierarchy-ID:controller-list:path
            let fields = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            if let question = ContainerQuestion(cgroup: String(kernelName: fields[2])) {
                self = question
                return
            }
        }
        return nil
    }

    /// Whose slice that is: this user's runtime made the container, and nobody else's is asked.
    var user: UInt32? { slice.flatMap { UInt32($0.dropFirst("/user.slice/user-".count).dropLast(".slice".count)) } }
}

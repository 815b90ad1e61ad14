import KernelEvents

/// A container whose name is wanted.
struct ContainerQuestion: Hashable {
    /// 64 hexadecimal digits.
    let id: String
    /// Who made it; nil if its cgroup does not say.
    let runtime: ContainerRuntime?
    /// In whose `user-UID.slice` it runs: that user's runtime made it, and nobody else's is asked. Nil for the host's own.
    let user: UInt32?

    /// Nil for the path of a cgroup that is no container's, or of one that has its name in its path.
    init?(cgroup path: String) {
        let identity = CgroupIdentity(path: path)
        guard let id = identity.containerID, identity.runtime != .lxc else { return nil }
        self.id = id
        runtime = identity.runtime
        user = Self.user(path)
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

    private static func user(_ path: String) -> UInt32? {
        let parts = path.split(separator: "/").prefix(2)
        guard parts.count == 2, parts[0] == "user.slice", parts[1].hasPrefix("user-"), parts[1].hasSuffix(".slice")
        else {
            return nil
        }
        return UInt32(parts[1].dropFirst(5).dropLast(6))
    }
}

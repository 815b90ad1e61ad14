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

    private static func user(_ path: String) -> UInt32? {
        let parts = path.split(separator: "/").prefix(2)
        guard parts.count == 2, parts[0] == "user.slice", parts[1].hasPrefix("user-"), parts[1].hasSuffix(".slice")
        else {
            return nil
        }
        return UInt32(parts[1].dropFirst(5).dropLast(6))
    }
}

/// What the path of a cgroup says about its owner: a container, a Kubernetes pod or a systemd unit.
///
/// Only the text is read: nothing proves that a runtime made the cgroup, since anybody who may create cgroups chooses their
/// names.
public struct CgroupIdentity: Sendable, Hashable {
    /// 64 hexadecimal digits of docker, containerd, CRI-O or podman; the name of an LXC or Incus container.
    public var container: String?
    /// The UID of a pod, with dashes, or the 32 digits of a static pod.
    public var pod: String?
    /// The innermost unit of a systemd: the user's before the one that runs the user's systemd, that of a systemd in a
    /// container before the container's scope.
    public var unit: String?
    /// Who made the container, as far as its cgroup's name or the one above says.
    public var runtime: ContainerRuntime?

    /// 64 hexadecimal digits, which no other container in the world has; nil for a container that is known by its name.
    public var containerID: String? {
        container.flatMap { $0.utf8.count == 64 && $0.utf8.allSatisfy(Self.isHexDigit) ? $0 : nil }
    }

    /// - Parameter path: from the root of the hierarchy, `/system.slice/nginx.service`.
    public init(path: String) {
        guard path.hasPrefix("/") else { return }
        // Unit of the systemd that is being read: its slices are passed through, what is below the unit is the
        // program's own business unless it is another systemd.
        var readsUnits = true
        var parent: Substring = ""
        for component in path.split(separator: "/") {
            let name = Self.unescaped(component)
            defer { parent = name }
            if let uid = Self.podUID(name) { pod = uid }
            if let id = Self.containerID(name) ?? lxcName(name, in: path) {
                container = id
                runtime = ContainerRuntime(cgroup: name, in: parent)
                if readsUnits, Self.isUnit(name) { unit = String(name) }
                // Its root is the root of the systemd inside, if there is one.
                readsUnits = true
                continue
            }
            guard readsUnits else { continue }
            if name.hasSuffix(".slice") { continue }
            guard Self.isUnit(name) else {
                // Not made by systemd: /kubepods/burstable, /docker, /lxc.
                continue
            }
            unit = String(name)
            readsUnits = name.hasPrefix("user@")
        }
    }

    /// `/user.slice/user-1000.slice`, if that is where the cgroup is: the user makes what is below it; nil elsewhere.
    public static func userSlice(path: String) -> String? {
        let parts = path.split(separator: "/", maxSplits: 2)
        guard path.hasPrefix("/"), parts.count == 3, parts[0] == "user.slice", parts[1].hasPrefix("user-"),
            parts[1].hasSuffix(".slice")
        else { return nil }
        return "/\(parts[0])/\(parts[1])"
    }

    /// systemd puts an underscore before a name that the kernel could take for one of its files (cg_escape()).
    private static func unescaped(_ component: Substring) -> Substring {
        component.hasPrefix("_") ? component.dropFirst() : component
    }

    // MARK: - systemd

    private static let unitTypes: Set<Substring> = ["service", "scope", "socket", "mount", "swap"]

    /// unit_name_is_valid(): only units of these types have processes.
    private static func isUnit(_ name: Substring) -> Bool {
        guard name.utf8.count < 256, let dot = name.lastIndex(of: "."), dot != name.startIndex,
            unitTypes.contains(name[name.index(after: dot)...])
        else { return false }
        return name[..<dot].utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: ":-_.\\@".utf8.contains(byte)
            }
        }
    }

    // MARK: - Containers

    /// `<id>`, `docker-<id>.scope`, `cri-containerd-<id>.scope`, `crio-<id>`, `kata_<id>`, and containerd's
    /// `kubepods-….slice:cri-containerd:<id>`. What watches over a container (`crio-conmon-<id>.scope`) is none.
    private static func containerID(_ name: Substring) -> String? {
        var rest = name
        if rest.hasSuffix(".scope") { rest = rest.dropLast(6) }
        let id = rest.suffix(64)
        guard id.utf8.count == 64, id.utf8.allSatisfy(isHexDigit) else { return nil }
        let prefix = rest.dropLast(64)
        guard let last = prefix.last else { return String(id) }
        guard last == "-" || last == ":" || last == "_", !prefix.hasSuffix("conmon-") else { return nil }
        return String(id)
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }

    /// `lxc.payload.<name>`, and `/lxc.payload/<name>` and `/lxc/<name>` of older releases.
    private func lxcName(_ name: Substring, in path: String) -> String? {
        let current = "lxc.payload."
        if name.hasPrefix(current), name.count > current.count { return String(name.dropFirst(current.count)) }
        for parent in ["/lxc/", "/lxc.payload/"] where path.hasPrefix(parent) {
            guard container == nil, path.dropFirst(parent.count).split(separator: "/").first == name else { continue }
            return String(name)
        }
        return nil
    }

    // MARK: - Kubernetes

    /// `pod<uid>` of the cgroupfs driver, `kubepods-burstable-pod<uid with underscores>.slice` of the systemd driver.
    private static func podUID(_ name: Substring) -> String? {
        var rest = name
        if let colon = rest.firstIndex(of: ":") { rest = rest[..<colon] }
        if rest.hasSuffix(".slice") {
            rest = rest.dropLast(6)
            guard rest.contains("kubepods"), let start = rest.range(ofLast: "-pod") else { return nil }
            rest = rest[start...]
        } else {
            guard rest.hasPrefix("pod") else { return nil }
            rest = rest.dropFirst(3)
        }
        let digits = rest.split(whereSeparator: { $0 == "-" || $0 == "_" })
        guard digits.allSatisfy({ $0.utf8.allSatisfy(isHexDigit) }) else { return nil }
        switch digits.map(\.utf8.count) {
        case [8, 4, 4, 4, 12]: return digits.joined(separator: "-")
        case [32]: return String(digits[0])
        default: return nil
        }
    }
}

/// A program that makes containers, by the name that it has in recordings.
public enum ContainerRuntime: String, Sendable, CaseIterable {
    case docker, podman, containerd
    case crio = "cri-o"
    case lxc

    /// - Parameters:
    ///   - name: of a container's cgroup.
    ///   - parent: the name of the cgroup above.
    fileprivate init?(cgroup name: Substring, in parent: Substring) {
        // After a colon, runc's name for who asked for the container (its cgroupsPath, `slice:prefix:name`).
        let parts = name.split(separator: ":")
        let prefix = parts.count == 3 ? parts[1] + "-" : name
        func isNamed(_ words: String...) -> Bool { words.contains { prefix.hasPrefix($0) } }
        if isNamed("docker-") || parent == "docker" || parent == "buildx" {
            self = .docker
        } else if isNamed("libpod-") || parent == "libpod_parent" {
            self = .podman
        } else if isNamed("crio-") {
            self = .crio
        } else if isNamed("cri-containerd-", "nerdctl-") {
            self = .containerd
        } else if isNamed("lxc.payload.") || parent == "lxc" || parent == "lxc.payload" {
            self = .lxc
        } else {
            return nil
        }
    }
}

extension Substring {
    /// Where the text after its last occurrence begins.
    fileprivate func range(ofLast text: String) -> Index? {
        let wanted = Array(text)
        var start = endIndex
        while start != startIndex {
            start = index(before: start)
            if self[start...].starts(with: wanted) { return index(start, offsetBy: wanted.count) }
        }
        return nil
    }
}

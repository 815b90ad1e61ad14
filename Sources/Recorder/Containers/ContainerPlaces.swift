import Glibc
import HostFiles
import KernelEvents

/// Where the runtimes of a host answer, or leave what they know of their containers (docs/recording.md).
struct ContainerPlaces {
    /// The host's root directory as this process sees it: empty, or `/proc/1/root`.
    let root: String
    /// The home directories of users, by number; nil if their containers are not asked for.
    let home: ((UInt32) -> String?)?

    /// Bytes of a bundle's configuration, and of a list that a user may have made: as JSON they take many times the memory.
    private static let longestBundle = 1 << 20
    /// Bytes of the host's list of all containers.
    private static let longestList = 8 << 20
    private static let drivers = ["overlay", "vfs", "btrfs", "zfs"]

    /// One place: nil if it does not know the container.
    enum Place {
        case socket(RuntimeSocket, ContainerRuntime)
        case dockerFile(String)
        case bundle(String)
        case storage(String)
    }

    /// Those that may know a container, the likeliest first.
    func places(for question: ContainerQuestion) -> [Place] {
        if let user = question.user { return places(of: user, question) }
        let docker: [Place] =
            ["/run/docker.sock", "/var/run/docker.sock"].map {
                .socket(RuntimeSocket(path: root + $0, owner: nil), .docker)
            } + [.dockerFile("\(root)/var/lib/docker/containers/\(question.id)/config.v2.json")]
        let podman: [Place] =
            [.socket(RuntimeSocket(path: "\(root)/run/podman/podman.sock", owner: nil), .podman)]
            + lists(["/var/lib/containers/storage", "/run/containers/storage"].map { root + $0 })
        let crio: [Place] = Self.drivers.map {
            .bundle("\(root)/run/containers/storage/\($0)-containers/\(question.id)/userdata/config.json")
        }
        return switch question.runtime {
        case .docker: docker
        case .podman: podman
        case .crio: crio
        case .containerd: containerd(question.id)
        // A socket may start its service: last.
        case .lxc, nil: containerd(question.id) + crio + docker + podman.dropFirst() + podman.prefix(1)
        }
    }

    private func places(of user: UInt32, _ question: ContainerQuestion) -> [Place] {
        guard let home else { return [] }
        let runtime = "\(root)/run/user/\(user)"
        func socket(_ name: String, _ kind: ContainerRuntime) -> Place {
            .socket(RuntimeSocket(path: "\(runtime)/\(name)", owner: user), kind)
        }
        let docker = [socket("docker.sock", .docker)]
        let podman =
            [socket("podman/podman.sock", .podman)]
            + lists(home(user).map { ["\(root)\($0)/.local/share/containers/storage"] } ?? [])
        return question.runtime == .docker ? docker : question.runtime == .podman ? podman : docker + podman
    }

    private func lists(_ storages: [String]) -> [Place] {
        storages.flatMap { storage in
            Self.drivers.flatMap { driver in
                // Those of `--rm` are in a list of their own.
                ["containers.json", "volatile-containers.json"].map {
                    .storage("\(storage)/\(driver)-containers/\($0)")
                }
            }
        }
    }

    /// The bundles of each of containerd's namespaces: `k8s.io`, `default`, …
    private func containerd(_ id: String) -> [Place] {
        let states = ["/run/containerd", "/run/k3s/containerd", "/var/snap/microk8s/common/run/containerd"].map {
            "\(root)\($0)/io.containerd.runtime.v2.task"
        }
        return states.flatMap { state in
            (namesInDirectory(state) ?? []).sorted().map { .bundle("\(state)/\($0)/\(id)/config.json") }
        }
    }

    /// What one place says.
    func ask(_ place: Place, _ question: ContainerQuestion, patience: Int64) throws(RuntimeSocket.Failure)
        -> ContainerRecord?
    {
        func json(_ path: String, _ longest: Int) -> JSONValue? {
            RuntimeFiles.json(path, owner: question.user, longest: longest)
        }
        switch place {
        case .socket(let socket, let runtime):
            let answer = try socket.get("/containers/\(question.id)/json", patience: patience)
            return answer.flatMap { JSONValue($0) }.flatMap {
                ContainerAnswer.inspection($0, of: question.id, by: runtime)
            }
        case .dockerFile(let path):
            return json(path, Self.longestBundle).flatMap {
                ContainerAnswer.inspection($0, of: question.id, by: .docker)
            }
        case .bundle(let path):
            return json(path, Self.longestBundle).flatMap { ContainerAnswer.bundle($0, of: question.id) }
        case .storage(let path):
            let longest = question.user == nil ? Self.longestList : Self.longestBundle
            return json(path, longest).flatMap { ContainerAnswer.storage($0, of: question.id) }
        }
    }
}

extension ContainerPlaces {
    /// Those of this host, as seen by this process, and, from a container that sees the host's processes, those of the host.
    static func ofHost() -> [ContainerPlaces] {
        var roots = [""]
        if ProcessTable.seesAllProcesses, let own = NetworkNamespace.number("/proc/self/ns/mnt"),
            let first = NetworkNamespace.number("/proc/1/ns/mnt"), own != first
        {
            roots.append("/proc/1/root")
        }
        return roots.map { root in
            // Who hides homes from the recorder (systemd's ProtectHome) means it.
            guard root.isEmpty else { return ContainerPlaces(root: root, home: nil) }
            return ContainerPlaces(root: root) { UserNames.parse(readFile("/etc/passwd"), field: 5)[$0] }
        }
    }
}

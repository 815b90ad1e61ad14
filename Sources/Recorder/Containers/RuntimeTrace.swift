import Glibc
import HostFiles
import KernelEvents

/// A container runtime that a host has, and whether the names of its containers can be had.
struct RuntimeTrace: Equatable {
    var runtime: ContainerRuntime
    /// Its socket, or the directory in which it keeps what it knows.
    var path: String
    var isUsable: Bool

    /// Where each runtime is to be found: a socket that is connected to, or else a directory that is read.
    private static let places: [(ContainerRuntime, socket: String?, directory: String)] = [
        (.docker, "/run/docker.sock", "/var/lib/docker/containers"),
        (.podman, "/run/podman/podman.sock", "/var/lib/containers/storage"),
        (.containerd, nil, "/run/containerd/io.containerd.runtime.v2.task"),
        (.containerd, nil, "/run/k3s/containerd/io.containerd.runtime.v2.task"),
        // CRI-O's containers are in podman's directory of those that run.
        (.crio, nil, "/run/containers/storage"),
    ]

    /// Those of the host below a root directory. Nobody is asked: a socket may start its service.
    static func found(root: String) -> [RuntimeTrace] {
        places.compactMap { runtime, socket, directory in
            func mayUse(_ path: String, _ rights: Int32) -> Bool {
                faccessat(AT_FDCWD, (root + path).pathBytes, rights, AT_EACCESS) == 0
            }
            func isThere(_ path: String) -> Bool {
                // Where nothing can be looked into, there may be something.
                mayUse(path, F_OK) || errno == EACCES
            }
            if runtime == .crio, !isThere("/run/crio") { return nil }
            if let socket, isThere(socket), mayUse(socket, W_OK) {
                return RuntimeTrace(runtime: runtime, path: socket, isUsable: true)
            }
            if isThere(directory) {
                return RuntimeTrace(runtime: runtime, path: directory, isUsable: mayUse(directory, R_OK | X_OK))
            }
            guard let socket, isThere(socket) else { return nil }
            return RuntimeTrace(runtime: runtime, path: socket, isUsable: false)
        }
    }
}

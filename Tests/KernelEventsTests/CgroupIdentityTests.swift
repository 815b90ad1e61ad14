import KernelEvents
import Testing

private let id = "9bca8d63d5fa610783847915bcff0ecac1273e5b4bed3f6fa1b07350e0135961"
private let inner = "01fd96f7ad292b02a8317cde4ecb8c7ef3cc06ffdd113f13410e0837eb2b2a20"
private let uid = "214f3ba8-4b69-4bdb-a7d5-5ecc73f04ae9"
private let escapedUID = "214f3ba8_4b69_4bdb_a7d5_5ecc73f04ae9"

/// Paths of the shapes that the runtimes make, and what they say.
@Suite struct CgroupIdentityTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let path: String
        var container: String?
        var pod: String?
        var unit: String?
        var testDescription: String { path }

        init(_ path: String, container: String? = nil, pod: String? = nil, unit: String? = nil) {
            self.path = path
            self.container = container
            self.pod = pod
            self.unit = unit
        }
    }

    /// libcontainer's cgroup drivers, cgroupfs and systemd (opencontainers/runc, libcontainer/cgroups); moby's and
    /// neuvector's tests (share/system/cgroup_test.go).
    static let docker = [
        Case("/docker/\(id)", container: id),
        Case("/\(id)", container: id),
        Case("/system.slice/docker-\(id).scope", container: id, unit: "docker-\(id).scope"),
        Case(
            "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-\(id).scope",
            container: id, unit: "docker-\(id).scope"),
        Case("/system.slice/docker.service", unit: "docker.service"),
        // Amazon ECS: /ecs/<task>/<container>.
        Case("/ecs/0410eff2c14c4f0db9d3d9ce7b1a8e9a/\(id)", container: id),
        Case("/docker/buildx/\(id)", container: id),
        Case(
            "/ecstasks.slice/ecstasks-0410eff2c14c4f0db9d3d9ce7b1a8e9a.slice/docker-\(id).scope", container: id,
            unit: "docker-\(id).scope"),
        // Docker in Docker, with the drivers cgroupfs and systemd outside; on cgroup v2, its own processes are in `init`.
        Case("/docker/\(id)/docker/\(inner)", container: inner),
        Case("/system.slice/docker-\(id).scope/docker/\(inner)", container: inner, unit: "docker-\(id).scope"),
        Case("/system.slice/docker-\(id).scope/init", container: id, unit: "docker-\(id).scope"),
        Case(
            "/system.slice/docker-\(id).scope/system.slice/docker-\(inner).scope", container: inner,
            unit: "docker-\(inner).scope"),
        // From within another cgroup namespace (cgroup_namespaces(7)).
        Case("/../../docker/\(id)", container: id),
    ]

    /// kubelet's container manager (pkg/kubelet/cm/cgroup_manager_linux.go: ToSystemd, ToCgroupfs), containerd's
    /// getCgroupsPath and its tests, cadvisor, kind's nested nodes; Qard/container-info, test/fixtures/result.js.
    static let kubernetes = [
        Case(
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod\(escapedUID).slice/cri-containerd-\(id).scope",
            container: id, pod: uid, unit: "cri-containerd-\(id).scope"),
        Case(
            "/kubepods.slice/kubepods-pod\(escapedUID).slice/docker-\(id).scope",
            container: id, pod: uid, unit: "docker-\(id).scope"),
        Case("/kubepods/besteffort/pod\(uid)/\(id)", container: id, pod: uid),
        Case("/kubepods/pod\(uid)/\(id)", container: id, pod: uid),
        // A static pod's UID is a hash of its manifest.
        Case(
            "/kubepods/burstable/pod0410eff2c14c4f0db9d3d9ce7b1a8e9a/\(id)",
            container: id, pod: "0410eff2c14c4f0db9d3d9ce7b1a8e9a"),
        // containerd without SystemdCgroup under a kubelet with the systemd driver.
        Case(
            "/system.slice/containerd.service/kubepods-besteffort-pod\(escapedUID).slice:cri-containerd:\(id)",
            container: id, pod: uid, unit: "containerd.service"),
        // A node of kind: a container in which containers run.
        Case(
            "/docker/\(id)/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/"
                + "kubelet-kubepods-besteffort-pod\(escapedUID).slice/cri-containerd-\(inner).scope",
            container: inner, pod: uid, unit: "cri-containerd-\(inner).scope"),
        Case("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod\(escapedUID).slice", pod: uid),
        Case("/kubelet.slice/kubelet.service", unit: "kubelet.service"),
    ]

    /// CRI-O's internal/config/cgmgr (crio-, crio-conmon-), podman's libpod (CgroupPath of `podman inspect`).
    static let otherRuntimes = [
        Case(
            "/kubepods.slice/kubepods-pod\(escapedUID).slice/crio-\(id).scope",
            container: id, pod: uid, unit: "crio-\(id).scope"),
        Case(
            "/kubepods.slice/kubepods-pod\(escapedUID).slice/crio-\(id).scope/container",
            container: id, pod: uid, unit: "crio-\(id).scope"),
        Case("/kubepods/burstable/pod\(uid)/crio-\(id)", container: id, pod: uid),
        // What watches over the container is not in it.
        Case(
            "/kubepods.slice/kubepods-pod\(escapedUID).slice/crio-conmon-\(id).scope",
            pod: uid, unit: "crio-conmon-\(id).scope"),
        Case("/machine.slice/libpod-conmon-\(id).scope", unit: "libpod-conmon-\(id).scope"),
        Case("/machine.slice/libpod-\(id).scope/container", container: id, unit: "libpod-\(id).scope"),
        Case(
            "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-\(id).scope/container",
            container: id, unit: "libpod-\(id).scope"),
        Case("/libpod_parent/libpod-\(id)", container: id),
        // In a pod of podman, with both drivers.
        Case(
            "/machine.slice/machine-libpod_pod_\(inner).slice/libpod-\(id).scope/container", container: id,
            unit: "libpod-\(id).scope"),
        Case("/libpod_parent/\(inner)/libpod-\(id)", container: id),
        // A container in which podman runs another.
        Case("/libpod_parent/libpod-\(id)/libpod_parent/libpod-\(inner)", container: inner),
        // containerd's ctr and nerdctl with the driver cgroupfs; Kata's virtual machine.
        Case("/default/\(id)", container: id),
        Case("/kubepods/burstable/pod\(uid)/kata_\(id)", container: id, pod: uid),
        Case(
            "/system.slice/crio.service/kubepods-besteffort-pod\(escapedUID).slice:crio:\(id)", container: id, pod: uid,
            unit: "crio.service"),
        Case("/machine.slice/nginx.service/libpod-payload-\(id)", container: id, unit: "nginx.service"),
        Case("/system.slice/nerdctl-\(id).scope", container: id, unit: "nerdctl-\(id).scope"),
    ]

    /// lxc.cgroup.dir.container and its default, lxc.payload.<name> (lxc.container.conf(5)); Incus and LXD use the same.
    static let lxc = [
        Case("/lxc.payload.web", container: "web"),
        Case("/lxc.payload.web-1/system.slice/nginx.service", container: "web-1", unit: "nginx.service"),
        Case("/lxc.payload.web/init.scope", container: "web", unit: "init.scope"),
        Case("/lxc/101/ns/system.slice/ssh.service", container: "101", unit: "ssh.service"),
        Case("/lxc.payload/web/system.slice/cron.service", container: "web", unit: "cron.service"),
        Case("/lxc.monitor.web"), Case("/lxc.payload."), Case("/lxc"), Case("/lxc/"), Case("/a/lxc/b"),
    ]

    /// test_path_get_unit and test_path_get_user_unit in systemd's src/test/test-cgroup-util.c, and cg_escape().
    static let systemd = [
        Case("/system.slice/nginx.service", unit: "nginx.service"),
        Case("/system.slice/system-getty.slice/getty@tty5.service", unit: "getty@tty5.service"),
        Case(
            "/system.slice/system-postgresql.slice/postgresql@15-main.service/worker",
            unit: "postgresql@15-main.service"),
        Case("/system.slice/dev-disk-by\\x2dlabel-a.mount", unit: "dev-disk-by\\x2dlabel-a.mount"),
        Case("/system.slice/systemd-networkd.socket", unit: "systemd-networkd.socket"),
        Case("/_cpu.service", unit: "cpu.service"),
        Case("/init.scope", unit: "init.scope"),
        Case("/user.slice/user-1000.slice/session-2.scope", unit: "session-2.scope"),
        Case("/user.slice/user-1000.slice/user@1000.service/init.scope", unit: "init.scope"),
        Case("/user.slice/user-1000.slice/user@1000.service/app.slice/foo@bar.service/sub", unit: "foo@bar.service"),
        Case("/user.slice/user-1000.slice/user@1000.service", unit: "user@1000.service"),
        // Below a unit everything is the program's own.
        Case("/system.slice/nginx.service/evil.service", unit: "nginx.service"),
        Case("/system.slice/docker-\(id).scope/system.slice/nginx.service", container: id, unit: "nginx.service"),
        Case("/machine.slice/machine-qemu\\x2d1\\x2dweb.scope", unit: "machine-qemu\\x2d1\\x2dweb.scope"),
    ]

    static let nothing = [
        Case(""), Case("/"), Case("//"), Case("nginx.service"), Case("/system.slice"), Case("/.service"),
        Case("/a b.service"), Case("/\u{1b}[31m.service"), Case("/ngin\u{202e}x.service"),
        Case("/" + String(repeating: "a", count: 255) + ".service"),
        Case("/docker/" + id.dropLast()), Case("/docker/" + id + "0"), Case("/docker/" + id.uppercased()),
        Case("/kubepods/pod"), Case("/kubepods/podx"), Case("/kubepods/pod\(uid)0"),
        Case("/x-pod\(escapedUID).slice"), Case("/kubepods-pod.slice"), Case("/:::" + id), Case("/x" + id),
    ]

    @Test(arguments: docker + kubernetes + otherRuntimes + lxc + systemd)
    func aPathSays(_ test: Case) {
        let identity = CgroupIdentity(path: test.path)
        #expect(identity.container == test.container)
        #expect(identity.pod == test.pod)
        #expect(identity.unit == test.unit)
    }

    @Test(arguments: [
        ("/docker/\(id)", ContainerRuntime.docker), ("/docker/\(id)/docker/\(inner)", .docker),
        ("/docker/buildx/\(id)", .docker), ("/system.slice/docker-\(id).scope/init", .docker),
        ("/docker/\(id)/kubelet.slice/cri-containerd-\(inner).scope", .containerd),
        ("/system.slice/containerd.service/kubepods-pod\(escapedUID).slice:cri-containerd:\(id)", .containerd),
        ("/system.slice/nerdctl-\(id).scope", .containerd), ("/kubepods/burstable/pod\(uid)/crio-\(id)", .crio),
        ("/kubepods.slice/kubepods-pod\(escapedUID).slice:crio:\(id)", .crio),
        ("/libpod_parent/libpod-\(id)", .podman), ("/a.service/libpod-payload-\(id)", .podman),
        ("/machine.slice/libpod-\(id).scope/container", .podman), ("/lxc/101/ns", .lxc), ("/lxc.payload.web", .lxc),
        // Docker's and containerd's are the same.
        ("/kubepods/burstable/pod\(uid)/\(id)", nil), ("/\(id)", nil), ("/system.slice/nginx.service", nil),
    ])
    func aPathSaysWhoMadeTheContainer(path: String, runtime: ContainerRuntime?) {
        let identity = CgroupIdentity(path: path)
        #expect(identity.runtime == runtime)
        let isNumbered = identity.container != nil && runtime != .lxc
        #expect(identity.containerID == (isNumbered ? identity.container : nil))
    }

    @Test(arguments: nothing)
    func whatNobodyMadeSaysNothing(_ test: Case) {
        let identity = CgroupIdentity(path: test.path)
        // ":::<id>" has the separator that containerd writes.
        #expect(identity.container == (test.path.hasPrefix("/:::") ? id : nil))
        #expect(identity.pod == nil)
        #expect(identity.unit == nil)
    }

    @Test(arguments: UInt64(1)...200) func anyTextIsTaken(seed: UInt64) {
        var state = seed
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        let pieces = [
            "/", "-", "_", ".", ":", "pod", "kubepods", ".slice", ".scope", ".service", id, uid, escapedUID, "lxc/",
            "lxc.payload.", "user@", "\u{301}", "\u{0}", "漢", "crio-", "conmon-",
        ]
        let path = "/" + (0..<next(40)).map { _ in pieces[next(pieces.count)] }.joined()
        let identity = CgroupIdentity(path: path)
        for part in [identity.container, identity.unit].compactMap(\.self) { #expect(path.contains(part)) }
    }
}

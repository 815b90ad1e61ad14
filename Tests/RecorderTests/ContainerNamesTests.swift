import Dispatch
import Foundation
import Glibc
import KernelEvents
import Testing

@testable import Recorder

@Suite(.timeLimit(.minutes(5))) struct RuntimeSocketTests {
    private func get(_ path: String, owner: UInt32? = nil, patience: Int64 = 60_000_000_000) throws(RuntimeSocket
        .Failure)
        -> [UInt8]?
    {
        try RuntimeSocket(path: path, owner: owner).get("/containers/x/json", patience: patience)
    }

    @Test func theBodyOfAnAnswerIsReturned() throws {
        let folder = try ScratchFolder()
        let runtime = try FakeRuntime(folder.path + "/a.sock", answer: FakeRuntime.ok(Array("{}".utf8)))
        defer { runtime.stop() }
        #expect(try get(runtime.path) == Array("{}".utf8))
        #expect(runtime.received.first?.hasPrefix("GET /containers/x/json HTTP/1.0\r\n") == true)
    }

    @Test(arguments: [
        "HTTP/1.0 404 Not Found\r\n\r\n{}", "HTTP/2 200 OK\r\n\r\n{}", "HTTP/1.1 200 OK\r\n{}", "", "{}",
        "HTTP/1.1 200",
        "\u{0}\u{1b}[31m",
    ])
    func anythingElseIsNone(_ answer: String) throws {
        let folder = try ScratchFolder()
        let runtime = try FakeRuntime(folder.path + "/a.sock", answer: Array(answer.utf8))
        defer { runtime.stop() }
        #expect(try get(runtime.path) == nil)
    }

    /// It takes its time, never ends, or says too much.
    @Test func whoeverHoldsUpIsGivenUp() throws {
        let folder = try ScratchFolder()
        let slow = try FakeRuntime(
            folder.path + "/a.sock", answer: FakeRuntime.ok([UInt8](repeating: 0x20, count: 10_000)), pause: 1_000)
        defer { slow.stop() }
        #expect(throws: RuntimeSocket.Failure.silent) { try get(slow.path, patience: 300_000_000) }
        let endless = try FakeRuntime(
            folder.path + "/b.sock", answer: FakeRuntime.ok([UInt8](repeating: 0x20, count: 2 << 20)))
        defer { endless.stop() }
        #expect(throws: RuntimeSocket.Failure.silent) { try get(endless.path) }
    }

    @Test func onlyASocketOfItsOwnerIsAsked() throws {
        let folder = try ScratchFolder()
        let runtime = try FakeRuntime(folder.path + "/a.sock", answer: FakeRuntime.ok(Array("{}".utf8)))
        defer { runtime.stop() }
        symlink(runtime.path, folder.path + "/link")
        mkfifo(folder.path + "/pipe", 0o600)
        for name in ["/link", "/pipe", "/nothing", ""] {
            #expect(throws: RuntimeSocket.Failure.unreachable) { try get(folder.path + name) }
        }
        #expect(try get(runtime.path, owner: geteuid()) != nil)
        #expect(throws: RuntimeSocket.Failure.unreachable) { try get(runtime.path, owner: geteuid() + 1) }
        #expect(runtime.received.count == 1)
    }
}

@Suite(.timeLimit(.minutes(5))) struct ContainerNamesTests {
    private let folder: ScratchFolder
    init() throws { folder = try ScratchFolder() }

    private var places: ContainerPlaces { ContainerPlaces(root: folder.path) { $0 == geteuid() ? "/home/alice" : nil } }

    /// The names of containers in these cgroups, asked for at once, until all were answered or given up.
    private func names(_ paths: [String]) -> [ContainerRecord] {
        let names = ContainerNames([places], patience: 60_000_000_000)
        names.note(paths.compactMap(ContainerQuestion.init))
        // It answers what was asked before it ends. A queue may begin a minute later while many tests wait.
        names.stop()
        names.run()
        return names.take()
    }

    @Test func everyRuntimeIsAskedInItsOwnWay() throws {
        let bundle = "/userdata/config.json"
        try folder.write(
            "/run/containerd/io.containerd.runtime.v2.task/k8s.io/\(Answers.containerd)/config.json",
            Answers.bytes("containerd-config.json"))
        try folder.write(
            "/run/containers/storage/overlay-containers/\(Answers.crio)\(bundle)", Answers.bytes("crio-config.json"))
        try folder.write(
            "/var/lib/docker/containers/\(Answers.docker)/config.v2.json", Answers.bytes("docker-config.v2.json"))
        try folder.write("/var/lib/containers/storage/vfs-containers/containers.json", Answers.bytes("containers.json"))
        let expected = ["coredns", "coredns", "shop-web-1", "web2"]
        #expect(
            names([
                "/kubepods.slice/cri-containerd-\(Answers.containerd).scope",
                "/kubepods.slice/crio-\(Answers.crio).scope",
                "/system.slice/docker-\(Answers.docker).scope", "/machine.slice/libpod-\(Answers.web2).scope/container",
            ]).map(\.name) == expected)
        // Paths that do not say who made the container.
        #expect(
            names([Answers.containerd, Answers.crio, Answers.docker, Answers.web2].map { "/kubepods/pod/\($0)" }).map(
                \.name)
                == expected)
    }

    @Test func theSocketIsPreferred() throws {
        try folder.write("/var/lib/containers/storage/vfs-containers/containers.json", Answers.bytes("containers.json"))
        let podman = try FakeRuntime(
            folder.path + "/run/podman/podman.sock", answer: FakeRuntime.ok(Answers.bytes("podman-web.json")))
        defer { podman.stop() }
        let found = names(["/machine.slice/libpod-\(Answers.web).scope", "/machine.slice/libpod-\(Answers.web2).scope"])
        // It answers with the same container whatever it is asked for.
        #expect(found.map(\.title) == ["shop/web-0/nginx", "web2"])
        #expect(
            podman.received.map { $0.prefix(30) }
                == [Answers.web, Answers.web2].map { "GET /containers/\($0)".prefix(30) })
    }

    @Test func aContainerIsAskedForOnce() throws {
        let docker = try FakeRuntime(
            folder.path + "/run/docker.sock", answer: FakeRuntime.ok(Answers.bytes("podman-web.json")))
        defer { docker.stop() }
        let path = "/docker/\(Answers.web)"
        #expect(
            names([path, path, "/system.slice/docker-\(Answers.web).scope"]).map(\.name) == ["nginx", "nginx", "nginx"])
        #expect(docker.received.count == 1)
        // Nobody knows it.
        #expect(names(["/docker/\(Answers.crio)", "/docker/\(Answers.crio)"]).isEmpty)
        #expect(docker.received.count == 2)
    }

    /// What a user's runtime says counts for the user's own containers only, and what others put there for none.
    @Test func usersNameTheirOwnContainersOnly() throws {
        let user = geteuid()
        let socket = try FakeRuntime(
            folder.path + "/run/user/\(user)/podman/podman.sock",
            answer: FakeRuntime.ok(Answers.bytes("podman-web.json")))
        defer { socket.stop() }
        try folder.write(
            "/home/alice/.local/share/containers/storage/overlay-containers/volatile-containers.json",
            Answers.bytes("containers.json"))
        func slice(_ user: UInt32) -> String { "/user.slice/user-\(user).slice/user@\(user).service/user.slice" }
        let found = names(["\(slice(user))/libpod-\(Answers.web).scope"])
        #expect(found.map(\.name) == ["nginx"] && found.map(\.slice) == ["/user.slice/user-\(user).slice"])
        #expect(names(["\(slice(user))/libpod-\(Answers.web2).scope"]).map(\.name) == ["web2"])
        #expect(names(["/machine.slice/libpod-\(Answers.web).scope"]).isEmpty)
        #expect(names(["\(slice(user + 1))/libpod-\(Answers.web).scope"]).isEmpty)
        #expect(socket.received.count == 2)
    }

    @Test func whatIsPlantedHoldsUpNobody() throws {
        let storage = folder.path + "/var/lib/containers/storage"
        try folder.write("/secret", Answers.bytes("containers.json"))
        for driver in ["overlay", "vfs", "btrfs", "zfs"] {
            try FileManager.default.createDirectory(
                atPath: "\(storage)/\(driver)-containers", withIntermediateDirectories: true)
        }
        mkfifo("\(storage)/overlay-containers/containers.json", 0o600)
        symlink(folder.path + "/secret", "\(storage)/vfs-containers/containers.json")
        symlink("/dev/zero", "\(storage)/btrfs-containers/containers.json")
        try folder.write(
            "/var/lib/containers/storage/zfs-containers/containers.json", [UInt8](repeating: 0x20, count: 9 << 20))
        #expect(names(["/machine.slice/libpod-\(Answers.web).scope"]).isEmpty)
    }

    /// A runtime that does not answer is waited for once, however many containers it has.
    @Test func aSilentRuntimeIsAskedOnce() throws {
        let docker = try FakeRuntime(
            folder.path + "/run/docker.sock", answer: [UInt8](repeating: 1, count: 100), pause: 1_000_000)
        defer { docker.stop() }
        let names = ContainerNames([places], patience: 300_000_000)
        let done = DispatchGroup()
        DispatchQueue(label: "test").async(group: done, execute: names.run)
        let ids = (0..<100).map { number in String(repeating: "0", count: 60) + String(1000 + number) }
        names.note(ids.compactMap { ContainerQuestion(cgroup: "/docker/\($0)") })
        for _ in 0..<3000 where docker.received.isEmpty { usleep(10_000) }
        names.stop()
        done.wait()
        #expect(names.take().isEmpty && docker.received.count == 1)
    }

    /// A file on a server that is away can hold up its reader for ever.
    @Test func aThreadThatHangsDoesNotHoldUpTheEnd() {
        let (entered, isBack) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let names = ContainerNames([places], patience: 100_000_000) { _ in
            entered.signal()
            isBack.wait()
            return []
        }
        names.start()
        names.note([], arrived: [1])
        entered.wait()
        names.stop()
        names.wait()
        isBack.signal()
    }

    /// As JSON, what a user plants takes many times the memory.
    @Test func listsOfUsersAreShort() throws {
        let user = geteuid()
        let list = try Answers.bytes("containers.json") + [UInt8](repeating: 0x20, count: 1 << 20)
        try folder.write("/home/alice/.local/share/containers/storage/vfs-containers/containers.json", list)
        try folder.write("/var/lib/containers/storage/vfs-containers/containers.json", list)
        #expect(names(["/user.slice/user-\(user).slice/libpod-\(Answers.web2).scope"]).isEmpty)
        #expect(names(["/machine.slice/libpod-\(Answers.web2).scope"]).map(\.name) == ["web2"])
    }

    /// A container that is gone when an event names it, and had a process with a socket before.
    @Test func containersAreLearntBeforeTheyGo() throws {
        let docker = try FakeRuntime(
            folder.path + "/run/docker.sock", answer: FakeRuntime.ok(Answers.bytes("podman-web.json")))
        let path = "/docker/\(Answers.web)"
        let names = ContainerNames([places], patience: 60_000_000_000) { pid in
            pid == 7 ? Array("0::\(path)\n".utf8) : []
        }
        let done = DispatchGroup()
        DispatchQueue(label: "test").async(group: done, execute: names.run)
        names.note([], arrived: [6, 7, 7, -1])
        for _ in 0..<3000 where docker.received.isEmpty { usleep(10_000) }
        // What it was asked is answered all the same.
        docker.stop()
        try FileManager.default.removeItem(atPath: docker.path)
        #expect(names.take().isEmpty)
        names.note([ContainerQuestion(cgroup: path)].compactMap(\.self))
        names.stop()
        done.wait()
        #expect(names.take().map(\.name) == ["nginx"] && docker.received.count == 1)
    }

    /// More than it keeps in mind.
    @Test func questionsAreBounded() throws {
        let names = ContainerNames([places])
        let questions = (0..<10_000).compactMap { number in
            let digits = String(100_000 + number)
            return ContainerQuestion(cgroup: "/docker/" + String(repeating: "a", count: 58) + digits)
        }
        #expect(questions.count == 10_000)
        names.note(questions)
        names.stop()
        names.run()
        #expect(names.take().isEmpty)
    }
}

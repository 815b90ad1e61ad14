import Foundation
import KernelEvents
import Testing

@testable import Recorder

/// Files in Tests/RecorderTests/Answers.
enum Answers {
    static let web = "91908a2d3bca1e6d3df985560303eaab1cc74d24685754d1a256359ce94391a4"
    static let web2 = "a5fc207425d078b02e804ec9330fa29079f19b3b1a15a55e2655a3b8d568edd4"
    static let docker = "3d60d59bc8de5b1f1cf0c9c8e3f5f2f6b2d6c3a1e0b9f8d7c6b5a4938271605f"
    static let crio = "438e2ba9d5970597608a7df68ae72f6085a1460f976f964ed5f369c793eaa4fe"
    static let containerd = "7be7ca56452ce0f69575654683e3b8cdc61d8898d06caf92fbf5ffffcd856bd7"
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Answers")

    static func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: folder.appending(path: name))) }
    static func json(_ name: String) throws -> JSONValue { try #require(JSONValue(bytes(name))) }
}

@Suite struct ContainerAnswerTests {
    @Test func dockersInterfaceSaysNameImageAndLabels() throws {
        let answer = try Answers.json("podman-web.json")
        var expected = ContainerRecord(id: Answers.web)
        expected.name = "nginx"
        expected.runtime = .docker
        expected.image = "localhost/test:latest"
        expected.pod = "web-0"
        expected.namespace = "shop"
        #expect(ContainerAnswer.inspection(answer, of: Answers.web, by: .docker) == expected)
        let plain = try Answers.json("podman-web2.json")
        let named = ContainerAnswer.inspection(plain, of: Answers.web2, by: .podman)
        #expect(named?.title == "web2" && named?.runtime == .podman && named?.pod == nil)
        // Of another one than was asked for.
        #expect(ContainerAnswer.inspection(answer, of: Answers.web2, by: .docker) == nil)
    }

    @Test func dockersOwnFileSaysTheSame() throws {
        let answer = ContainerAnswer.inspection(
            try Answers.json("docker-config.v2.json"), of: Answers.docker, by: .docker)
        #expect(answer?.name == "shop-web-1" && answer?.image == "nginx:1.27" && answer?.pod == nil)
    }

    @Test func bundlesOfKubernetesNamePodAndNamespace() throws {
        let one = ContainerAnswer.bundle(try Answers.json("containerd-config.json"), of: Answers.containerd)
        #expect(one?.title == "kube-system/coredns-6d4b75cb6d-w4b72/coredns" && one?.runtime == .containerd)
        #expect(one?.image == "registry.k8s.io/coredns/coredns:v1.8.6")
        let other = ContainerAnswer.bundle(try Answers.json("crio-config.json"), of: Answers.crio)
        #expect(other?.title == "kube-system/coredns-6d4b75cb6d-4mtdm/coredns" && other?.runtime == .crio)
        #expect(other?.image == one?.image)
        #expect(ContainerAnswer.bundle(try Answers.json("crio-config.json"), of: Answers.web) == nil)
        let nerdctl = ContainerAnswer.bundle(try Answers.json("nerdctl-config.json"), of: Answers.web)
        #expect(nerdctl?.title == "shop-db-1" && nerdctl?.pod == nil)
    }

    @Test func theListOfPodmanHasNames() throws {
        let list = try Answers.json("containers.json")
        let found = ContainerAnswer.storage(list, of: Answers.web2)
        #expect(found?.name == "web2" && found?.image == "localhost/test:latest" && found?.runtime == .podman)
        #expect(ContainerAnswer.storage(list, of: Answers.docker) == nil)
    }

    /// Whatever somebody answers.
    @Test(arguments: [
        "null", "[]", "{}", "1", #""x""#, #"{"Id":1}"#, #"{"Id":"X","Name":7,"Config":[]}"#, #"{"Id":"X","Name":"/"}"#,
        #"{"annotations":[]}"#, #"{"annotations":{"nerdctl/name":""}}"#, #"[{"id":"X"}]"#, #"[{"id":"X","names":[]}]"#,
        #"[{"id":"X","names":[null],"metadata":"{"}]"#,
    ])
    func whatSaysNothingNamesNothing(_ text: String) throws {
        let json = try #require(JSONValue(Array(text.replacing("X", with: Answers.web).utf8)))
        #expect(ContainerAnswer.inspection(json, of: Answers.web, by: .docker) == nil)
        #expect(ContainerAnswer.bundle(json, of: Answers.web) == nil)
        #expect(ContainerAnswer.storage(json, of: Answers.web) == nil)
    }

    @Test func longNamesAreCutBetweenScalars() throws {
        let name = "a" + String(repeating: "漢", count: 1000)
        let json = try #require(JSONValue(Array(#"[{"id":"\#(Answers.web)","names":["\#(name)"]}]"#.utf8)))
        let kept = try #require(ContainerAnswer.storage(json, of: Answers.web)?.name)
        #expect(kept.utf8.count == 253 && name.hasPrefix(kept))
    }

    @Test func processesAreInContainers() {
        func question(_ text: String) -> ContainerQuestion? { ContainerQuestion(process: Array(text.utf8)) }
        let path = "/docker/\(Answers.web)"
        #expect(question("0::\(path)\n") == ContainerQuestion(cgroup: path))
        #expect(question("12:pids:\(path)\n1:name=systemd:/\n0::/\n") == ContainerQuestion(cgroup: path))
        #expect(question("") == nil && question("0::/\n1:cpu\n:") == nil && question("0::/init.scope\n") == nil)
    }

    @Test func questionsSayWhomToAsk() {
        func question(_ path: String) -> ContainerQuestion? { ContainerQuestion(cgroup: path) }
        #expect(question("/docker/\(Answers.web)")?.runtime == .docker)
        #expect(question("/docker/\(Answers.web)")?.user == nil)
        let rootless = "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-\(Answers.web).scope/container"
        #expect(question(rootless)?.user == 1000 && question(rootless)?.runtime == .podman)
        #expect(question("/system.slice/nginx.service") == nil && question("/lxc.payload.web") == nil)
        #expect(question("/user.slice/user-.slice/libpod-\(Answers.web).scope")?.user == nil)
    }
}

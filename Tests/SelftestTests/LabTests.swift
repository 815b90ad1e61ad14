import Glibc
import NetworkTypes
import Testing

@testable import Laboratory
@testable import Selftest

@Suite(.serialized, .enabled(if: isRoot, "network namespaces need root")) struct LabTests {
    @Test(arguments: Topology.allCases, IPVersion.allCases)
    func capturePointsNameTheNamespaces(_ topology: Topology, _ version: IPVersion) throws {
        let lab = try Lab(topology: topology, ipVersion: version, capturingLoopback: true, actor: actor)
        #expect(Set(lab.captures).count == lab.captures.count)
        for point in lab.captures {
            var status = stat()
            #expect(stat(point.path, &status) == 0)
            #expect(UInt32(truncatingIfNeeded: status.st_ino) == point.netns)
        }
        #expect(Set(lab.captures.map(\.netns)).count == Set(lab.captures.map(\.role)).count)
        lab.close()
        lab.close()
        #expect(throws: LabError.self) { try lab.server.run {} }
    }

    /// In a separate process, since other tests in this one may create labs at any time.
    @Test func labsLeaveNothingBehind() throws {
        let lines = try runner("leftovers")
        #expect(lines.filter { $0.hasPrefix("built") }.count == Topology.allCases.count * 2)
        #expect(lines.filter { $0.hasPrefix("left") } == [])
        #expect(lines.last == "done")
    }

    @Test func aLabWhoseProcessIsKilledTakesItsChildrenAlong() throws {
        let holder = try ChildProcess(path: actor.path, arguments: [actor.path, "hold"], mergingErrors: false)
        var text = ""
        var child: Int32?
        while child == nil {
            #expect(try holder.output.poll(POLLIN, until: Deadline(milliseconds: Deadline.patience)) != 0)
            var byte: UInt8 = 0
            try #require(read(holder.output.number, &byte, 1) == 1)
            text.append(Character(Unicode.Scalar(byte)))
            child =
                text.hasSuffix("\n")
                ? text.split(separator: "child ").dropFirst().first.flatMap { Int32($0.dropLast()) } : nil
        }
        let pid = try #require(child)
        #expect(File.exists("/proc/\(pid)/ns/net"))
        holder.kill()
        #expect(holder.wait(until: Deadline(milliseconds: Deadline.patience)) == SIGKILL)
        // The child sees the end of its standard input; init, or whoever adopts it, collects it.
        try wait(for: "end of the child") {
            let state = File.read("/proc/\(pid)/stat")?.split(separator: ") ").last?.first
            return state == nil || state == "Z"
        }
    }

    @Test func aScenarioThatFailsEndsItsChild() throws {
        struct Failure: Error { let child: Int32 }
        let failing = Scenario("failing", "It throws.", on: .routed) { lab in
            let actor = try ActorProcess(in: lab.server, of: lab)
            try actor.listen(lab.serverEnd)
            throw Failure(child: actor.pid)
        }
        let lab = try Lab(for: failing, ipVersion: .v4, actor: actor)
        do {
            _ = try failing.run(in: lab)
            Issue.record("it did not throw")
        } catch let failure as Failure {
            #expect(kill(failure.child, 0) == -1)
        }
    }

    @Test func kernelVersionsCompareAsNumbers() throws {
        #expect(KernelVersion(6, 9) < KernelVersion(6, 10))
        #expect(KernelVersion(5, 19) < KernelVersion(6, 0))
        #expect(try #require(KernelVersion.running) >= KernelVersion(5, 4))
        #expect(Requirement.kernel(KernelVersion(99, 0)).obstacle != nil)
        #expect(Requirement.kernel(KernelVersion(5, 4)).obstacle == nil)
        #expect(Requirement.sysctl("net.ipv4.no_such").obstacle != nil)
        #expect(Requirement.sysctl("net.ipv4.tcp_fin_timeout").obstacle == nil)
    }

    @Test func labsAtTheSameTimeHaveDifferentAddressesAndNamespaces() throws {
        let labs = try (0..<3).map { _ in try Lab(topology: .pair, ipVersion: .v4, actor: actor) }
        #expect(Set(labs.flatMap { [$0.client.address, $0.server.address] }).count == 6)
        #expect(Set(labs.flatMap { $0.captures.map(\.netns) }).count == 6)
    }

    @Test func aCommandThatFailsSaysWhatItPrinted() throws {
        let lab = try Lab(topology: .loopback, ipVersion: .v4, actor: actor)
        #expect {
            try lab.server.command("ip", "link", "show", "dev", "nosuch")
        } throws: {
            guard case LabError.command(_, let status, let output) = $0 else { return false }
            return status != 0 && output.contains("nosuch")
        }
        #expect {
            try lab.server.command("no-such-program")
        } throws: {
            if case LabError.unsupported = $0 { true } else { false }
        }
    }

    @Test(arguments: IPVersion.allCases) func aBurstRefusesEveryConnectionOnce(_ version: IPVersion) throws {
        let count = 10_000
        let scenario = Scenarios.burst(count: count)
        let lab = try Lab(for: scenario, ipVersion: version, actor: actor)
        let sniffer = try Sniffer(lab)
        let expected = try scenario.run(in: lab)
        let seen = try #require(try sniffer.resets().values.first)
        #expect(Set(expected.map(\.tuple)).count == count)
        #expect(Set(seen.map(\.tuple)) == Set(expected.map(\.tuple)))
    }
}

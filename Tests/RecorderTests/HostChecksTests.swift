import KernelEvents
import Testing

@testable import Recorder

/// What values of a host mean for recording.
struct HostChecksTests {
    private static let all = CapabilitySet(bits: .max)

    private static func without(_ missing: Capability...) -> CapabilitySet {
        CapabilitySet(bits: missing.reduce(.max) { $0 & ~(1 << UInt64($1.rawValue)) })
    }

    @Test func capabilitiesThatRecordNeedsAreAllNamed() {
        let none = HostChecks.capabilities(CapabilitySet(bits: 0), captures: true)
        #expect(none.state == .failed)
        for name in ["CAP_BPF", "CAP_PERFMON", "CAP_NET_RAW", "CAP_SYSLOG", "CAP_NET_ADMIN"] {
            #expect(none.found.contains(name) && none.fix?.contains(name) == true)
        }
        #expect(none.fix?.contains("setcap") == true && none.fix?.contains("--cap-add NET_RAW") == true)
        #expect(HostChecks.capabilities(Self.all, captures: true).state == .ok)
        #expect(HostChecks.capabilities(nil, captures: true).state == .unknown)
    }

    /// CAP_SYS_ADMIN is what CAP_BPF and CAP_PERFMON were.
    @Test func oneCapabilityStandsForAnother() {
        #expect(HostChecks.capabilities(Self.without(.bpf, .perfmon), captures: true).state == .ok)
        let check = HostChecks.capabilities(Self.without(.bpf, .sysAdmin), captures: true)
        #expect(check.state == .failed && check.found.contains("CAP_BPF"))
        #expect(!check.found.contains("CAP_PERFMON"))
    }

    @Test func whatIsOnlyUsefulIsAWarning() {
        for capability in [Capability.syslog, .netAdmin, .sysPtrace, .dacReadSearch] {
            let check = HostChecks.capabilities(Self.without(capability), captures: true)
            #expect(check.state == .warning && check.found.contains(capability.name), "\(check)")
        }
        #expect(HostChecks.capabilities(Self.without(.netRaw), captures: false).state == .ok)
        #expect(HostChecks.capabilities(Self.without(.netRaw), captures: true).state == .failed)
        // These are for what a recorder was told to do, not for recording.
        #expect(HostChecks.capabilities(Self.without(.dacOverride, .kill), captures: true).state == .ok)
    }

    @Test func runtimesAreFoundWhereTheyKeepTheirContainers() throws {
        #expect(HostChecks.containerRuntimes([]).state == .ok)
        let folder = try ScratchFolder()
        #expect(RuntimeTrace.found(root: folder.path).isEmpty)
        for name in ["/var/lib/containers/storage/x", "/run/containerd/io.containerd.runtime.v2.task/x"] {
            try folder.write(name, [])
        }
        let docker = try FakeRuntime(folder.path + "/run/docker.sock", answer: [])
        defer { docker.stop() }
        let found = RuntimeTrace.found(root: folder.path)
        #expect(found.map(\.runtime) == [.docker, .podman, .containerd] && found.allSatisfy(\.isUsable))
        #expect(docker.received.isEmpty)
        let check = HostChecks.containerRuntimes(found)
        #expect(check.state == .ok && check.found.contains("Docker (/run/docker.sock)"))
        let refused = HostChecks.containerRuntimes(
            found + [RuntimeTrace(runtime: .crio, path: "/run/containers/storage", isUsable: false)])
        #expect(refused.state == .warning && refused.found.contains("CRI-O") && !refused.found.contains("Docker"))
    }

    @Test func capabilitiesAreReadFromStatus() {
        let text = Array("Name:\tx\nCapPrm:\t0\nCapEff:\t000001c000003000\nSeccomp:\t2\n".utf8)
        #expect(CapabilitySet("CapEff", ofStatus: text)?.bits == 0x1c0_0000_3000)
        #expect(CapabilitySet("CapBnd", ofStatus: text) == nil)
        #expect(statusField("Seccomp", text) == "2")
        #expect(CapabilitySet("CapEff", ofStatus: Array("CapEff:\txyz\n".utf8)) == nil)
    }

    @Test func hooks() {
        let attached = RecordingHeader.Hook(name: "net_dev_queue", status: "attached", detail: nil, reason: nil)
        let failed = RecordingHeader.Hook(name: "task_file", status: "failed", detail: "not permitted", reason: nil)
        #expect(HostChecks.hooks([attached], problem: nil).state == .ok)
        let some = HostChecks.hooks([attached, failed], problem: nil)
        #expect(some.state == .warning && some.message == "hook task_file is not attached: not permitted")
        #expect(HostChecks.hooks([], problem: "this kernel has no BTF").state == .failed)
    }

    @Test func lockdown() {
        #expect(HostChecks.lockdown("none integrity [confidentiality]", attaches: false).state == .failed)
        #expect(HostChecks.lockdown("none [integrity] confidentiality", attaches: true).state == .ok)
        #expect(HostChecks.lockdown("[none] integrity confidentiality", attaches: true).state == .ok)
        #expect(HostChecks.lockdown(nil, attaches: false).state == .unknown)
        #expect(HostChecks.lockdown(nil, attaches: true).state == .ok)
    }

    @Test func lockedMemory() {
        func state(_ kernel: String, _ limit: UInt64?, mayRaise: Bool = false) -> HostCheck.State {
            HostChecks.lockedMemory(limit: limit, mayRaise: mayRaise, kernel: kernel, ring: 32 << 20).state
        }
        #expect(state("5.10.0-28-amd64", 65536) == .failed)
        #expect(state("5.10.0-28-amd64", 65536, mayRaise: true) == .ok)
        #expect(state("5.10.0-28-amd64", nil) == .ok)
        #expect(state("4.18", 1 << 30) == .ok)
        #expect(state("5.11.0", 65536) == .ok && state("6.1.0", 65536) == .ok)
        #expect(state("strange", 65536) == .unknown)
    }

    @Test func kernelSymbols() {
        #expect(HostChecks.kernelSymbols(areShown: true, restriction: 1).state == .ok)
        let hidden = HostChecks.kernelSymbols(areShown: false, restriction: 2)
        #expect(hidden.state == .warning && hidden.found.contains("kptr_restrict is 2") && hidden.fix != nil)
    }

    @Test func clock() {
        #expect(HostChecks.clock(offsets: "monotonic 0 0\nboottime 0 0\n", source: "tsc").state == .ok)
        #expect(HostChecks.clock(offsets: "", source: nil).state == .ok)
        #expect(HostChecks.clock(offsets: "monotonic  86400  0\nboottime 0 0\n", source: "tsc").state == .warning)
        #expect(HostChecks.clock(offsets: "monotonic  0  7\n", source: nil).state == .warning)
        // An offset of boottime alone has no effect.
        #expect(HostChecks.clock(offsets: "monotonic 0 0\nboottime 5 0\n", source: nil).state == .ok)
    }

    @Test func whatElseLooks() {
        #expect(HostChecks.tracers(HostChecks.Tracers()).state == .ok)
        #expect(HostChecks.tracers(HostChecks.Tracers(process: 7)).found.contains("process 7"))
        #expect(HostChecks.tracers(HostChecks.Tracers(current: "function")).state == .warning)
        #expect(HostChecks.tracers(HostChecks.Tracers(countsBPF: true)).fix?.contains("bpf_stats_enabled=0") == true)
        #expect(HostChecks.seccomp(mode: "2", attaches: false).state == .warning)
        #expect(HostChecks.seccomp(mode: "2", attaches: true).state == .ok)
        #expect(HostChecks.seccomp(mode: "0", attaches: false).state == .ok)
        #expect(HostChecks.seccomp(mode: nil, attaches: true).state == .unknown)
    }

    @Test func firewallTools() {
        func state(_ tables: Bool, _ legacy: Bool, _ installed: Set<String>) -> HostCheck.State {
            HostChecks.firewallTools(usesTables: tables, usesLegacy: legacy, installed: installed).state
        }
        #expect(state(true, false, []) == .warning)
        #expect(state(true, false, ["nft"]) == .ok)
        #expect(state(true, true, ["nft"]) == .warning)
        #expect(state(false, false, []) == .ok)
    }

    @Test func theRest() {
        #expect(HostChecks.kernelBTF(isThere: false, kernel: "4.19.0").state == .failed)
        #expect(HostChecks.interfaces(wanted: ["eth9"], up: ["lo"], problems: ["no such interface"]).state == .failed)
        #expect(HostChecks.interfaces(wanted: ["any"], up: ["lo"], problems: []).state == .ok)
        #expect(HostChecks.cgroups(obstacle: "not mounted").state == .warning)
        #expect(HostChecks.processes(seesAll: false).state == .warning)
    }

    /// Whoever reads the JSON form relies on the words, and whoever is told that something is wrong wants to know what to do.
    @Test func everyFailureHasAFix() {
        let failures = [
            HostChecks.kernelBTF(isThere: false, kernel: "4.19.0"),
            HostChecks.capabilities(CapabilitySet(bits: 0), captures: true), HostChecks.hooks([], problem: "refused"),
            HostChecks.lockdown("[confidentiality]", attaches: false),
            HostChecks.lockedMemory(limit: 0, mayRaise: false, kernel: "5.10", ring: 1 << 25),
            HostChecks.interfaces(wanted: ["x"], up: [], problems: ["no such interface"]),
        ]
        for check in failures { #expect(check.state == .failed && check.fix?.isEmpty == false, "\(check)") }
    }
}

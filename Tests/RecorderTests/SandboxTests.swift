import Testing

@testable import Recorder

/// What a recorder keeps for what it still has to do.
struct SandboxTests {
    private static func tasks(_ change: (inout Sandbox.Tasks) -> Void) -> [Capability] {
        var tasks = Sandbox.Tasks()
        (tasks.looksElsewhere, tasks.ownsOutput, tasks.runsLegacyTools) = (false, true, false)
        tasks.kernel = "6.12.0"
        change(&tasks)
        return Sandbox.capabilities(tasks)
    }

    private static let least: [Capability] = [.syslog, .netAdmin, .sysPtrace, .dacReadSearch]

    @Test func nothingMoreThanIsNeeded() {
        #expect(Self.tasks { _ in } == Self.least)
        #expect(Self.tasks { $0.waits = true } == Self.least + [.netRaw])
        #expect(Self.tasks { $0.runsLegacyTools = true } == Self.least + [.netRaw])
        #expect(Self.tasks { $0.looksElsewhere = true } == Self.least + [.sysAdmin])
        #expect(Self.tasks { $0.endsCommand = true } == Self.least + [.kill])
        #expect(Self.tasks { $0.ownsOutput = false } == Self.least + [.dacOverride])
    }

    /// Loading programs is over: CAP_PERFMON is never kept, and CAP_BPF only where the kernel asks for it still.
    @Test func bpfIsKeptOnlyForOldKernels() {
        for kernel in ["5.10.0-28-amd64", "5.18.19", "4.19", "unheard-of", ""] {
            #expect(Self.tasks { $0.kernel = kernel } == Self.least + [.bpf], "\(kernel)")
        }
        for kernel in ["5.19.0", "6.1.0-18-amd64", "6.18.44", "10.0"] {
            #expect(Self.tasks { $0.kernel = kernel } == Self.least, "\(kernel)")
        }
    }

    @Test func theFilterFollows() {
        var tasks = Sandbox.Tasks()
        #expect(Sandbox(tasks).mayEnterNamespaces && !Sandbox(tasks).mayOpenInterfaces)
        tasks.waits = true
        tasks.looksElsewhere = false
        #expect(!Sandbox(tasks).mayEnterNamespaces && Sandbox(tasks).mayOpenInterfaces)
    }
}

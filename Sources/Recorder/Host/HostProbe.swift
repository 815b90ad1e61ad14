import CLibBPF
import CPcap
import Glibc
import KernelEvents

/// Reads what `HostChecks` judges.
public enum HostProbe {
    /// Everything that recording depends on, in a fixed order. Attaches the hooks for a moment, and opens the interfaces.
    ///
    /// - Parameter interfaces: as `record -i` has them.
    public static func checks(interfaces: [String] = ["any"]) -> [HostCheck] {
        var system = utsname()
        uname(&system)
        let kernel = withUnsafeBytes(of: system.release) { String(kernelName: $0) }
        let status = readFile("/proc/self/status")
        let (hooks, problem) = attachable()
        let attaches = problem == nil
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(8 /* RLIMIT_MEMLOCK */), &limit)
        let groups = ControlGroups()
        defer { groups.close() }
        return [
            HostChecks.kernelBTF(isThere: access("/sys/kernel/btf/vmlinux", R_OK) == 0, kernel: kernel),
            capabilities(captures: true),
            HostChecks.hooks(hooks, problem: problem),
            HostChecks.lockdown(line("/sys/kernel/security/lockdown"), attaches: attaches),
            HostChecks.lockedMemory(
                limit: limit.rlim_cur == .max ? nil : UInt64(limit.rlim_cur),
                // CAP_SYS_RESOURCE
                mayRaise: CapabilitySet("CapEff", ofStatus: status).map { $0.bits >> 24 & 1 == 1 } ?? false,
                kernel: kernel, ring: 32 << 20),
            HostChecks.kernelSymbols(
                areShown: !KernelSymbols(kallsyms: readFile("/proc/kallsyms")).isEmpty,
                restriction: line("/proc/sys/kernel/kptr_restrict").flatMap { Int($0) }),
            capture(interfaces),
            clock,
            HostChecks.cgroups(obstacle: groups.obstacle),
            HostChecks.processes(seesAll: ProcessTable.seesAllProcesses),
            HostChecks.containerRuntimes(RuntimeTrace.found(root: "")),
            firewallTools,
            HostChecks.tracers(tracers(status)),
            HostChecks.seccomp(mode: statusField("Seccomp", status), attaches: attaches),
            HostChecks.libraries(["libbpf \(String(cString: rstbpf_library()))", String(cString: pcap_lib_version())]),
        ]
    }

    /// Why a recorder could not begin, and what to do about it.
    ///
    /// - Parameter captures: whether it was to capture packets, too.
    public static func explain(_ error: RecorderError, captures: Bool) -> String {
        switch error {
        case .noHooks, .noCapture, .cannotEnterNamespace:
            let held = CapabilitySet("CapEff", ofStatus: readFile("/proc/self/status"))
            return held.flatMap { HostChecks.refusal($0, captures: captures) }.map { "\(error); \($0)" } ?? "\(error)"
        default: return error.description
        }
    }

    static func capabilities(captures: Bool) -> HostCheck {
        HostChecks.capabilities(CapabilitySet("CapEff", ofStatus: readFile("/proc/self/status")), captures: captures)
    }

    static var clock: HostCheck {
        HostChecks.clock(
            offsets: String(decoding: readFile("/proc/self/timens_offsets"), as: UTF8.self),
            source: line("/sys/devices/system/clocksource/clocksource0/current_clocksource"))
    }

    /// The hooks, attached for a moment, or why they cannot be.
    private static func attachable() -> (hooks: [RecordingHeader.Hook], problem: String?) {
        var error: Int32 = 0
        var message = [CChar](repeating: 0, count: Int(RSTBPF_MESSAGE_LENGTH))
        func text() -> String {
            String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        guard let programs = rstbpf_open(1, true, true, nil, { _, _ in }, nil, &error, &message) else {
            return ([], text())
        }
        defer { rstbpf_close(programs) }
        guard rstbpf_attach(programs, &message) == 0 else { return ([], text()) }
        return (EventLoop.hooks(programs), nil)
    }

    private static func capture(_ names: [String]) -> HostCheck {
        var problems: [String] = []
        for name in names {
            do {
                _ = try PacketSource(
                    name: name, filter: RecorderOptions.defaultFilter, snaplen: 256, bufferBytes: 1 << 16)
            } catch {
                problems.append(error.description)
            }
        }
        return HostChecks.interfaces(wanted: names, up: interfacesUp, problems: problems)
    }

    private static var interfacesUp: [String] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var names: [String] = []
        var entry = list
        while let current = entry?.pointee {
            defer { entry = current.ifa_next }
            let name = String(cString: current.ifa_name)
            // IFF_UP
            if current.ifa_flags & 1 != 0, !names.contains(name) { names.append(name) }
        }
        return names
    }

    private static var firewallTools: HostCheck {
        let tools = ["nft", "iptables-nft-save", "iptables-legacy-save"]
        return HostChecks.firewallTools(
            usesTables: access("/sys/module/nf_tables", F_OK) == 0
                || RulesetWatch.contains(readFile("/proc/kallsyms"), "nf_tables_getrule"),
            usesLegacy: [false, true].contains { !RulesetTools.legacyTables(ofIPv6: $0).isEmpty },
            installed: Set(tools.filter { RulesetTools.path($0) != nil }))
    }

    private static func tracers(_ status: [UInt8]) -> HostChecks.Tracers {
        var tracers = HostChecks.Tracers()
        tracers.process = statusField("TracerPid", status).flatMap { Int($0) } ?? 0
        let current = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"].lazy.compactMap {
            line("\($0)/current_tracer")
        }
        tracers.current = current.first ?? "nop"
        tracers.countsBPF = line("/proc/sys/kernel/bpf_stats_enabled") == "1"
        return tracers
    }

    /// The first line of a file; nil if it cannot be read.
    private static func line(_ path: String) -> String? {
        let text = readFile(path).prefix { $0 != UInt8(ascii: "\n") }
        return text.isEmpty ? nil : String(kernelName: text)
    }
}

import KernelEvents

/// What the state of a host means for recording. Values in, values out: `HostProbe` reads them.
enum HostChecks {
    static func kernelBTF(isThere: Bool, kernel: String) -> HostCheck {
        isThere
            ? HostCheck(.kernelBTF, .ok, "Linux \(kernel) describes its types in /sys/kernel/btf/vmlinux")
            : HostCheck(
                .kernelBTF, .failed, "Linux \(kernel) has no BTF at /sys/kernel/btf/vmlinux",
                fix: """
                    use a kernel built with CONFIG_DEBUG_INFO_BTF (those of Debian 11, Ubuntu 20.10, RHEL 8.2 and later are); in a \
                    container, mount the host's /sys
                    """)
    }

    /// - Parameters:
    ///   - held: the effective ones; nil if /proc does not tell.
    ///   - captures: whether packets are captured, too.
    static func capabilities(_ held: CapabilitySet?, captures: Bool) -> HostCheck {
        guard let held else {
            return HostCheck(
                .capabilities, .unknown, "/proc/self/status does not say which capabilities this process has")
        }
        let missing = lacking(held, captures: captures)
        guard !missing.isEmpty else { return HostCheck(.capabilities, .ok, "this process has all that recording uses") }
        let losses = missing.map { "\($0.name) (\($0.loss ?? ""))" }.joined(separator: ", ")
        return HostCheck(
            .capabilities, missing.contains(where: \.isRequired) ? .failed : .warning, "this process lacks \(losses)",
            fix: granting(missing))
    }

    /// Of the capabilities that recording uses, those that are not held.
    private static func lacking(_ held: CapabilitySet, captures: Bool) -> [Capability] {
        Capability.allCases.filter { capability in
            capability.loss != nil && (captures || capability != .netRaw) && !held.allows(capability)
        }
    }

    /// What a recorder that was refused something lacks, and how to get it; nil if it is not for want of capabilities.
    static func refusal(_ held: CapabilitySet, captures: Bool) -> String? {
        let missing = lacking(held, captures: captures).filter(\.isNeeded)
        guard !missing.isEmpty else { return nil }
        return
            "this process lacks \(missing.map(\.name).joined(separator: ", ")). \(granting(missing).capitalizedFirst)"
    }

    /// How to get capabilities.
    static func granting(_ missing: [Capability]) -> String {
        let names = missing.map(\.name)
        return """
            run it as root (sudo), or give it what it needs: setcap \
            \(names.map { $0.lowercased() }.joined(separator: ","))+ep PROGRAM; in a systemd unit, \
            AmbientCapabilities=\(names.joined(separator: " ")); in a container, \
            \(names.map { "--cap-add \($0.dropFirst(4))" }.joined(separator: " "))
            """
    }

    /// - Parameter problem: why the programs cannot be loaded or attached at all.
    static func hooks(_ hooks: [RecordingHeader.Hook], problem: String?) -> HostCheck {
        if let problem {
            return HostCheck(
                .hooks, .failed, problem,
                fix: """
                    see the other checks; where none of them has failed, a security module or the container's seccomp filter may \
                    refuse bpf(2)
                    """)
        }
        let missing = hooks.filter { $0.status != "attached" }
        guard missing.isEmpty else {
            return HostCheck(
                .hooks, .warning,
                missing.map { "hook \($0.name) is not attached: \($0.detail ?? "the kernel does not say why")" }
                    .joined(separator: "; "))
        }
        return HostCheck(.hooks, .ok, "\(hooks.map(\.name).joined(separator: ", ")) can be attached")
    }

    /// - Parameters:
    ///   - text: of /sys/kernel/security/lockdown, where brackets mark what is in force; nil if it cannot be read.
    ///   - attaches: whether hooks can be attached.
    static func lockdown(_ text: String?, attaches: Bool) -> HostCheck {
        guard let text else {
            return attaches
                ? HostCheck(.lockdown, .ok, "nothing keeps BPF programs from reading kernel memory")
                : HostCheck(
                    .lockdown, .unknown, "/sys/kernel/security/lockdown is not there (securityfs is not mounted?)")
        }
        guard text.contains("[confidentiality]") else { return HostCheck(.lockdown, .ok, "kernel lockdown: \(text)") }
        return HostCheck(
            .lockdown, .failed, "kernel lockdown is in confidentiality mode: BPF programs may not read kernel memory",
            fix: "boot with lockdown=integrity, or without lockdown=confidentiality on the kernel command line")
    }

    /// Up to Linux 5.10, BPF maps count as locked memory.
    ///
    /// - Parameters:
    ///   - limit: RLIMIT_MEMLOCK, bytes; nil without a limit.
    ///   - mayRaise: whether this process may raise it (CAP_SYS_RESOURCE).
    ///   - ring: bytes of the ring buffer.
    static func lockedMemory(limit: UInt64?, mayRaise: Bool, kernel: String, ring: UInt64) -> HostCheck {
        let numbers = kernel.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        guard numbers.count == 2 else { return HostCheck(.lockedMemory, .unknown, "the kernel's release is \(kernel)") }
        if (numbers[0], numbers[1]) >= (5, 11) {
            return HostCheck(.lockedMemory, .ok, "BPF maps do not count as locked memory on this kernel")
        }
        guard let limit else { return HostCheck(.lockedMemory, .ok, "locked memory has no limit") }
        // Tables and programs need about as much again as the smallest ring.
        let needed = ring + 32 << 20
        if mayRaise || limit >= needed {
            return HostCheck(
                .lockedMemory, .ok, "the limit on locked memory is \(limit >> 10) KiB, which is enough or is raised")
        }
        return HostCheck(
            .lockedMemory, .failed,
            "the limit on locked memory is \(limit >> 10) KiB: BPF maps need \(needed >> 10) KiB",
            fix: "ulimit -l unlimited; in a systemd unit, LimitMEMLOCK=infinity; in a container, --ulimit memlock=-1")
    }

    /// - Parameters:
    ///   - areShown: whether /proc/kallsyms shows addresses.
    ///   - restriction: kernel.kptr_restrict; nil if it cannot be read.
    static func kernelSymbols(areShown: Bool, restriction: Int?) -> HostCheck {
        let setting = restriction.map { " (kernel.kptr_restrict is \($0))" } ?? ""
        if areShown { return HostCheck(.kernelSymbols, .ok, "/proc/kallsyms shows the kernel's functions\(setting)") }
        return HostCheck(
            .kernelSymbols, .warning,
            "/proc/kallsyms shows no addresses\(setting), so kernel paths cannot be named and causes not be told",
            fix: """
                record as root or with CAP_SYSLOG, and set kernel.kptr_restrict to 0 or 1 (sysctl -w kernel.kptr_restrict=1)
                """)
    }

    /// - Parameters:
    ///   - wanted: those that were asked for.
    ///   - up: the names of those that are up.
    ///   - problems: why some cannot be captured.
    static func interfaces(wanted: [String], up: [String], problems: [String]) -> HostCheck {
        if let first = problems.first {
            return HostCheck(
                .interfaces, .failed, problems.joined(separator: "; "),
                fix: first.contains("permission denied")
                    ? "packets are captured with CAP_NET_RAW" : "name one of \"ip link\" with -i")
        }
        return HostCheck(
            .interfaces, .ok,
            "\(wanted.joined(separator: ", ")) can be captured; up: \(up.isEmpty ? "none" : up.joined(separator: ", "))"
        )
    }

    /// - Parameter offsets: of /proc/self/timens_offsets, lines of `clock seconds nanoseconds`; empty without time namespaces.
    static func clock(offsets: String, source: String?) -> HostCheck {
        let shifted = offsets.split(separator: "\n").first { line in
            let words = line.split(whereSeparator: \.isWhitespace)
            return words.count == 3 && words[0] == "monotonic" && (words[1] != "0" || words[2] != "0")
        }
        guard shifted == nil else {
            return HostCheck(
                .clock, .warning,
                """
                this process is in a time namespace of its own: its monotonic clock is not the one that events are stamped with, and \
                their times will be wrong
                """, fix: "record outside it (without unshare --time, or in the host's time namespace: nsenter -T)")
        }
        return HostCheck(.clock, .ok, "the monotonic clock is the host's\(source.map { ", from \($0)" } ?? "")")
    }

    /// - Parameter obstacle: why cgroup v2 cannot be reached.
    static func cgroups(obstacle: String?) -> HostCheck {
        guard let obstacle else {
            return HostCheck(.cgroups, .ok, "cgroup v2 is there: containers and units have names")
        }
        return HostCheck(
            .cgroups, .warning, "containers and units cannot be named: \(obstacle)",
            fix: "mount it (mount -t cgroup2 none /sys/fs/cgroup/unified), or record with CAP_SYS_ADMIN")
    }

    /// - Parameter seesAll: whether /proc has the process numbers of the host.
    static func processes(seesAll: Bool) -> HostCheck {
        seesAll
            ? HostCheck(.processes, .ok, "/proc shows the processes of the host")
            : HostCheck(
                .processes, .warning,
                """
                this process is in a PID namespace of its own: events name the host's processes, but their programs, arguments and \
                cgroups v1 cannot be read
                """, fix: "in a container, --pid=host (Kubernetes: hostPID: true)")
    }

    /// - Parameters:
    ///   - usesTables: whether nf_tables is in use.
    ///   - usesLegacy: whether tables of iptables-legacy are.
    ///   - installed: the names of the programs that are there.
    static func firewallTools(usesTables: Bool, usesLegacy: Bool, installed: Set<String>) -> HostCheck {
        var missing: [String] = []
        if usesTables, !installed.contains("nft") { missing.append("nft") }
        if usesLegacy, !installed.contains("iptables-legacy-save") { missing.append("iptables-legacy-save") }
        guard missing.isEmpty else {
            return HostCheck(
                .firewallTools, .warning,
                "\(missing.joined(separator: " and ")) not found: the rules that reject connections cannot be named",
                fix: "install nftables, and iptables where it is used")
        }
        return HostCheck(
            .firewallTools, .ok,
            usesTables || usesLegacy
                ? "the firewall's rules can be listed" : "no firewall rules are in use in this network namespace")
    }

    /// What else looks at the kernel or at this process.
    struct Tracers: Equatable {
        /// Who traces this process (ptrace(2)); 0 if nobody does.
        var process = 0
        /// ftrace's current tracer.
        var current = "nop"
        /// kernel.bpf_stats_enabled.
        var countsBPF = false
    }

    static func tracers(_ tracers: Tracers) -> HostCheck {
        var found: [String] = []
        var fixes: [String] = []
        if tracers.process != 0 {
            found.append("process \(tracers.process) traces this one (strace, gdb), which slows it down")
            fixes.append("end it")
        }
        if tracers.current != "nop" {
            found.append("ftrace's tracer \(tracers.current) is on, which slows the whole host down")
            fixes.append("echo nop >/sys/kernel/tracing/current_tracer")
        }
        if tracers.countsBPF {
            found.append("the run time of BPF programs is measured, which makes each run dearer")
            fixes.append("sysctl -w kernel.bpf_stats_enabled=0")
        }
        guard !found.isEmpty else { return HostCheck(.tracers, .ok, "no other tracer is in the way") }
        return HostCheck(.tracers, .warning, found.joined(separator: "; "), fix: fixes.joined(separator: "; "))
    }

    /// - Parameters:
    ///   - mode: `Seccomp` of /proc/self/status.
    ///   - attaches: whether hooks can be attached.
    static func seccomp(mode: String?, attaches: Bool) -> HostCheck {
        guard let mode else {
            return HostCheck(.seccomp, .unknown, "/proc/self/status does not say whether there is a filter")
        }
        if mode == "0" { return HostCheck(.seccomp, .ok, "no seccomp filter is in force") }
        if attaches { return HostCheck(.seccomp, .ok, "a seccomp filter is in force; it lets hooks be attached") }
        return HostCheck(
            .seccomp, .warning, "a seccomp filter is in force and may refuse bpf(2)",
            fix: "allow bpf in it; in a container, --security-opt seccomp=unconfined shows whether that is it")
    }

    static func libraries(_ versions: [String]) -> HostCheck {
        HostCheck(.libraries, .ok, versions.joined(separator: "; "))
    }
}

extension String {
    /// As a sentence begins.
    fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}

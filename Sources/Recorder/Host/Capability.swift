/// A capability of Linux that recording makes use of (capabilities(7)).
public enum Capability: Int, Sendable, CaseIterable {
    case dacOverride = 1
    case dacReadSearch = 2
    case kill = 5
    case netAdmin = 12
    case netRaw = 13
    case sysPtrace = 19
    case sysAdmin = 21
    case syslog = 34
    case perfmon = 38
    case bpf = 39

    /// `CAP_NET_RAW`.
    public var name: String {
        switch self {
        case .dacOverride: "CAP_DAC_OVERRIDE"
        case .dacReadSearch: "CAP_DAC_READ_SEARCH"
        case .kill: "CAP_KILL"
        case .netAdmin: "CAP_NET_ADMIN"
        case .netRaw: "CAP_NET_RAW"
        case .sysPtrace: "CAP_SYS_PTRACE"
        case .sysAdmin: "CAP_SYS_ADMIN"
        case .syslog: "CAP_SYSLOG"
        case .perfmon: "CAP_PERFMON"
        case .bpf: "CAP_BPF"
        }
    }

    /// Without it nothing can be recorded.
    var isRequired: Bool { [.bpf, .perfmon, .netRaw].contains(self) }

    /// Without it, causes or rules are not known: a recorder that has none of the others is still worth running.
    var isNeeded: Bool { isRequired || [.syslog, .netAdmin].contains(self) }

    /// What a recording lacks without it; nil for those that recording itself does not use.
    var loss: String? {
        switch self {
        case .bpf, .perfmon: "the hooks cannot be loaded"
        case .netRaw: "no packets are captured"
        case .syslog: "kernel functions have no names, and causes cannot be told"
        case .netAdmin: "firewall rules and conntrack entries are not read"
        case .sysPtrace: "the programs of other users are not named"
        case .dacReadSearch: "containers and units are not named"
        case .sysAdmin: "the rules of other network namespaces are not read"
        case .dacOverride, .kill: nil
        }
    }
}

/// Capabilities as a bit each, as `CapEff` in /proc/PID/status has them.
public struct CapabilitySet: Sendable, Equatable {
    public var bits: UInt64
    public init(bits: UInt64) { self.bits = bits }
    public init(_ capabilities: [Capability]) { bits = capabilities.reduce(0) { $0 | 1 << UInt64($1.rawValue) } }

    /// Whether they allow what the capability allows: up to Linux 5.7, CAP_SYS_ADMIN was what CAP_BPF and CAP_PERFMON are, and
    /// it still is.
    public func allows(_ capability: Capability) -> Bool {
        func has(_ capability: Capability) -> Bool { bits >> UInt64(capability.rawValue) & 1 == 1 }
        return has(capability) || [.bpf, .perfmon].contains(capability) && has(.sysAdmin)
    }

    /// A line of /proc/PID/status, such as `CapEff`; nil if it is not there.
    init?(_ field: String, ofStatus text: [UInt8]) {
        guard let value = statusField(field, text), let bits = UInt64(value, radix: 16) else { return nil }
        self.bits = bits
    }
}

/// The value of a field of /proc/PID/status (proc_pid_status(5)).
func statusField(_ name: String, _ text: [UInt8]) -> String? {
    let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
    let line = lines.first { $0.hasPrefix("\(name):") }
    return line.map { $0.dropFirst(name.count + 1).filter { !$0.isWhitespace } }
}

import Laboratory

/// Every scenario of the laboratory.
public enum Scenarios {
    public static let all: [Scenario] =
        refused + netfilter + rejectRules + stale + ended + handshake + closing + byProcesses + ownership + afterClose
        + timeouts
        + receiving + refusals + elsewhere + relayed + translated + kernelOnly + admin + multipath + pressure + clocks

    /// The scenario with that ID; nil if there is none.
    public static func named(_ id: String) -> Scenario? { all.first { $0.id == id } }
}

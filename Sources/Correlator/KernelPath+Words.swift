extension KernelPath {
    /// The hook a REJECT rule was called from, as `nft` and `iptables` name it.
    public var netfilterHook: String? {
        let hooks: [(Callers, String)] = [
            (.bridge, "BRIDGE"), (.input, "INPUT"), (.output, "OUTPUT"), (.forward, "FORWARD"),
            (.prerouting, "PREROUTING"), (.ingress, "INGRESS"), (.egress, "EGRESS"),
        ]
        return hooks.first { callers.contains($0.0) }?.1
    }

    /// What a segment had waited for: a clause that follows "until".
    var waitedFor: String {
        callers.contains(.verdict)
            ? "a program had given its verdict (NFQUEUE)"
            : "the link address of the next hop was known (ARP, neighbour discovery)"
    }

    /// What released the socket, from the frames below `__fput`.
    public var release: String? {
        // Handling a signal also runs what close() had deferred.
        if callers.isSuperset(of: [.killed, .exit]) { return "the process was killed" }
        if callers.contains(.exit) { return "the process exited" }
        if callers.contains(.closeSystemCall) { return "the process called close()" }
        if callers.contains(.deferred) { return "the last reference was dropped later" }
        return nil
    }
}

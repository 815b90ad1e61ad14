import CLibBPF
import KernelEvents
import NetworkTypes

extension rst_scope {
    /// What the BPF programs are to record. Throws if it asks for more than they have room for.
    init(_ scope: RecordingScope) throws(RecorderError) {
        self.init()
        func check(_ count: Int, _ limit: Int32, _ what: String) throws(RecorderError) -> UInt32 {
            guard count <= limit else {
                throw RecorderError.scopeTooLarge(count: count, of: what, limit: Int(limit))
            }
            return UInt32(count)
        }
        netns_count = try check(scope.netns.count, RST_SCOPE_NETNS, "network namespaces")
        host_count = try check(scope.hosts.count, RST_SCOPE_HOSTS, "hosts")
        port_count = try check(scope.ports.count, RST_SCOPE_PORTS, "ports")
        withUnsafeMutableBytes(of: &netns) { fill($0, with: scope.netns) }
        withUnsafeMutableBytes(of: &ports) { fill($0, with: scope.ports) }
        withUnsafeMutableBytes(of: &hosts) {
            fill(
                $0,
                with: scope.hosts.map { prefix in
                    rst_prefix(
                        address: (prefix.address.high.bigEndian, prefix.address.low.bigEndian),
                        mask: (prefix.mask.high.bigEndian, prefix.mask.low.bigEndian))
                })
        }
    }
}

/// - Parameter room: of an array of such elements.
private func fill<Element: BitwiseCopyable>(_ room: UnsafeMutableRawBufferPointer, with elements: [Element]) {
    elements.withUnsafeBytes { room.copyMemory(from: $0) }
}

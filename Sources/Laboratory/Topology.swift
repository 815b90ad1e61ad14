/// Which namespaces a lab has and how they are connected.
public enum Topology: String, Sendable, CaseIterable {
    /// One namespace; client and server speak over `lo`.
    case loopback
    /// client eth0 ── eth0 server.
    case pair
    /// client eth0 ── eth0 router eth1 ── eth0 server; the router forwards.
    case routed
    /// client eth0 ── eth0 router eth1 ── eth0 server; the router's bridge `br0` joins eth0 and eth1 to one subnet, in
    /// which `br0` has an address too.
    case bridged
    /// client eth0 ── port0 router eth1 ── eth0 server; port0 is in the router's bridge `br0`, which has the address, and
    /// the router forwards between `br0` and eth1. The scenario adds masquerading or DNAT.
    case masqueraded
}

/// The role of a namespace in its lab.
public enum Role: String, Sendable {
    case client, server, router
}

/// An interface on which a scenario's resets can be captured.
public struct CapturePoint: Sendable, Hashable {
    public let role: Role
    public let interface: String
    /// An open descriptor of the network namespace; the lab owns it.
    public let descriptor: Int32
    /// The inode number of the namespace.
    public let netns: UInt32

    /// The namespace as a path, for setns(2) by name; valid in this process while the lab is open.
    public var path: String { "/proc/self/fd/\(descriptor)" }
}

import Glibc
package import NetworkTypes
import Synchronization

/// Network namespaces, connected as the topology says, in which resets are provoked on the real kernel.
///
/// Needs root. The namespaces are anonymous: they vanish with `close()`, with the last reference, or with the process,
/// however it ends. Each lab has its own addresses, in 10.0.0.0/8 and fd00::/16.
public final class Lab {
    public let topology: Topology
    public let ipVersion: IPVersion
    /// Where to capture, the interfaces at the server's end first, so that an origin comes before its echoes.
    public let captures: [CapturePoint]

    package let actorCommand: ActorCommand
    package let plan: AddressPlan
    package let client: Node
    package let server: Node
    /// Nil where the topology has none.
    package let router: Node?
    /// What the scenario made before it was run.
    package var prepared: PreparedSockets?
    /// Processes that outlive the scenario: the recorder may look for the owner of a socket some time after its RST.
    private var kept: [ActorProcess] = []
    private let threads: [NamespaceThread]
    /// Held while the lab exists: no host-wide setting changes meanwhile.
    private let hostSettings: HostSettingsLock

    /// Builds the namespaces and returns when packets pass between them, or throws and leaves nothing behind.
    ///
    /// `capturingLoopback` adds every `lo` to the capture points.
    ///
    /// Waits until no other lab on this machine conflicts with it because of `changesHostSettings`.
    public init(
        topology: Topology, ipVersion: IPVersion, capturingLoopback: Bool = false, changesHostSettings: Bool = false,
        actor: ActorCommand = .thisProgram
    ) throws {
        guard geteuid() == 0 else { throw LabError.unsupported("network namespaces need root") }
        hostSettings = HostSettingsLock(isExclusive: changesHostSettings)
        self.topology = topology
        self.ipVersion = ipVersion
        actorCommand = actor
        plan = AddressPlan.next()
        var built: [NamespaceThread] = []
        do {
            let nodes = try LabBuilder(topology: topology, version: ipVersion, plan: plan).build { built.append($0) }
            client = nodes.client
            server = nodes.server
            router = nodes.router
        } catch {
            for thread in built { thread.close() }
            throw error
        }
        threads = built
        var points: [CapturePoint] = []
        for node in [server, router, client === server ? nil : client].compactMap({ $0 }) {
            var interfaces = node.interfaces
            if capturingLoopback, !interfaces.contains("lo") { interfaces.append("lo") }
            points += interfaces.map {
                CapturePoint(
                    role: node.role, interface: $0, descriptor: node.thread.descriptor, netns: node.thread.inode)
            }
        }
        captures = points
    }

    /// Keeps the process alive as long as the lab, not just as long as the scenario.
    package func keep(_ actor: ActorProcess) { kept.append(actor) }

    /// Ends the namespaces' threads and closes their descriptors. Safe to call twice.
    public func close() {
        for thread in threads { thread.close() }
        hostSettings.release()
    }

    deinit { close() }
}

/// Addresses that no other lab on this machine uses at the moment.
package struct AddressPlan {
    package let number: UInt32
    private static let counter = Atomic<UInt32>(0)

    package static func next() -> AddressPlan {
        let count = counter.wrappingAdd(1, ordering: .relaxed).newValue
        return AddressPlan(number: UInt32(bitPattern: getpid()) &* 521 &+ count)
    }

    /// The address of host 1...62 on link 0...3: 10.A.B.(64·link+host), or fd00:0:A:B:link::host.
    package func address(_ version: IPVersion, link: UInt32, host: UInt32) -> IPAddress {
        let low = number & 0xffff
        return switch version {
        case .v4: IPAddress(ipv4: 10 << 24 | low << 8 | link << 6 | host)
        case .v6: IPAddress(high: 0xfd00 << 48 | UInt64(number) << 16 | UInt64(link), low: UInt64(host))
        }
    }

    package func prefixLength(_ version: IPVersion) -> Int { version == .v4 ? 26 : 64 }
}

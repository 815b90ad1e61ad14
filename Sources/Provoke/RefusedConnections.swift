import Glibc
import Laboratory
import NetworkTypes

/// Reports the connections to a port that the kernel refuses because nobody listens, each when its RST leaves. CAP_NET_RAW.
///
/// The arrival of a SYN does not show a refusal: it may have come a moment before the port was closed.
final class RefusedConnections: EventHandler {
    private let tap: PacketTap
    private let endpoint: Endpoint
    private let report: (_ local: Endpoint, _ remote: Endpoint) -> Void
    /// The interface on which a RST was first seen: behind a bridge, a VLAN or a bond, the same RST leaves again.
    private var interfaces: [Refusal: UInt32] = [:]
    var number: Int32 { tap.number }

    private struct Refusal: Hashable {
        let tuple: FourTuple
        let ack: UInt32
    }

    /// - Parameter report: called with the end that refuses and the one that is refused.
    init(_ endpoint: Endpoint, report: @escaping (_ local: Endpoint, _ remote: Endpoint) -> Void) throws {
        self.endpoint = endpoint
        self.report = report
        tap = try PacketTap(refusalsFrom: endpoint.port)
    }

    /// How many refusals were missed since the last call.
    var losses: Int { (try? tap.losses()) ?? 0 }

    /// Not all at once: they can come faster than they are logged.
    func ready(_ descriptor: Int32, _ events: UInt32) { reportWaiting(atMost: 64) }

    func reportWaiting(atMost count: Int) {
        for _ in 0..<count {
            guard let arrival = try? tap.nextWaiting() else { return }
            let (segment, interface) = (arrival.segment, arrival.interface)
            guard isOfThisHost(segment.source.address) else { continue }
            let refusal = Refusal(tuple: segment.tuple, ack: segment.ack)
            if interfaces.count >= 65_536 { interfaces = [:] }
            let first = interfaces[refusal, default: interface]
            interfaces[refusal] = first
            if first == interface { report(segment.source, segment.destination) }
        }
    }

    /// A router may also pass on RSTs from the same port of another host.
    private func isOfThisHost(_ address: IPAddress) -> Bool {
        guard endpoint.isUnspecified else { return address == endpoint.address }
        guard let probe = try? Socket(family: address.version.family, type: Int32(SOCK_DGRAM.rawValue)) else {
            return false
        }
        defer { probe.close() }
        return (try? probe.bind(Endpoint(address, 0))) != nil
    }
}

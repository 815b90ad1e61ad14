import KernelEvents
import NetworkTypes
import PcapReader

extension Inventory {
    /// When a RST was, by a steady clock and by the wall clock: its first packet, or else its first event, one of what left
    /// before one of what was decided.
    func times(of members: some Collection<Reference>) -> (steady: Int64, wall: Int64) {
        func earliest(_ accepts: (Reference) -> Bool) -> (steady: Int64, wall: Int64)? {
            var first: (steady: Int64, member: Reference)?
            for member in members where accepts(member) {
                let time = self.time(member)
                // A time beyond the range counts as the last one.
                if first.map({ time < $0.steady }) ?? true { first = (time, member) }
            }
            return first.map { ($0.steady, wallTime($0.member)) }
        }
        return earliest { !isEvent($0) } ?? earliest { event($0).kind == .emit }
            ?? earliest { _ in true } ?? (0, 0)
    }

    /// Whether it came to a recorded host, from one that was not recorded.
    func isReceived(_ tuple: FourTuple) -> Bool {
        localAddresses.contains(tuple.destination) && !localAddresses.contains(tuple.source)
    }

    func interfaceName(_ packet: Reference) -> String? {
        let index = Int(self.packet(packet).interface)
        let interfaces = captures[Int(packet.source)].summary.interfaces
        return interfaces.indices.contains(index) ? interfaces[index].name : nil
    }
}

import NetworkTypes

/// Hosts that tried many ports or hosts.
struct Scanners: Sendable {
    /// So many ports, or hosts, that one host asks are a scan.
    static let scannedEnds = 10
    /// A client that asks each of them more often than this wants a service.
    private static let attemptsPerEnd = 8
    private let addresses: Set<IPAddress>

    init(_ heads: [ResetRow]) {
        let buckets = KeyGroups(heads.count) { heads[$0].turnsAway ? heads[$0].tuple.destination : nil }
        var addresses: Set<IPAddress> = []
        if buckets.counts.contains(where: { $0 >= Self.scannedEnds }) {
            let groups = buckets.grouped()
            for group in groups.indices where groups[group].count >= Self.scannedEnds {
                let ends = Side.endCount(Members(resets: heads, places: groups[group]), isSource: true)
                guard ends >= Self.scannedEnds, groups[group].count <= ends * Self.attemptsPerEnd,
                    let first = groups[group].first
                else { continue }
                addresses.insert(heads[Int(first)].tuple.destination)
            }
        }
        self.addresses = addresses
    }

    /// The scanner that a RST has to do with: it was turned away, or its host itself answered what a port that is open had
    /// answered, or ended the connection that it had opened for nothing.
    func scanner(of head: ResetRow) -> IPAddress? {
        guard !addresses.isEmpty else { return nil }
        if head.turnsAway, addresses.contains(head.tuple.destination) { return head.tuple.destination }
        guard head.service == .destination, addresses.contains(head.tuple.source) else { return nil }
        return head.traits.contains(.sentByScanner) || head.hasNoData && !head.traits.isDisjoint(with: .mayBeOfScan)
            ? head.tuple.source : nil
    }
}

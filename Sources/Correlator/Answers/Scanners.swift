import NetworkTypes

/// Hosts that tried many ports or hosts.
struct Scanners: Sendable {
    /// How many ports or hosts one host must try to count as a scanner.
    static let scannedEnds = 10
    /// A client that tries each of them more often than this is looking for a service.
    private static let attemptsPerEnd = 8
    private let addresses: Set<IPAddress>

    init(_ rows: [ResetRow]) {
        let buckets = KeyGroups(rows.count) { rows[$0].turnsAway ? rows[$0].tuple.destination : nil }
        var addresses: Set<IPAddress> = []
        if buckets.counts.contains(where: { $0 >= Self.scannedEnds }) {
            let groups = buckets.grouped()
            for group in groups.indices where groups[group].count >= Self.scannedEnds {
                let ends = Side.endCount(Members(resets: rows, places: groups[group]), isSource: true)
                guard ends >= Self.scannedEnds, groups[group].count <= ends * Self.attemptsPerEnd,
                    let first = groups[group].first
                else { continue }
                addresses.insert(rows[Int(first)].tuple.destination)
            }
        }
        self.addresses = addresses
    }

    /// The scanner that a RST involves: it was refused, or its own host answered the SYN+ACK of an open port, or ended the
    /// connection that it had opened for nothing.
    func scanner(of row: ResetRow) -> IPAddress? {
        guard !addresses.isEmpty else { return nil }
        if row.turnsAway, addresses.contains(row.tuple.destination) { return row.tuple.destination }
        guard row.service == .destination, addresses.contains(row.tuple.source) else { return nil }
        return row.traits.contains(.sentByScanner) || row.hasNoData && !row.traits.isDisjoint(with: .mayBeOfScan)
            ? row.tuple.source : nil
    }
}

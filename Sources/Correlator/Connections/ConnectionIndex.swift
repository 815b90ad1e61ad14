import NetworkTypes

/// Finds the flow of a connection at an interface.
struct ConnectionIndex: Sendable {
    /// Of each connection the first flow there was: most have no other.
    private var first: [Entry] = []
    /// The others. An attacker may have one connection seen at any number of interfaces; the hash has a secret.
    private var others: [Place: Int32] = [:]

    private struct Entry: Sendable {
        var interface: Int32 = 0
        var ifindex: Int32 = 0
        /// -1 for none.
        var flow: Int32 = -1
    }

    private struct Place: Hashable {
        let connection: Int32
        let interface: Int32
        let ifindex: Int32
    }

    /// Asks for the memory that a search for a connection looks at.
    func prefetch(place: Int) { first.prefetch(place) }

    /// The flow of a segment, or nil once, after which it is `new`.
    ///
    /// - Parameter place: the number of its connection among those that the index is for.
    mutating func flow(of segment: RoutedSegment, place: Int, orNew new: Int32) -> Int32? {
        while place >= first.count {
            first.append(contentsOf: repeatElement(Entry(), count: max(64, first.count)))
        }
        let entry = first[place]
        if entry.flow >= 0, entry.interface == segment.interface, entry.ifindex == segment.ifindex { return entry.flow }
        guard entry.flow >= 0 else {
            first[place] = Entry(interface: segment.interface, ifindex: segment.ifindex, flow: new)
            return nil
        }
        let other = Place(connection: segment.connection, interface: segment.interface, ifindex: segment.ifindex)
        if let flow = others[other] { return flow }
        others[other] = new
        return nil
    }

    /// Forgets the flows of some connections.
    ///
    /// - Parameter isGone: whether the connection with that place is one of them.
    mutating func remove(where isGone: (_ place: Int) -> Bool) {
        for place in first.indices where first[place].flow >= 0 && isGone(place) { first[place] = Entry() }
        guard !others.isEmpty else { return }
        others = others.filter { !isGone(Int($0.key.connection) / ConnectionTable.shardCount) }
    }
}

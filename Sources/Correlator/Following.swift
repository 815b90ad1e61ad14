import KernelEvents
import NetworkTypes
import PcapReader

/// Which RST had already reset a connection, so that a later one only follows from it.
///
/// Segments in flight when a connection was reset meet no socket, a listener or a time-wait socket, and each of them is
/// answered with a RST of its own: all are consequences of the first.
struct Follow: Sendable, Equatable {
    /// Of the first RST.
    let id: Int
    let cause: Cause
    /// Nanoseconds from the first to this one.
    let age: UInt64
}

extension EntryBuilder {
    /// By the ids of those that follow from another one.
    ///
    /// - Parameter rows: of all RSTs, by their ids less one.
    func follows(_ rows: [ResetRow], _ groups: ResetGroups) -> [Int: Follow] {
        guard rows.contains(where: \.mayFollow) else { return [:] }
        let connections = KeyGroups(rows.count) { rows[$0].tuple }.grouped()
        var follows: [Int: Follow] = [:]
        for connection in connections.indices where connections[connection].count > 1 {
            let places = connections[connection]
            guard places.contains(where: { rows[Int($0)].mayFollow }) else { continue }
            var first: (row: ResetRow, seq: UInt32)?
            for place in places {
                let row = rows[Int(place)]
                guard let seq = seq(groups[Int(place)]) else { continue }
                if let first, row.mayFollow, Self.isOfOneConnection(first.seq, seq) {
                    let age = row.time.saturatingSubtract(first.row.time).magnitude
                    follows[row.id] = Follow(id: first.row.id, cause: first.row.cause, age: age)
                } else if row.cause != .injected {
                    // A third party's RST does not end the connection at the end that it claims to be from. The answer to a
                    // segment without ACK refuses a connection that did not exist yet.
                    first = seq == 0 ? nil : (row, seq)
                }
            }
        }
        return follows
    }

    private func seq(_ members: ArraySlice<Reference>) -> UInt32? {
        members.lazy.compactMap {
            self.inventory.isEvent($0) ? self.inventory.event($0).seq : self.inventory.packet($0).segment.seq
        }.first
    }

    /// Whether two sequence numbers are close enough to belong to one connection. A later connection with the same addresses
    /// and ports begins anywhere.
    private static func isOfOneConnection(_ a: UInt32, _ b: UInt32) -> Bool {
        min(a &- b, b &- a) <= 1 << 24
    }
}

extension ResetRow {
    /// Whether it answers a segment that met no connection of its own.
    fileprivate var mayFollow: Bool {
        traits.contains(outcome == .wireOnly ? .mayFollowOnWire : .mayFollow)
    }
}

extension Reset {
    mutating func tell(of follow: Follow) {
        follows = follow.id
        let before = "\(TimeSpan(nanoseconds: follow.age)) earlier"
        evidence.append(
            Fact(
                "follows from RST #\(follow.id) (\(follow.cause.rawValue)), which had reset the connection \(before)",
                from: .report))
        guard end == nil, outcome != .wireOnly, cause.traits.contains(.meetsNoConnection) else { return }
        summary =
            "A segment arrived for a connection that this end had reset \(before) (#\(follow.id), \(follow.cause.rawValue))."
    }
}

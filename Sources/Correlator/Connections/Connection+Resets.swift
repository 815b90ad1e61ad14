import NetworkTypes

extension ConnectionShard.Connection {
    typealias ResetSnapshot = ConnectionShard.ResetSnapshot

    /// Takes in the next segment of the connection.
    ///
    /// - Parameters:
    ///   - place: of the entry.
    ///   - snapshots: of the RSTs of all connections, to which that of this one is added.
    ///   - repeats: RSTs that were captured twice.
    mutating func take(
        _ segment: ConnectionSegment, of entry: ConnectionShard.Entry, _ place: Int,
        _ snapshots: inout [ResetSnapshot], _ repeats: inout [(number: Int, snapshot: Int32)]
    ) {
        let side = entry.side(of: segment)
        if zeek.isOver(before: segment.note) {
            finishZeek(&snapshots)
            zeek = ZeekConnection()
        }
        zeek.take(
            segment.note, side: side, sourcePort: side == 0 ? entry.sourcePort : entry.destinationPort,
            destinationPort: side == 0 ? entry.destinationPort : entry.sourcePort)
        if segment.note.flags.contains(.rst) {
            if let seen = justSeen(segment.note, side: side, snapshots) {
                duplicates &+= 1
                repeats.append((segment.note.number, seen))
            } else {
                settle(&snapshots)
                addReset(segment.note, place, side, &snapshots)
            }
            return
        }
        settle(&snapshots)
        beginAnewIfNeeded(segment.note, side: side)
        guard take(segment, side: side) else { return }
        if side == 0 {
            Self.follow(segment.note, side, &waiting.ofFirst, \.ofFirst, &snapshots)
            if segment.note.length > 0 {
                Self.followData(segment.note, &waiting.dataOfFirst, \.dataOfFirst, &snapshots)
            }
        } else {
            Self.follow(segment.note, side, &waiting.ofSecond, \.ofSecond, &snapshots)
            if segment.note.length > 0 {
                Self.followData(segment.note, &waiting.dataOfSecond, \.dataOfSecond, &snapshots)
            }
        }
    }

    private mutating func addReset(
        _ note: SegmentNote, _ place: Int, _ side: Int, _ snapshots: inout [ResetSnapshot]
    ) {
        pending = Int32(truncatingIfNeeded: snapshots.count)
        snapshots.append(
            ResetSnapshot(
                note: note, flow: Int32(truncatingIfNeeded: place), sender: Int8(truncatingIfNeeded: side),
                generation: generation, ends: ends, answerHistory: answerHistory(note, side: side),
                previous: previous, previousOfZeek: latestOfZeek))
        latestOfZeek = pending
    }

    /// Tells the RSTs of the connection what Zeek makes of it, when nothing more comes.
    mutating func finishZeek(_ snapshots: inout [ResetSnapshot]) {
        while latestOfZeek >= 0 {
            let place = Int(latestOfZeek)
            snapshots[place].zeek = zeek.state
            latestOfZeek = snapshots[place].previousOfZeek
        }
    }

    /// Takes in the RST that was the latest until now.
    private mutating func settle(_ snapshots: inout [ResetSnapshot]) {
        guard pending >= 0 else { return }
        let place = Int(pending)
        let sender = Int(snapshots[place].sender)
        ends[sender].rememberReset(snapshots[place].note)
        snapshots[place].next = waiting
        waiting.ofFirst = pending
        waiting.ofSecond = pending
        if sender == 0 { waiting.dataOfFirst = pending } else { waiting.dataOfSecond = pending }
        pending = -1
    }

    /// Tells the RSTs of a list of a segment that follows them.
    @inline(__always)
    private static func follow(
        _ note: SegmentNote, _ side: Int, _ head: inout Int32, _ next: KeyPath<Waiting, Int32>,
        _ snapshots: inout [ResetSnapshot]
    ) {
        while head >= 0 {
            let place = Int(head)
            if snapshots[place].sender == side {
                snapshots[place].followers.value.ofSender = LaterNote(note)
            } else {
                snapshots[place].followers.value.ofPeer = LaterNote(note)
            }
            head = snapshots[place].next[keyPath: next]
        }
    }

    /// The same for a segment with payload, and RSTs of its end.
    @inline(__always)
    private static func followData(
        _ note: SegmentNote, _ head: inout Int32, _ next: KeyPath<Waiting, Int32>,
        _ snapshots: inout [ResetSnapshot]
    ) {
        while head >= 0 {
            let place = Int(head)
            snapshots[place].followers.value.dataOfSender = LaterNote(note)
            head = snapshots[place].next[keyPath: next]
        }
    }

    /// The place of an equal RST that came just before: one that was captured twice (a mirror port, a bridge).
    ///
    /// A host may well send equal RSTs, one for each segment that it refuses, and so may who forges them. Therefore the
    /// other segments of the connection have to tell that this capture has segments twice.
    private func justSeen(_ reset: SegmentNote, side: Int, _ snapshots: [ResetSnapshot]) -> Int32? {
        guard duplicates > 0, Int(duplicates) * 3 >= ends[0].segments + ends[1].segments else { return nil }
        var place = latestOfZeek
        // From the latest backwards, as few as of other segments.
        for _ in 0..<4 where place >= 0 {
            let snapshot = snapshots[Int(place)]
            guard snapshot.note.time.distance(from: reset.time) <= ConnectionShard.duplicateWindow else { return nil }
            if Int(snapshot.sender) == side, snapshot.note.isEqual(to: reset) { return place }
            place = snapshot.previousOfZeek
        }
        return nil
    }
}

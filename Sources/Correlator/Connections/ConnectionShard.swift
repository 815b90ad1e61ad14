import NetworkTypes

/// Some of the connections of one capture, and for each of their RSTs what came before it and after it.
///
/// Keeps a few segments of each end and counts the rest: the memory is that of the connections and of their RSTs, however
/// many segments there are. What two interfaces saw of one connection is kept apart.
struct ConnectionShard: Sendable {
    private var index = ConnectionIndex()
    private var flows: [Connection] = []
    /// One for each RST.
    private var moments: [ResetSnapshot] = []
    /// RSTs that were captured twice: the packets that show them again, and the place of each in `moments`.
    private var repeats: [(number: Int, moment: Int32)] = []
    /// For each flow the latest of those segments that are being added, by its place among them, or -1.
    private var latest: [Int32] = []
    /// Segments that are to be followed.
    private var queue: [ConnectionSegment] = []
    /// Of a capture that is read once: its connections, and of each segment of `queue` how to find its own.
    private(set) var numbers: ConnectionNumbers?
    private var keys: [ConnectionKey] = []
    /// The number of this shard.
    private let number: Int
    /// Flows that were let go: their places are free.
    private var free: [Int32] = []
    /// At most so many flows without a RST are kept.
    private let mostFlows: Int
    /// Connections that were let go.
    private(set) var letGo = 0
    /// Flows that have a RST: never let go.
    private var flowsWithResets = 0
    private var notedMoments = 0
    /// How many of `moments` were looked at for what they ask of other connections.
    private var askedMoments = 0

    /// - Parameters:
    ///   - connections: about so many are to be followed.
    ///   - resets: about so many of their segments are RSTs.
    init(connections: Int = 0, resets: Int = 0) {
        // Tables that grow step by step are copied each time, and for a moment they are there twice.
        flows.reserveCapacity(connections)
        latest.reserveCapacity(connections)
        moments.reserveCapacity(resets)
        number = 0
        mostFlows = .max
    }

    /// For all connections of a capture, whether they have a RST or not.
    ///
    /// - Parameters:
    ///   - number: that of the shard.
    ///   - mostFlows: see there.
    ///   - lacksAllPast: any connection may have had segments before.
    init(number: Int, mostFlows: Int, lacksAllPast: Bool) {
        self.number = number
        self.mostFlows = mostFlows
        numbers = ConnectionNumbers(lacksAllPast: lacksAllPast)
    }

    /// A connection as it was just before a RST.
    struct ResetSnapshot: Sendable {
        /// The RST.
        let note: SegmentNote
        let flow: Int32
        /// 0 if the end that sent the first segment sent the RST, else 1.
        let sender: Int8
        let generation: Int32
        let ends: EndpointPair
        let answerHistory: Seldom<AnswerHistory>
        let previous: Connection.Ended?
        var followers = Seldom<Followers>()
        /// In each of the lists of `Connection.Waiting` the next one, or -1.
        var next = Connection.Waiting()
        /// What Zeek makes of the connection in the end, and the RST of it that came before this one, or -1.
        var zeek = ZeekState.other
        var previousOfZeek: Int32
    }

    /// The first segments after a RST in its connection that are no RSTs.
    struct Followers: Sendable, Equatable, StartsEmpty {
        var ofSender: LaterNote?
        /// With payload.
        var dataOfSender: LaterNote?
        var ofPeer: LaterNote?
    }

    /// What followed a RST in its connection.
    struct After: Sendable, Equatable {
        /// Segments of the RST's sender that are no RSTs, and the first of them.
        var fromSender = 0
        var senderFirst: LaterNote?
        var senderFirstData: LaterNote?
        var fromPeer = 0
        var peerFirst: LaterNote?
        /// More RSTs of the same sender, and the first of them.
        var resets = 0
        var nextReset: LaterNote?
        var peerResets = 0
        var peerReset: LaterNote?
    }

    /// Two equal segments so near to each other are one that was captured twice (a mirror port, a bridge).
    static let duplicateWindow: UInt64 = 1_000_000

    /// Puts off the next segments of the capture until there are many, and `follow` is called.
    ///
    /// - Parameter preceding: what is added to the numbers of their packets.
    mutating func enqueue(_ segments: [ConnectionSegment], precedingPackets preceding: Int) {
        for var segment in segments {
            segment.note.number += preceding
            queue.append(segment)
        }
    }

    /// Takes in the next segments of a capture, where no filter has given their connections numbers.
    ///
    /// - Parameter size: so many are taken together, however the capture was cut, so that what is let go in between does not
    ///   depend on that.
    mutating func follow(_ segments: [KeyedSegment], precedingPackets preceding: Int, inPiecesOf size: Int) {
        for segment in segments {
            queue.append(segment.segment)
            queue[queue.count - 1].note.number += preceding
            keys.append(segment.key)
            if queue.count == size { followRest() }
        }
    }

    /// Takes in those that wait for others.
    mutating func followRest() {
        guard !queue.isEmpty else { return }
        giveNumbers()
        followQueue()
        keys.removeAll(keepingCapacity: true)
        noteResets()
        letGoOfOldest()
    }

    private mutating func followQueue() {
        var segments: [ConnectionSegment] = []
        swap(&segments, &queue)
        follow(segments)
        segments.removeAll(keepingCapacity: true)
        swap(&segments, &queue)
    }

    /// Gives the segments that wait the numbers of their connections.
    private mutating func giveNumbers() {
        guard var numbers else { return }
        // The only owner from here on, or the first change would copy it.
        self.numbers = nil
        for start in stride(from: 0, to: queue.count, by: Self.lookedForTogether) {
            let together = start..<min(start + Self.lookedForTogether, queue.count)
            for place in together { numbers.prefetchSlot(keys[place].tag) }
            for place in together { numbers.prefetchTuple(keys[place].tag) }
            for place in together {
                let found = numbers.number(
                    of: keys[place].tuple, tag: keys[place].tag, begins: queue[place].note.isPlainSyn)
                queue[place].connection = ConnectionNames.connection(found.number, shard: number)
                queue[place].isReversed = found.isReversed
            }
        }
        self.numbers = numbers
    }

    /// Marks the flows that have got their first RST.
    private mutating func noteResets() {
        for moment in moments[notedMoments...] where !flows[Int(moment.flow)].hasReset {
            flows[Int(moment.flow)].hasReset = true
            flowsWithResets += 1
        }
        notedMoments = moments.count
    }

    /// Lets go of connections without a RST when there are too many: first of those that are over, then of those that have
    /// been silent for longest.
    private mutating func letGoOfOldest() {
        guard numbers != nil, flows.count - free.count - flowsWithResets > mostFlows else { return }
        // What a connection has at several interfaces stays together.
        var states = [ConnectionState](repeating: ConnectionState(), count: numbers?.limit ?? 0)
        for flow in flows where flow.connection >= 0 {
            let place = Int(flow.connection) / ConnectionTable.shardCount
            states[place].flows += 1
            states[place].hasReset = states[place].hasReset || flow.hasReset
            states[place].isOpen = states[place].isOpen || !flow.isClosed
            states[place].last = max(states[place].last, flow.lastPacket)
        }
        var candidates = states.indices.filter { states[$0].flows > 0 && !states[$0].hasReset }
        candidates.sort { a, b in
            states[a].isOpen != states[b].isOpen ? !states[a].isOpen : states[a].last < states[b].last
        }
        // A quarter at a time: to look for them takes as long as to follow as many segments.
        var excess = flows.count - free.count - flowsWithResets - mostFlows * 3 / 4
        var count = 0
        while count < candidates.count, excess > 0 {
            excess -= states[candidates[count]].flows
            states[candidates[count]].isLetGo = true
            count += 1
        }
        for place in flows.indices where flows[place].connection >= 0 {
            guard states[Int(flows[place].connection) / ConnectionTable.shardCount].isLetGo else { continue }
            flows[place] = .nothing
            free.append(Int32(truncatingIfNeeded: place))
        }
        index.remove { states[$0].isLetGo }
        for place in candidates[..<count] { numbers?.remove(Int32(truncatingIfNeeded: place)) }
        letGo += count
    }

    private struct ConnectionState {
        var flows = 0
        var hasReset = false
        var isOpen = false
        var isLetGo = false
        var last = 0
    }

    /// What the RSTs that came since this was asked the last time want to know of other connections.
    mutating func newQuestions() -> [TranslationSearch.Question] {
        guard let numbers, askedMoments < moments.count else { return [] }
        defer { askedMoments = moments.count }
        return moments[askedMoments...].compactMap { moment in
            moment.refused.map { segment in
                let flow = flows[Int(moment.flow)]
                return TranslationSearch.Question(
                    reset: moment.note.number,
                    tuple: numbers.tuple(flow.connection / Int32(ConnectionTable.shardCount)),
                    isReversed: flow.isReversed != (moment.sender == 1), segment)
            }
        }
    }

    /// Takes in what was put off, if that is enough.
    mutating func follow(ifAtLeast least: Int) {
        if queue.count >= max(1, least) { followQueue() }
    }

    /// Takes in the next segments of the capture, one connection after another.
    ///
    /// In a large capture each segment belongs to another connection than the one before it, and neither is in the
    /// processor's cache, nor is the state of its connection. Therefore the segments of each connection are taken together,
    /// of a few connections the state is looked for at the same time, so that the processor waits for all of them at once,
    /// and the next segment is asked for before it is its turn.
    private mutating func follow(_ segments: [ConnectionSegment]) {
        // The segments of each connection as a chain, in the order of the capture.
        var next = [Int32](repeating: -1, count: segments.count)
        var chains: [(flow: Int, head: Int32)] = []
        for place in segments.indices {
            let flow = flow(of: segments[place])
            let link = Int32(truncatingIfNeeded: place)
            if latest[flow] >= 0 { next[Int(latest[flow])] = link } else { chains.append((flow, link)) }
            latest[flow] = link
        }
        for start in stride(from: 0, to: chains.count, by: Self.lookedForTogether) {
            let together = chains[start..<min(start + Self.lookedForTogether, chains.count)]
            for chain in together { segments.prefetch(Int(chain.head)) }
            for chain in together { touched &+= Int(flows[chain.flow].touch()) }
            for chain in together { touched &+= flows[chain.flow].touchEnds() }
            for chain in together { touched &+= flows[chain.flow].touchRecent() }
            for chain in together {
                latest[chain.flow] = -1
                var link = chain.head
                while link >= 0 {
                    let following = next[Int(link)]
                    if following >= 0 { segments.prefetch(Int(following)) }
                    Self.add(segments[Int(link)], to: &flows[chain.flow], chain.flow, &moments, &repeats)
                    link = following
                }
            }
        }
    }

    private static let lookedForTogether = 32
    /// Means nothing: what was looked at ahead of its time has to go somewhere, or it would not be looked at.
    private var touched = 0

    /// The connection at the interface of the segment, which may be a new one.
    private mutating func flow(of segment: ConnectionSegment) -> Int {
        let new = free.last ?? Int32(truncatingIfNeeded: flows.count)
        let place = Int(segment.connection) / ConnectionTable.shardCount
        if let known = index.flow(of: segment, place: place, orNew: new) { return Int(known) }
        var flow = Connection(
            connection: segment.connection, isReversed: segment.isReversed, interface: segment.interface,
            ifindex: segment.ifindex)
        flow.lacksPast = numbers?.lacksPast(Int32(truncatingIfNeeded: place)) ?? false
        if free.popLast() != nil {
            flows[Int(new)] = flow
        } else {
            flows.append(flow)
            latest.append(-1)
        }
        return Int(new)
    }

    /// - Parameter number: that of the flow.
    private static func add(
        _ segment: ConnectionSegment, to flow: inout Connection, _ number: Int, _ moments: inout [ResetSnapshot],
        _ repeats: inout [(number: Int, moment: Int32)]
    ) {
        let side = segment.isReversed == flow.isReversed ? 0 : 1
        if flow.zeek.isOver(before: segment.note) {
            finishZeek(&flow, &moments)
            flow.zeek = ZeekConnection()
        }
        flow.zeek.take(
            segment.note, side: side, sourcePort: segment.sourcePort, destinationPort: segment.destinationPort)
        if segment.note.flags.contains(.rst), let seen = flow.justSeen(segment.note, side: side, moments) {
            flow.duplicates &+= 1
            repeats.append((segment.note.number, seen))
            return
        }
        settle(&flow, &moments)
        if segment.note.flags.contains(.rst) {
            addReset(segment.note, to: &flow, number, side, &moments)
            return
        }
        flow.beginAnewIfNeeded(segment.note, side: side)
        guard flow.take(segment, side: side) else { return }
        if side == 0 {
            follow(segment.note, side, &flow.waiting.ofFirst, \.ofFirst, &moments)
            if segment.note.length > 0 { followData(segment.note, &flow.waiting.dataOfFirst, \.dataOfFirst, &moments) }
        } else {
            follow(segment.note, side, &flow.waiting.ofSecond, \.ofSecond, &moments)
            if segment.note.length > 0 {
                followData(segment.note, &flow.waiting.dataOfSecond, \.dataOfSecond, &moments)
            }
        }
    }

    private static func addReset(
        _ note: SegmentNote, to flow: inout Connection, _ number: Int, _ side: Int, _ moments: inout [ResetSnapshot]
    ) {
        flow.pending = Int32(truncatingIfNeeded: moments.count)
        moments.append(
            ResetSnapshot(
                note: note, flow: Int32(truncatingIfNeeded: number), sender: Int8(truncatingIfNeeded: side),
                generation: flow.generation, ends: flow.ends, answerHistory: flow.answerHistory(note, side: side),
                previous: flow.previous, previousOfZeek: flow.latestOfZeek))
        flow.latestOfZeek = flow.pending
    }

    /// Tells the RSTs of a connection what Zeek makes of it, when nothing more comes.
    private static func finishZeek(_ flow: inout Connection, _ moments: inout [ResetSnapshot]) {
        while flow.latestOfZeek >= 0 {
            let place = Int(flow.latestOfZeek)
            moments[place].zeek = flow.zeek.state
            flow.latestOfZeek = moments[place].previousOfZeek
        }
    }

    /// Takes in the RST that was the latest until now.
    private static func settle(_ flow: inout Connection, _ moments: inout [ResetSnapshot]) {
        guard flow.pending >= 0 else { return }
        let place = Int(flow.pending)
        let sender = Int(moments[place].sender)
        flow.ends[sender].rememberReset(moments[place].note)
        moments[place].next = flow.waiting
        flow.waiting.ofFirst = flow.pending
        flow.waiting.ofSecond = flow.pending
        if sender == 0 { flow.waiting.dataOfFirst = flow.pending } else { flow.waiting.dataOfSecond = flow.pending }
        flow.pending = -1
    }

    /// Tells the RSTs of a list of a segment that follows them.
    @inline(__always)
    private static func follow(
        _ note: SegmentNote, _ side: Int, _ head: inout Int32, _ next: KeyPath<Connection.Waiting, Int32>,
        _ moments: inout [ResetSnapshot]
    ) {
        while head >= 0 {
            let place = Int(head)
            if moments[place].sender == side {
                moments[place].followers.value.ofSender = LaterNote(note)
            } else {
                moments[place].followers.value.ofPeer = LaterNote(note)
            }
            head = moments[place].next[keyPath: next]
        }
    }

    /// The same for a segment with payload, and RSTs of its end.
    @inline(__always)
    private static func followData(
        _ note: SegmentNote, _ head: inout Int32, _ next: KeyPath<Connection.Waiting, Int32>,
        _ moments: inout [ResetSnapshot]
    ) {
        while head >= 0 {
            let place = Int(head)
            moments[place].followers.value.dataOfSender = LaterNote(note)
            head = moments[place].next[keyPath: next]
        }
    }

    /// What became of the connections, when all segments are added.
    mutating func finish() -> FollowedConnections {
        follow(ifAtLeast: 1)
        queue = []
        for index in flows.indices { Self.finishZeek(&flows[index], &moments) }
        return FollowedConnections(flows, moments, repeats, isWhole: numbers != nil)
    }
}

extension ConnectionShard.Connection {
    /// The place of an equal RST that came just before: one that was captured twice (a mirror port, a bridge).
    ///
    /// A host may well send equal RSTs, one for each segment that it refuses, and so may who forges them. Therefore the
    /// other segments of the connection have to tell that this capture has segments twice.
    fileprivate func justSeen(_ reset: SegmentNote, side: Int, _ moments: [ConnectionShard.ResetSnapshot]) -> Int32? {
        guard duplicates > 0, Int(duplicates) * 3 >= ends[0].segments + ends[1].segments else { return nil }
        var place = latestOfZeek
        // From the latest backwards, as few as of other segments.
        for _ in 0..<4 where place >= 0 {
            let moment = moments[Int(place)]
            guard moment.note.time.distance(from: reset.time) <= ConnectionShard.duplicateWindow else { return nil }
            if Int(moment.sender) == side, moment.note.isEqual(to: reset) { return place }
            place = moment.previousOfZeek
        }
        return nil
    }
}

import NetworkTypes
import PcapReader

/// Ports that a capture shows to have a listener: they accept SYNs of other connections. That shows of a RST
/// without handshake what its segment met (tcp_v4_rcv(): a listener, or no socket at all).
public struct Listeners: Sendable {
    typealias Place = SegmentSelection.Source

    struct Listener: Sendable {
        /// Its first SYN+ACK.
        let packet: Int
        let ttl: UInt8
    }

    private var listeners: [Place: Listener] = [:]
    /// They also refused SYNs: then it is not known whether there was a listener at the time.
    private var refusing: Set<Place> = []
    /// Ends about which the rest of the capture may say more.
    private(set) var sought: Set<Place> = []

    init() {}

    mutating func add(_ place: Place, packet: Int, ttl: UInt8) {
        if let known = listeners[place], known.packet < packet { return }
        listeners[place] = Listener(packet: packet, ttl: ttl)
    }

    mutating func addRefusal(_ place: Place) { refusing.insert(place) }

    mutating func add(_ others: Listeners) {
        for (place, listener) in others.listeners { add(place, packet: listener.packet, ttl: listener.ttl) }
        refusing.formUnion(others.refusing)
    }

    /// If the ports do not show which end is the service either, the rest of the capture decides.
    mutating func seek(_ place: Place) {
        if listeners[place] == nil, !refusing.contains(place) { sought.insert(place) }
    }

    /// Takes over what is sought of what is known from elsewhere.
    mutating func find(in known: [Place: Listener]) {
        for place in sought {
            if let listener = known[place] { add(place, packet: listener.packet, ttl: listener.ttl) }
        }
    }

    subscript(place: Place) -> Listener? { refusing.contains(place) ? nil : listeners[place] }
}

extension ConnectionTable {
    /// Those of the connections that are followed, as far as RSTs without handshake ask for them.
    var listeners: Listeners {
        var listeners = Listeners()
        var asked: [Listeners.Place: Bool] = [:]
        for shard in shards where asked.count <= TranslationSearch.mostQuestions {
            shard.addAskedListeners(to: &asked, names)
        }
        guard !asked.isEmpty, asked.count <= TranslationSearch.mostQuestions else { return listeners }
        let found = shards.concurrentMap(inPiecesOf: 1) { [asked, names] in $0.listeners(asked, names) }
        for part in found { listeners.add(part) }
        for (place, isAmbiguous) in asked where isAmbiguous { listeners.seek(place) }
        return listeners
    }
}

extension FollowedConnections {
    /// Adds the senders of RSTs that answer as a listener does, or a host without one, where neither end's SYN was captured;
    /// and whether the ports leave open which end is the service.
    fileprivate func addAskedListeners(to asked: inout [Listeners.Place: Bool], _ names: ConnectionNames) {
        for place in packets.lazy.map({ Int($0.place) }) where answersWithoutHandshake(place) {
            let tuple = tuple(ofReset: place, names)
            asked[tuple.sourcePlace, default: false] = asked[tuple.sourcePlace] == true || tuple.sourceServes == nil
            if asked.count > TranslationSearch.mostQuestions { return }
        }
    }

    /// What these flows show about some ports.
    fileprivate func listeners(_ asked: [Listeners.Place: Bool], _ names: ConnectionNames) -> Listeners {
        var listeners = Listeners()
        for (connection, isReversed, ends) in endsOfFlows {
            for side in 0..<2 where ends.counts(of: side).segments > 0 {
                guard let answer = ends[side].syn, answer.isSynAck else { continue }
                let tuple = names.tuple(connection)
                let place = (isReversed == (side == 0) ? tuple.reversed : tuple).sourcePlace
                if asked[place] != nil { listeners.add(place, packet: answer.number, ttl: answer.ttl) }
            }
        }
        for place in packets.lazy.map({ Int($0.place) }) where refusesSyn(place) {
            let sender = tuple(ofReset: place, names).sourcePlace
            if asked[sender] != nil { listeners.addRefusal(sender) }
        }
        return listeners
    }

    private func tuple(ofReset place: Int, _ names: ConnectionNames) -> FourTuple {
        let (connection, isReversed) = connection(ofReset: place)
        return isReversed ? names.tuple(connection).reversed : names.tuple(connection)
    }
}

extension FourTuple {
    var sourcePlace: Listeners.Place { Listeners.Place(address: source, port: sourcePort) }

    /// Whether the source has the port of a service, and the destination that of a client, or the other way round (RFC 6335,
    /// section 6); nil if both are of one kind.
    var sourceServes: Bool? {
        // System and registered ports, those that Linux gives to clients, dynamic ports.
        for limit: UInt16 in [1024, 32768, 49152] where (sourcePort < limit) != (destinationPort < limit) {
            return sourcePort < limit
        }
        return nil
    }
}

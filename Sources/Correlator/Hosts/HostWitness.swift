import KernelEvents
import NetworkTypes
import PcapReader

/// What the recording of one host proves of RSTs that another host saw or sent: that they were not sent, or did not arrive.
///
/// The absence of an event proves something only if the recording covers the time and lost nothing, if the clocks of the hosts
/// were compared, and if the host is the other end of this very connection.
struct HostWitness: Sendable {
    private let inventory: Inventory
    /// By the two ends of a connection, as an observer saw them, what was seen of its RSTs. Empty unless hosts can be compared.
    private let connections: [FourTuple: [Sighting]]

    /// Those with more RSTs than are kept: of them, nothing is proven.
    private let crowded: Set<FourTuple>

    private struct Sighting {
        let reference: Reference
        let cluster: Int32
    }

    /// By cluster: its members.
    private let clusters: [FewReferences]

    /// Nanoseconds that a RST may take on its way, and by which clocks may be wrong.
    private static let before: Int64 = 2_000_000_000
    private static let after: Int64 = 1_000_000_000
    /// How far apart in time RSTs of one connection are looked for: the port that a translation gave may be given again.
    private static let neighbourhood: UInt64 = 60_000_000_000
    /// How far a connection's numbers may advance meanwhile.
    private static let advance: UInt32 = 1 << 24
    private static let mostSightings = 256

    init(_ inventory: Inventory, _ clusters: Clusters) {
        self.inventory = inventory
        guard inventory.hosts.count > 1 else {
            (connections, crowded, self.clusters) = ([:], [], [])
            return
        }
        var found: [FourTuple: [Sighting]] = [:]
        var crowded: Set<FourTuple> = []
        for (number, members) in clusters.members.enumerated() {
            for member in members {
                let key = inventory.tuple(member).anyDirection
                guard found[key]?.count ?? 0 < Self.mostSightings else {
                    crowded.insert(key)
                    continue
                }
                found[key, default: []].append(
                    Sighting(reference: member, cluster: Int32(truncatingIfNeeded: number)))
            }
        }
        connections = found
        self.crowded = crowded
        self.clusters = clusters.members
    }

    // MARK: - Not sent

    /// What the recording of the host says that a RST seems to come from, and that has no event of it.
    struct Absence {
        /// Whether it proves that the host did not send it.
        let isProven: Bool
        /// A fact if so; otherwise what is missing.
        let sentence: String
    }

    /// Nil if no recording of another host is about the sender.
    func absence(_ observed: ObservedReset) -> Absence? {
        guard !connections.isEmpty, observed.lead == nil,
            let seen = observed.reception ?? observed.packets.first, let receiver = inventory.host(seen)
        else { return nil }
        let tuple = inventory.tuple(seen)
        let time = inventory.time(seen)
        let numbers = numbers(of: observed)
        let seq = numbers.seq
        guard let sender = owner(of: tuple, seenBy: receiver, at: time, seq: seq), sender.host != receiver else {
            return nil
        }
        // Its own capture has it: it passed there, whoever sent it.
        guard !observed.packets.contains(where: { inventory.host($0) == sender.host }) else { return nil }
        let name = inventory.name(ofHost: sender.host)
        func missing(_ what: String) -> Absence {
            Absence(isProven: false, sentence: "whether \(name) sent it: \(what)")
        }
        guard inventory.alignment.areComparable(sender.host, receiver) else {
            return missing("its clock cannot be compared with that of \(inventory.name(ofHost: receiver))")
        }
        let tuples = names(of: [tuple, sender.tuple], at: sender.host, time)
        let isTranslated = tuples.contains { $0 != tuple && $0 != tuple.reversed }
        guard let span = coverage(sender.host, sender.tuple, at: time, isTranslated: isTranslated) else {
            return missing("its recording is not complete at that time, or left out such events")
        }
        guard !isCrowded(tuples) else {
            return missing("there are more RSTs of this connection than are compared")
        }
        guard !hasUnmatched(sender.host, receiver, tuples, at: time) else {
            return missing("it sent a RST in this connection that did not arrive with its numbers")
        }
        guard !sentAlike(sender.host, tuples, numbers, at: time) else {
            return missing("it sent a RST with the same number, of which this may be a copy")
        }
        guard isEnd(sender.host, of: sender.tuple, at: time) else {
            return missing("nothing in its recording shows that this connection was its own")
        }
        let (early, late) = (time.distance(from: span.since), time.distance(from: span.until))
        return Absence(
            isProven: true,
            sentence: "\(name), the other end of the connection, did not send it: its kernel events, complete from "
                + "\(TimeSpan(nanoseconds: early)) before to \(TimeSpan(nanoseconds: late)) after, have no such RST")
    }

    // MARK: - Not received

    enum Delivery: Sendable {
        /// It is not in the capture of the host that it was for.
        case lost(String)
        /// Nothing happened there, and nothing was captured.
        case withoutEffect(String)
    }

    /// What the recording of the host says that a RST was for, and that has nothing of it; nil if it may have arrived.
    func delivery(_ observed: ObservedReset) -> Delivery? {
        guard !connections.isEmpty, let lead = observed.origin, !inventory.isForwarded(lead),
            let sender = inventory.host(lead)
        else { return nil }
        let tuple = inventory.tuple(lead)
        let time = inventory.time(lead)
        guard let receiver = owner(of: tuple.reversed, seenBy: sender, at: time, seq: nil), receiver.host != sender,
            inventory.alignment.areComparable(sender, receiver.host),
            observed.reception.map({ inventory.host($0) != receiver.host }) ?? true,
            !observed.packets.contains(where: { inventory.host($0) == receiver.host }),
            !observed.emits.contains(where: { inventory.host($0) == receiver.host }),
            coverage(receiver.host, receiver.tuple, at: time, isTranslated: receiver.tuple != tuple.reversed) != nil,
            hasHook(ResetEvent.receiveHook, receiver.host),
            isEnd(receiver.host, of: receiver.tuple, at: time)
        else { return nil }
        let tuples = names(of: [tuple, receiver.tuple.reversed], at: receiver.host, time)
        guard !isCrowded(tuples), !hasStranger(receiver.host, tuples, at: time) else { return nil }
        let name = inventory.name(ofHost: receiver.host)
        return captured(receiver.host, receiver.tuple.source, at: time)
            ? .lost(name) : .withoutEffect(name)
    }

    // MARK: - Hosts

    private typealias End = (host: Int, tuple: FourTuple)

    /// The recorded host that has the source of a tuple, and the tuple as it knows it.
    private func owner(of tuple: FourTuple, seenBy observer: Int, at time: Int64, seq: UInt32?) -> End? {
        let owners = inventory.hosts.indices.filter { inventory.addresses(ofHost: $0).contains(tuple.source) }
        // An address that several hosts have says nothing.
        if !owners.isEmpty { return owners.count == 1 ? (owners[0], tuple) : nil }
        // Another RST of the connection, which had its addresses translated, shows who that is.
        var found: End?
        for sighting in near(tuple, time) where seq == nil || hasNumbers(of: sighting, like: seq, in: tuple) {
            for member in clusters[Int(sighting.cluster)] {
                guard inventory.isEvent(member), let host = inventory.host(member), host != observer else { continue }
                let other = inventory.tuple(member)
                for candidate in [other, other.reversed]
                where candidate != tuple && candidate.destination == tuple.destination
                    && candidate.destinationPort == tuple.destinationPort
                    && inventory.addresses(ofHost: host).contains(candidate.source)
                {
                    if let found, found.host != host || found.tuple != candidate { return nil }
                    found = (host, candidate)
                }
            }
        }
        return found
    }

    private func near(_ tuple: FourTuple, _ time: Int64) -> [Sighting] {
        (connections[tuple.anyDirection] ?? []).filter {
            inventory.time($0.reference).distance(from: time) <= Self.neighbourhood
        }
    }

    /// Whether another RST is of the same connection, and not of a later one with the same translation.
    private func hasNumbers(of sighting: Sighting, like seq: UInt32?, in tuple: FourTuple) -> Bool {
        guard let seq else { return true }
        func isNear(_ number: UInt32?) -> Bool {
            number.map { $0 &- seq < Self.advance || seq &- $0 < Self.advance } ?? false
        }
        return clusters[Int(sighting.cluster)].contains { member in
            let isBack =
                inventory.tuple(member).destination == tuple.source
                || inventory.tuple(member).source == tuple.destination
            guard inventory.isEvent(member) else {
                let segment = inventory.packet(member).segment
                return isBack ? segment.flags.contains(.ack) && isNear(segment.ack) : isNear(segment.seq)
            }
            let event = inventory.event(member)
            if !isBack { return isNear(event.seq) }
            return event.flags?.contains(.ack) == true && isNear(event.ack) || isNear(event.trigger?.seq)
        }
    }

    /// When the events of a host are complete around a time; nil if they are not.
    private func coverage(
        _ host: Int, _ tuple: FourTuple, at time: Int64, isTranslated: Bool
    ) -> (since: Int64, until: Int64)? {
        for index in inventory.hosts[host] {
            let recording = inventory.recordings[index].recording
            guard recording.isComplete, let header = recording.header, header.reportsSocketlessResets,
                hasHook(ResetEvent.emitHook, in: header), let span = inventory.eventCoverage.span(ofRecording: index),
                span.isStated, span.since <= time.saturatingSubtract(Self.before),
                span.until >= time.saturatingAdd(Self.after),
                header.holds(tuple), header.scope?.asksForEnds != true || !isTranslated
            else { continue }
            return (span.since, span.until)
        }
        return nil
    }

    private func hasHook(_ name: String, _ host: Int) -> Bool {
        inventory.hosts[host].contains { index in
            inventory.recordings[index].recording.header.map { hasHook(name, in: $0) } ?? false
        }
    }

    private func hasHook(_ name: String, in header: RecordingHeader) -> Bool {
        header.hooks.contains { $0.name == name && $0.status == "attached" }
    }

    /// Whether the host has something of the connection: an event of its own, be it with translated addresses, or segments that
    /// it sent.
    private func isEnd(_ host: Int, of tuple: FourTuple, at time: Int64) -> Bool {
        let hasEvent = near(tuple, time).contains { sighting in
            clusters[Int(sighting.cluster)].contains { inventory.isEvent($0) && inventory.host($0) == host }
        }
        if hasEvent { return true }
        return inventory.captures.indices.contains { index in
            inventory.alignment.hostsOfCaptures[index] == host
                && inventory.captures[index].connections.table.connection(of: tuple).map { $0.source.segments > 0 }
                    ?? false
        }
    }

    /// A connection, and what a host calls it as other RSTs of it show: either end may have been translated on the way.
    private func names(of tuples: Set<FourTuple>, at host: Int, _ time: Int64) -> Set<FourTuple> {
        var names = tuples
        for sighting in tuples.flatMap({ near($0, time) }) {
            for member in clusters[Int(sighting.cluster)] where inventory.host(member) == host {
                names.insert(inventory.tuple(member))
                names.insert(inventory.tuple(member).reversed)
            }
        }
        return names
    }

    /// Whether the host sent a RST in the connection of which the other one has nothing.
    private func hasUnmatched(_ host: Int, _ other: Int, _ tuples: Set<FourTuple>, at time: Int64) -> Bool {
        sent(by: host, tuples, at: time).contains { sighting in
            !clusters[Int(sighting.cluster)].contains { inventory.host($0) == other }
        }
    }

    /// The host's events of RSTs that it sent in the connection.
    private func sent(by host: Int, _ tuples: Set<FourTuple>, at time: Int64) -> [Sighting] {
        tuples.flatMap { near($0, time) }.filter { sighting in
            let reference = sighting.reference
            return inventory.isEvent(reference) && inventory.host(reference) == host
                && inventory.event(reference).kind != .receive && tuples.contains(inventory.tuple(reference))
        }
    }

    /// What tells a RST from others of its connection: `ack` where the receiver did not know another number.
    private typealias Numbers = (seq: UInt32?, ack: UInt32?)

    private func numbers(of observed: ObservedReset) -> Numbers {
        if let packet = observed.packets.first { return (inventory.packet(packet).segment.seq, nil) }
        guard let reception = observed.reception else { return (nil, nil) }
        let event = inventory.event(reception)
        return event.state == .synSent ? (nil, event.ack) : (event.seq, nil)
    }

    /// Whether the host sent another RST in the connection that may be the same one: the network may deliver a packet twice, and
    /// an interface may show it twice.
    private func sentAlike(_ host: Int, _ tuples: Set<FourTuple>, _ numbers: Numbers, at time: Int64) -> Bool {
        sent(by: host, tuples, at: time).contains { sighting in
            let event = inventory.event(sighting.reference)
            if let seq = numbers.seq, let sent = event.seq { return sent == seq }
            if let ack = numbers.ack, let sent = event.ack { return sent == ack }
            return true
        }
    }

    private func isCrowded(_ tuples: Set<FourTuple>) -> Bool {
        tuples.contains { crowded.contains($0.anyDirection) }
    }

    /// Whether the host saw a RST in the connection that nobody is known to have sent: it may be this one with other numbers.
    private func hasStranger(_ host: Int, _ tuples: Set<FourTuple>, at time: Int64) -> Bool {
        tuples.flatMap { near($0, time) }.contains { sighting in
            guard inventory.host(sighting.reference) == host, tuples.contains(inventory.tuple(sighting.reference))
            else {
                return false
            }
            return !clusters[Int(sighting.cluster)].contains {
                inventory.isEvent($0) && inventory.event($0).kind != .receive
            }
        }
    }

    /// Whether a capture of the host has every RST that came to an address of it at that time.
    private func captured(_ host: Int, _ address: IPAddress, at time: Int64) -> Bool {
        inventory.hosts[host].contains { index in
            let recording = inventory.recordings[index].recording
            guard let since = recording.header?.since?.capture, let until = recording.footer?.until?.capture,
                recording.footer?.kernelDropped == 0,
                let first = inventory.time(ofMonotonic: since, recording: index),
                let last = inventory.time(ofMonotonic: until, recording: index),
                first <= time.saturatingSubtract(Self.before), last >= time.saturatingAdd(Self.after),
                recording.header?.watchesEveryWay(to: address) == true, recording.interfaceChanges.isEmpty
            else { return false }
            let captures = inventory.captures.indices.filter { inventory.alignment.hostsOfCaptures[$0] == host }
            let packets = captures.reduce(0) { $0.saturatingAdd(inventory.captures[$1].summary.packets) }
            // A file may be missing, or be another program's.
            return !captures.isEmpty && packets == recording.footer?.captured
                && captures.allSatisfy { place in
                    let capture = inventory.captures[place]
                    return capture.isComplete && capture.undecoded.isEmpty && capture.keepsResets
                }
        }
    }
}

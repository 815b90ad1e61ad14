import NetworkTypes
import PcapReader

/// How hosts answered SYNs that they accepted, in the connections of one capture that are followed: what a RST in a host's
/// name can be compared with where its own connection has nothing of that host.
struct HostProfiles: Sendable {
    private var profiles: [IPAddress: Profile] = [:]

    struct Profile: Sendable {
        var lowestTTL: UInt8
        var highestTTL: UInt8
        /// Nanoseconds from the capture to the host and back, at least.
        var roundTrip: UInt64?
        /// The first SYN+ACK of the host.
        var packet: Int
    }

    var isEmpty: Bool { profiles.isEmpty }

    /// A capture of floods has no use for more.
    private static let kept = 65_536

    mutating func add(_ host: IPAddress, _ answer: SegmentNote, roundTrip: UInt64?) {
        if var profile = profiles[host] {
            profile.lowestTTL = min(profile.lowestTTL, answer.ttl)
            profile.highestTTL = max(profile.highestTTL, answer.ttl)
            profile.packet = min(profile.packet, answer.number)
            if let roundTrip { profile.roundTrip = min(profile.roundTrip ?? .max, roundTrip) }
            profiles[host] = profile
        } else if profiles.count < Self.kept {
            profiles[host] = Profile(
                lowestTTL: answer.ttl, highestTTL: answer.ttl, roundTrip: roundTrip, packet: answer.number)
        }
    }

    /// Nil where the host answers now so and now so, or never did.
    subscript(host: IPAddress) -> Profile? {
        profiles[host].flatMap { $0.lowestTTL == $0.highestTTL ? $0 : nil }
    }
}

extension FollowedConnections {
    /// Whether a SYN was refused in the name of an end that had sent nothing.
    var hasRefusals: Bool {
        packets.contains { refusesSyn(Int($0.place)) }
    }

    /// Adds how the hosts of these flows accepted SYNs.
    func addHosts(to hosts: inout HostProfiles, _ names: ConnectionNames) {
        for (connection, isReversed, sides) in endsOfFlows {
            for side in 0..<2 {
                guard sides.counts(of: side).segments > 0, let answer = sides[side].syn, answer.isSynAck else {
                    continue
                }
                let (own, peer) = (sides[side], sides[1 - side])
                var roundTrip: UInt64?
                if let syn = peer.syn, syn.isPlainSyn, own.synRepeats + peer.synRepeats == 0, answer.time > syn.time {
                    roundTrip = answer.time.distance(from: syn.time)
                }
                let tuple = names.tuple(connection)
                hosts.add(isReversed == (side == 0) ? tuple.destination : tuple.source, answer, roundTrip: roundTrip)
            }
        }
    }
}

extension WireEvidence {
    /// A clause saying why a device on the path, not the host, refused the SYN; nil without a sign of that.
    var refusedOnTheWay: String? {
        guard situation == .answersSyn, own.segments == 0, let trigger, let host = flow?.strangers.host else {
            return nil
        }
        let usual = host.lowestTTL
        let isElsewhere = max(usual, reset.ttl) - min(usual, reset.ttl) > 2
        var clauses: [String] = []
        if isElsewhere {
            clauses.append("its TTL is \(reset.ttl), but \(usual) where that host accepts SYNs (packet \(host.packet))")
        }
        let delay = reset.time.distance(from: trigger.time)
        if let roundTrip = host.roundTrip, roundTrip >= 2_000_000, delay < roundTrip / 4 {
            clauses.append(
                "it comes after \(TimeSpan(nanoseconds: delay)), but the round trip to that host takes \(TimeSpan(nanoseconds: roundTrip))"
            )
        }
        guard !clauses.isEmpty else { return nil }
        let who = clauses.count > 1 ? "a device on the path refused it" : "a device on the path may have refused it"
        return "\(who), not the host: \(clauses.joined(separator: "; "))"
    }
}

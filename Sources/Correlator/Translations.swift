import KernelEvents
import NetworkTypes

/// What the evidence shows of the translation of addresses (NAT) on the host that sent the RST.
extension Evidence {
    /// The RST as TCP decided on it, whose source is the port that was met, and as its receiver knows it, whose source is the
    /// one that was asked. Nil where they are the same, or not known.
    var askedElsewhere: (met: FourTuple, asked: FourTuple)? {
        if let untranslated, let tuple { return (untranslated, tuple) }
        // A RST that never left: its segment's entry has what the other end had asked.
        guard let tuple, let conntrack, conntrack.segment == .tracked, let original = conntrack.original,
            conntrack.reply == tuple, original != tuple.reversed
        else { return nil }
        return (tuple, original.reversed)
    }

    /// A segment that should have been translated, and was not, since conntrack had no part in it.
    var lostTranslation: LostTranslation? {
        guard let conntrack, conntrack.isAtWork == true, conntrack.isLookedUp, let original = conntrack.original,
            let reply = conntrack.reply, original != reply.reversed, let segment = (untranslated ?? tuple)?.reversed
        else { return nil }
        let isExempt = conntrack.segment == .untracked
        guard isExempt || conntrack.segment == ResetEvent.Conntrack.Segment.none else { return nil }
        // What leaves is sent on to where the segments of the other direction come from.
        if segment == reply { return LostTranslation(isExempt: isExempt, segment: segment, end: original.sourceEnd) }
        if segment == original { return LostTranslation(isExempt: isExempt, segment: segment, end: reply.sourceEnd) }
        return nil
    }

    struct LostTranslation {
        /// A rule exempted the segment from conntrack.
        let isExempt: Bool
        let segment: FourTuple
        /// Where NAT would have sent it.
        let end: String

        var sentence: String {
            isExempt
                ? "A rule exempts the segment from conntrack (notrack), so NAT did not pass it on to \(end), and this host answered instead."
                : "conntrack found the segment INVALID, so NAT did not pass it on to \(end), and this host answered instead."
        }

        var advice: String {
            isExempt
                ? "Exclude this connection from the notrack rule (table raw), or translate it without conntrack."
                : """
                Drop segments that conntrack finds INVALID before they reach this host, so that the connection survives: nft \
                add rule inet FILTER INPUT ct state invalid drop, or iptables -I INPUT -m conntrack --ctstate INVALID -j DROP. \
                Or let conntrack accept segments outside the window: sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=1. To \
                see why a segment is INVALID (outside the window, late or reordered), set \
                net.netfilter.nf_conntrack_log_invalid=6, which logs it; "conntrack -S" counts such segments.
                """
        }
    }
}

extension EntryBuilder {
    /// What connection tracking had of the segment that provoked a RST.
    func conntrackFacts(_ conntrack: ResetEvent.Conntrack, from place: Fact.Place) -> [Fact] {
        var facts: [Fact] = []
        switch conntrack.segment {
        case .none? where conntrack.isAtWork == true:
            facts.append(
                Fact(
                    "conntrack is active in this network namespace, but the segment had no entry: to netfilter it was INVALID",
                    from: place))
        case .untracked?: facts.append(Fact("a rule exempted the segment from conntrack (notrack)", from: place))
        case .tracked?, .none?, nil: break
        }
        guard let original = conntrack.original, let reply = conntrack.reply,
            conntrack.isLookedUp || original != reply.reversed
        else { return facts }
        let translation = original == reply.reversed ? "not translated" : "answered as \(reply)"
        facts.append(
            Fact(
                conntrack.isLookedUp
                    ? "conntrack has a connection with these ends: \(original), \(translation)"
                    : "conntrack has the segment in a connection \(original), \(translation)", from: place))
        return facts
    }
}

extension FourTuple {
    /// Address and port of the source.
    var sourceEnd: String { source.text(port: sourcePort) }
}

import NetworkTypes
package import PcapReader

/// What a captured ICMP error did to the attempt to connect that it quotes, as far as the same capture shows.
enum MessageFate {
    /// Nothing speaks against its having ended the attempt.
    case ended
    /// The attempt went on: its SYN was sent again after the message, or the connection came about.
    case wentOn
    /// No such SYN had been sent: the kernel ignores it (`tcp_v4_err` in net/ipv4/tcp_ipv4.c, RFC 5927, section 4.1).
    case foreign
    /// It is not known to quote a SYN.
    case other

    /// - Parameter table: what the capture that the message is in has of connections.
    init(of error: ICMPError, in table: ConnectionTable) {
        guard error.mayQuoteSyn else {
            self = .other
            return
        }
        // A quotation may be too short for the flags: then its number tells.
        let isSyn = error.flags != nil
        let ends = table.connection(of: error.tuple)
        // Those that came later may be of another connection, which took the place of this one.
        let syns = ends?.source.allSyns.filter { $0.isPlainSyn && $0.number < error.packet } ?? []
        guard let ends, !syns.isEmpty else {
            self = isSyn ? .ended : .other
            return
        }
        guard let syn = syns.last(where: { $0.seq == error.seq }) else {
            self = isSyn ? .foreign : .other
            return
        }
        let isRepeated = ends.source.last.map { $0.number > error.packet && $0.isPlainSyn && $0.seq == syn.seq } == true
        // An answer that comes too late gets a RST; a capture may lack the acknowledgment of one that is welcome.
        let isTooLate =
            ends.source.firstAck == nil
            && ends.source.resets.contains { !$0.flags.contains(.ack) && $0.seq == syn.end }
        let isConnected =
            !isTooLate && ends.destination.allSyns.contains { $0.isSynAck && syn.isAcknowledged(by: $0.ack) }
        self = isRepeated || isConnected ? .wentOn : .ended
    }
}

extension ICMPError {
    /// False if it quotes another segment than a SYN.
    package var mayQuoteSyn: Bool { flags?.isPlainSyn ?? true }
}

extension ConnectionSide {
    fileprivate var allSyns: [SegmentNote] { [syn].compactMap(\.self) + otherSyns.map(\.note) }
}

import NetworkTypes
import PcapReader

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
        let quotesSyn = error.flags.map(\.isPlainSyn)
        let ends = table.connection(of: error.tuple)
        // Those that came later may be of another connection, which took the place of this one.
        let syns = ends.map { ends in
            ([ends.source.syn].compactMap(\.self) + ends.source.otherSyns.map(\.note)).filter {
                $0.isPlainSyn && $0.number < error.packet
            }
        }
        guard let ends, let syns, !syns.isEmpty else {
            self = quotesSyn == true ? .ended : .other
            return
        }
        // A quotation may be too short for the flags: then its number tells.
        guard let syn = syns.last(where: { $0.seq == error.seq }) else {
            self = quotesSyn == true ? .foreign : .other
            return
        }
        guard quotesSyn != false else {
            self = .other
            return
        }
        let isRepeated = ends.source.last.map { $0.number > error.packet && $0.isPlainSyn && $0.seq == syn.seq } == true
        let answers = [ends.destination.syn].compactMap(\.self) + ends.destination.otherSyns.map(\.note)
        // An answer that comes too late gets a RST; a capture may lack the acknowledgment of one that is welcome.
        let isTooLate =
            ends.source.firstAck == nil
            && ends.source.resets.contains { !$0.flags.contains(.ack) && $0.seq == syn.end }
        let isConnected = !isTooLate && answers.contains { $0.isSynAck && syn.isAcknowledged(by: $0.ack) }
        self = isRepeated || isConnected ? .wentOn : .ended
    }
}

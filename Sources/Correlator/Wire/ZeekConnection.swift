import NetworkTypes

/// A connection as Zeek follows it: the states of its ends, and when it is forgotten
/// (src/packet_analysis/protocol/tcp/TCPSessionAdapter.cc, with the delays of scripts/base/init-bare.zeek).
///
/// What comes after Zeek has forgotten a connection is another one to it, with the same addresses and ports.
struct ZeekConnection: Sendable {
    private enum State: UInt8 { case inactive, partial, synSent, synAckSent, established, closed, reset }

    private struct End {
        private(set) var state = State.inactive
        /// Before the last change.
        private(set) var previous = State.inactive
        var isClosed = false

        var isIdle: Bool { state == .inactive || state == .partial }

        mutating func become(_ new: State) {
            guard new != state else { return }
            previous = state
            state = new
        }
    }

    private var originator = End()
    private var responder = End()
    /// The end of the flow that is Zeek's originator; -1 before the first segment.
    private var originatorSide: Int8 = -1
    private var hasData = false
    /// The originator began with a SYN, and sent nothing before its RST that speaks of an answer: its part of the history
    /// fits `S[^HAFGIQ]*R`.
    private var beganWithSyn = false
    private var isResetAfterSyn = false
    private var isSpoiled = false
    /// Sequence numbers of the first SYN, and of the one that a SYN+ACK without a SYN answers.
    private var startSeq: UInt32 = 0
    private var answeredSeq: UInt32 = 0
    private var lastTime: Int64 = 0
    /// From here on it is forgotten.
    private var deadline = Int64.max

    private static let second: Int64 = 1_000_000_000
    /// tcp_attempt_delay, tcp_close_delay, tcp_reset_delay.
    private static let delay = 5 * second
    private static let partialCloseDelay = 3 * second
    private static let inactivityTimeout = 300 * second

    /// Whether the segment belongs to another connection, because this one is forgotten or because its SYN says so.
    func isOver(before note: SegmentNote) -> Bool {
        guard originatorSide >= 0 else { return false }
        if note.time > deadline || note.time.saturatingSubtract(lastTime) > Self.inactivityTimeout { return true }
        guard note.isPlainSyn else { return false }
        if originator.isClosed, responder.isClosed { return true }
        if note.seq == startSeq { return false }
        // Unless SYN and SYN+ACK were captured in the wrong order.
        return !(originator.state == .synAckSent && responder.state == .inactive && note.seq == answeredSeq)
    }

    /// - Parameters:
    ///   - side: the end of the flow that sent the segment.
    ///   - flipsRoles: see `FlowSegment`.
    mutating func take(_ note: SegmentNote, side: Int, flipsRoles: Bool) {
        let isFirst = originatorSide < 0
        if isFirst {
            originatorSide = Int8(truncatingIfNeeded: flipsRoles ? 1 - side : side)
            startSeq = note.seq
            answeredSeq = note.ack &- 1
            if note.flags.contains(.syn) { deadline = note.time.saturatingAdd(Self.delay) }
        }
        lastTime = note.time
        if note.length > 0 { hasData = true }
        let isOriginator = side == Int(originatorSide)
        var (own, peer) = isOriginator ? (originator, responder) : (responder, originator)
        if isOriginator {
            remember(note, isFirst: isFirst)
        } else if own.state == .inactive, !peer.isClosed {
            // The attempt is answered.
            deadline = .max
        }
        update(note, isOriginator: isOriginator, &own, &peer)
        (originator, responder) = isOriginator ? (own, peer) : (peer, own)
    }

    private mutating func remember(_ note: SegmentNote, isFirst: Bool) {
        if isFirst, note.isPlainSyn { beganWithSyn = true }
        let controls = note.flags.intersection([.syn, .fin, .rst])
        if controls == .rst {
            if !isSpoiled { isResetAfterSyn = beganWithSyn }
        } else if controls == [] {
            if note.length == 0, note.flags.contains(.ack) { isSpoiled = true }
        } else if !note.isPlainSyn {
            isSpoiled = true
        }
    }

    private mutating func update(_ note: SegmentNote, isOriginator: Bool, _ own: inout End, _ peer: inout End) {
        var closes = false
        switch own.state {
        case .inactive: closes = begin(note, isOriginator: isOriginator, &own, &peer)
        case .synSent, .synAckSent:
            if note.flags.contains(.fin) { own.become(.closed) }
            if note.flags.contains(.rst) { own.become(.reset) }
            closes = !note.flags.isDisjoint(with: [.fin, .rst])
        case .established, .partial:
            if note.isPlainSyn, own.state == .partial, peer.state == .inactive { own.become(.synSent) }
            if note.flags.contains(.fin), !note.flags.contains(.rst) {
                own.become(.closed)
                // FIN, then RST, then the FIN of this end: an end in order.
                if peer.state == .reset, peer.previous == .closed { peer.become(.closed) }
            }
            if note.flags.contains(.rst) { own.become(.reset) }
            closes = !note.flags.isDisjoint(with: [.fin, .rst])
        case .closed:
            guard note.flags.contains(.rst), peer.state != .closed else { break }
            own.become(.reset)
            closes = !own.isClosed
            deadline = min(deadline, note.time.saturatingAdd(Self.delay))
        case .reset: break
        }
        if closes { close(&own, peer, at: note.time) }
    }

    /// The first segment of an end.
    ///
    /// - Returns: whether it closes its side.
    private func begin(_ note: SegmentNote, isOriginator: Bool, _ own: inout End, _ peer: inout End) -> Bool {
        if note.flags.contains(.syn) {
            if isOriginator {
                own.become(note.flags.contains(.ack) ? .synAckSent : .synSent)
            } else {
                if peer.state == .synSent || !note.flags.contains(.ack) && peer.state == .synAckSent {
                    peer.become(.established)
                }
                own.become(.established)
            }
        }
        if note.flags.contains(.fin) { own.become(.closed) }
        if note.flags.contains(.rst) { own.become(.reset) }
        if own.state == .inactive {
            if !isOriginator, note.length == 0, peer.state == .synSent {
                // An acknowledgment of the SYN that comes before the SYN+ACK.
            } else if note.flags.contains(.ack), peer.state == .established {
                own.become(.established)
            } else {
                own.become(.partial)
            }
        }
        return !note.flags.isDisjoint(with: [.fin, .rst])
    }

    private mutating func close(_ own: inout End, _ peer: End, at time: Int64) {
        guard !own.isClosed else { return }
        own.isClosed = true
        if own.state == .reset || peer.isClosed || peer.state == .inactive {
            deadline = min(deadline, time.saturatingAdd(Self.delay))
        } else if own.previous == .inactive {
            deadline = min(deadline, time.saturatingAdd(Self.partialCloseDelay))
        }
    }

    /// Its conn_state, if nothing more comes (base/protocols/conn/main.zeek, conn_state()).
    var state: ZeekState {
        if responder.state == .reset {
            if originator.state == .synSent || originator.state == .synAckSent { return .rejected }
            if originator.state == .reset, !hasData { return .rejected }
            return originator.isIdle ? .synAckThenReset : .resetByResponder
        }
        if originator.state == .reset {
            guard responder.isIdle else { return .resetByOriginator }
            return isResetAfterSyn ? .synThenReset : .other
        }
        switch (originator.state, responder.state) {
        case (.closed, .closed): return .sf
        case (.closed, _): return responder.isIdle ? .synThenFin : .s2
        case (_, .closed): return originator.isIdle ? .synAckThenFin : .s3
        case (.synSent, .inactive): return .s0
        case (.established, .established): return .s1
        default: return .other
        }
    }
}

/// The state of a connection in Zeek's words, `conn_state`.
enum ZeekState: String, Sendable {
    case s0 = "S0"
    case s1 = "S1"
    case sf = "SF"
    case rejected = "REJ"
    case s2 = "S2"
    case s3 = "S3"
    case resetByOriginator = "RSTO"
    case resetByResponder = "RSTR"
    case synThenReset = "RSTOS0"
    case synAckThenReset = "RSTRH"
    case synThenFin = "SH"
    case synAckThenFin = "SHR"
    case other = "OTH"
}

extension FourTuple {
    /// Whether Zeek takes the receiver of a connection's first segment for the originator, if that is no SYN: the sender's
    /// port looks like that of a server, and the other does not, or less so.
    var looksLikeAnswer: Bool {
        guard Self.isLikelyServerPort(sourcePort) else { return false }
        return Self.isLikelyServerPort(destinationPort) ? sourcePort < destinationPort : true
    }

    /// Ports that Zeek's scripts have analyzers for (`likely_server_ports`).
    private static func isLikelyServerPort(_ port: UInt16) -> Bool {
        switch port {
        case 21, 22, 25, 53, 79, 80, 81, 88, 135, 139, 143, 443, 445, 465, 502, 514, 563, 585, 587, 614, 631, 636, 989,
            990, 992, 993, 995, 1080, 1434, 1883, 2811, 3128, 3306, 3389, 5222, 5223, 5269, 6379, 6666...6669, 8000,
            8080, 8888, 20000:
            true
        default: false
        }
    }
}

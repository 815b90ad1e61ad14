import NetworkTypes

/// A connection as Zeek follows it: the states of its ends, and when it is forgotten
/// (src/packet_analysis/protocol/tcp/TCPSessionAdapter.cc, with the delays of scripts/base).
///
/// What comes after Zeek has forgotten a connection is another one to it, with the same addresses and ports.
struct ZeekConnection: Sendable {
    private enum State: UInt8 { case inactive, partial, synSent, synAckSent, established, closed, reset }

    private struct End {
        private(set) var state = State.inactive
        /// Before the last change.
        private(set) var previous = State.inactive
        /// `did_close`: a FIN or a RST of this end counted.
        var isClosed = false
        /// The sequence number before its first byte.
        var startSeq: UInt32 = 0
        var port: UInt16 = 0

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
    /// The originator's part of the history, as far as anybody asks: `S`, then nothing of `HAFIQ`, then `R`.
    private var beganWithSyn = false
    private var isSpoiled = false
    private var isResetAfterSyn = false
    /// The history is `H`: a SYN+ACK, and nothing else yet.
    private var beganWithSynAck = false
    private var wasEstablished = false
    private var firstTime: Int64 = 0
    private var lastTime: Int64 = 0
    /// From here on it is forgotten.
    private var deadline = Int64.max

    private static let second: Int64 = 1_000_000_000
    /// tcp_attempt_delay, tcp_close_delay, tcp_connection_linger, tcp_SYN_timeout.
    private static let delay = 5 * second
    private static let sessionTimer = 6 * second
    private static let inactivityTimeout = 300 * second
    /// For ftp, ssh, telnet and login (scripts/base/protocols/conn/inactivity.zeek).
    private static let interactiveTimeout = 3600 * second

    // MARK: - When it is over

    /// Whether the segment belongs to another connection, because this one is forgotten or because its SYN says so.
    func isOver(before note: SegmentNote) -> Bool {
        guard originatorSide >= 0 else { return false }
        return isForgotten(at: note.time) || isReuse(note)
    }

    private func isForgotten(at time: Int64) -> Bool {
        if time > deadline || time.saturatingSubtract(lastTime) > timeout { return true }
        let isAttempt = originator.state == .synSent || originator.state == .synAckSent
        if isAttempt, responder.state == .inactive { return time > firstTime.saturatingAdd(Self.delay) }
        // A RST after a FIN: a timer that goes off now and then looks whether 5 s have passed without a segment.
        guard originator.state == .reset || responder.state == .reset, originator.isClosed || responder.isClosed else {
            return false
        }
        let quiet = max(0, lastTime.saturatingSubtract(firstTime))
        let wholeRounds = quiet - quiet % Self.sessionTimer
        return time >= firstTime.saturatingAdd(wholeRounds).saturatingAdd(Self.sessionTimer).saturatingAdd(Self.delay)
    }

    private var timeout: Int64 {
        guard wasEstablished else { return Self.inactivityTimeout }
        switch responder.port {
        case 21, 22, 23, 513: return Self.interactiveTimeout
        default: return Self.inactivityTimeout
        }
    }

    /// TCPSessionAdapter::IsReuse().
    private func isReuse(_ note: SegmentNote) -> Bool {
        guard note.flags.contains(.syn) else { return false }
        var start = originator.startSeq
        if note.flags.contains(.ack) {
            guard originator.state == .inactive else { return false }
            start = responder.startSeq
        }
        if originator.isClosed || responder.isClosed { return true }
        if note.seq == start { return false }
        // Unless SYN and SYN+ACK were captured in the wrong order.
        return
            !(note.isPlainSyn && originator.state == .synAckSent && responder.state == .inactive
            && note.seq == responder.startSeq)
    }

    // MARK: - Segments

    /// - Parameters:
    ///   - side: the end of the flow that sent the segment.
    ///   - sourcePort: the port of that end.
    ///   - destinationPort: the port of the other.
    mutating func take(_ note: SegmentNote, side: Int, sourcePort: UInt16, destinationPort: UInt16) {
        if originatorSide < 0 { begin(note, side: side, sourcePort, destinationPort) }
        lastTime = note.time
        if note.length > 0, !note.flags.contains(.rst) { hasData = true }
        let isOriginator = side == Int(originatorSide)
        remember(note, isOriginator: isOriginator)
        // The roles may have changed just now; who is taken for the originator in this segment has not.
        let isFirstSide = side == Int(originatorSide)
        var (own, peer) = isFirstSide ? (originator, responder) : (responder, originator)
        initialize(note, &own, &peer)
        let isReversed = update(note, isOriginator: isOriginator, &own, &peer)
        (originator, responder) = isFirstSide ? (own, peer) : (peer, own)
        if isReversed { flipRoles() }
    }

    private mutating func begin(_ note: SegmentNote, side: Int, _ sourcePort: UInt16, _ destinationPort: UInt16) {
        let flips =
            !note.isPlainSyn
            && Self.looksLikeAnswer(sourcePort, destinationPort, hasSyn: note.flags.contains(.syn))
        originatorSide = Int8(truncatingIfNeeded: flips ? 1 - side : side)
        originator.port = flips ? destinationPort : sourcePort
        responder.port = flips ? sourcePort : destinationPort
        firstTime = note.time
        beganWithSynAck = !flips && note.flags.isSynAck && note.flags.isDisjoint(with: [.fin, .rst])
        beganWithSyn = note.flags.isPlainSyn && !note.flags.contains(.fin)
    }

    private mutating func flipRoles() {
        swap(&originator, &responder)
        originatorSide = 1 - originatorSide
    }

    /// What of the history somebody asks for (TCP_Endpoint::CheckHistory()).
    private mutating func remember(_ note: SegmentNote, isOriginator: Bool) {
        let controls = note.flags.intersection([.syn, .fin, .rst])
        if beganWithSynAck, !(isOriginator && note.isSynAck) {
            beganWithSynAck = false
            // A connection after all, and no scan: its SYN was not captured.
            if controls == [], note.length > 0 || note.flags.contains(.ack) {
                flipRoles()
                return
            }
        }
        guard isOriginator else { return }
        switch controls {
        case .rst: if !isSpoiled { isResetAfterSyn = beganWithSyn }
        case []: if note.length == 0, note.flags.contains(.ack) { isSpoiled = true }
        case .syn: if note.flags.contains(.ack) { isSpoiled = true }
        default: isSpoiled = true
        }
    }

    /// Where the sequence numbers of both ends begin, as far as the segment tells.
    private func initialize(_ note: SegmentNote, _ own: inout End, _ peer: inout End) {
        let isSyn = note.flags.contains(.syn)
        switch own.state {
        case .inactive: own.startSeq = isSyn ? note.seq : note.seq &- 1
        case .synSent, .synAckSent, .established, .partial: if isSyn { own.startSeq = note.seq }
        case .reset: if isSyn, own.previous == .inactive { own.startSeq = note.seq }
        case .closed: break
        }
        if note.flags.contains(.ack), peer.state == .inactive { peer.startSeq = note.ack &- 1 }
    }

    /// - Returns: whether SYN and SYN+ACK were captured in the wrong order, and the roles are the other way round.
    private mutating func update(
        _ note: SegmentNote, isOriginator: Bool, _ own: inout End, _ peer: inout End
    ) -> Bool {
        var closes = !note.flags.isDisjoint(with: [.fin, .rst])
        var isReversed = false
        switch own.state {
        case .inactive: isReversed = begin(note, isOriginator: isOriginator, &own, &peer)
        case .synSent, .synAckSent:
            if note.flags.contains(.fin) { own.become(.closed) }
            if note.flags.contains(.rst) { own.become(.reset) }
        case .established, .partial:
            if note.isPlainSyn, own.state == .partial, peer.state == .inactive { own.become(.synSent) }
            if note.flags.contains(.fin), !note.flags.contains(.rst) {
                own.become(.closed)
                // FIN, then RST, then the FIN of this end: an end in order.
                if peer.state == .reset, peer.previous == .closed { peer.become(.closed) }
            }
            if note.flags.contains(.rst) { own.become(.reset) }
        case .closed:
            closes = note.flags.contains(.rst) && peer.state != .closed
            if closes { own.become(.reset) }
        case .reset: closes = false
        }
        if closes, !own.isClosed {
            own.isClosed = true
            if own.state == .reset || peer.isClosed || peer.state == .inactive {
                deadline = note.time.saturatingAdd(Self.delay)
            }
        }
        return isReversed
    }

    /// The first segment of an end.
    private mutating func begin(
        _ note: SegmentNote, isOriginator: Bool, _ own: inout End, _ peer: inout End
    ) -> Bool {
        var isReversed = false
        if note.flags.contains(.syn), isOriginator {
            own.become(note.flags.contains(.ack) ? .synAckSent : .synSent)
        } else if note.flags.contains(.syn) {
            isReversed = !note.flags.contains(.ack) && peer.state == .synAckSent
            if isReversed || peer.state == .synSent { peer.become(.established) }
            own.become(.established)
            if peer.state != .partial { wasEstablished = true }
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
        return isReversed
    }

    // MARK: - What it is called

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

extension ZeekConnection {
    /// Whether the receiver of a connection's first segment is taken for the originator, if that is no SYN: the sender's
    /// port looks like that of a server, and the other does not, or less so (TCPAnalyzer::WantConnection()).
    fileprivate static func looksLikeAnswer(_ source: UInt16, _ destination: UInt16, hasSyn: Bool) -> Bool {
        guard isLikelyServerPort(source) else { return false }
        return isLikelyServerPort(destination) ? !hasSyn && source < destination : true
    }

    /// Ports that Zeek's scripts have analyzers for (`likely_server_ports`).
    private static func isLikelyServerPort(_ port: UInt16) -> Bool {
        switch port {
        case 21, 22, 25, 53, 79, 80, 81, 88, 135, 139, 143, 389, 443, 445, 465, 502, 514, 563, 585, 587, 614, 631, 636,
            989, 990, 992, 993, 995, 1080, 1434, 1883, 2811, 3128, 3268, 3306, 3389, 5222, 5223, 5269, 5432, 6379,
            6666...6669, 8000, 8080, 8888, 20000:
            true
        default: false
        }
    }
}

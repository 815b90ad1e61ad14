/// The state of a connection in Zeek's words (base/protocols/conn/main.zeek), from all that the capture has of it.
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

    private enum End { case inactive, partial, synSent, synAckSent, established, closed, reset }

    /// - Parameter sides: both ends at the end of the connection, the sender of the first segment first.
    init(_ sides: [FlowSide]) {
        // Zeek takes the sender of the first segment for the originator, but for a SYN+ACK.
        let turned = sides[0].syn?.isSynAck == true && sides[1].syn?.isPlainSyn != true
        let originator = turned ? sides[1] : sides[0]
        let responder = turned ? sides[0] : sides[1]
        let from = Self.state(originator, peer: responder)
        let to = Self.state(responder, peer: originator)
        let fromIdle = from == .inactive || from == .partial
        let toIdle = to == .inactive || to == .partial
        if to == .reset {
            let refused = from == .synSent || from == .synAckSent
            let bothReset = from == .reset && originator.bytes == 0 && responder.bytes == 0
            self = refused || bothReset ? .rejected : fromIdle ? .synAckThenReset : .resetByResponder
        } else if from == .reset {
            self = toIdle ? .synThenReset : .resetByOriginator
        } else if from == .closed, to == .closed {
            self = .sf
        } else if from == .closed {
            self = toIdle ? .synThenFin : .s2
        } else if to == .closed {
            self = fromIdle ? .synAckThenFin : .s3
        } else if from == .synSent, to == .inactive {
            self = .s0
        } else if from == .established, to == .established {
            self = .s1
        } else {
            self = .other
        }
    }

    private static func state(_ side: FlowSide, peer: FlowSide) -> End {
        if side.resetCount > 0 { return .reset }
        if side.segments == 0 { return .inactive }
        if side.fin != nil { return .closed }
        guard let syn = side.syn else { return peer.syn == nil ? .partial : .established }
        if syn.isSynAck { return peer.segments > 1 + peer.synRepeats ? .established : .synAckSent }
        return peer.syn?.isSynAck == true && side.segments > 1 + side.synRepeats ? .established : .synSent
    }
}

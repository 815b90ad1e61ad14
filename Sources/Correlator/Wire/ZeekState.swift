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

    /// - Parameter final: both ends at the end of the connection.
    init(_ final: FinalEnds) {
        let ends = final.ends
        // Zeek takes the sender of the first segment for the originator, but for a SYN+ACK.
        let turned = ends[0].syn?.isSynAck == true && ends[1].syn?.isPlainSyn != true
        let from = Self.state(turned ? 1 : 0, final)
        let to = Self.state(turned ? 0 : 1, final)
        let fromIdle = from == .inactive || from == .partial
        let toIdle = to == .inactive || to == .partial
        if to == .reset {
            let refused = from == .synSent || from == .synAckSent
            let bothReset = from == .reset && ends[0].bytes == 0 && ends[1].bytes == 0
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

    private static func state(_ own: Int, _ final: FinalEnds) -> End {
        let ends = final.ends
        let peer = 1 - own
        if final.counts(of: own).resets > 0 { return .reset }
        if ends[own].segments == 0 { return .inactive }
        if ends[own].fin != nil { return .closed }
        guard let syn = ends[own].syn else { return ends[peer].syn == nil ? .partial : .established }
        if syn.isSynAck { return ends[peer].segments > 1 + ends[peer].synRepeats ? .established : .synAckSent }
        return ends[peer].syn?.isSynAck == true && ends[own].segments > 1 + ends[own].synRepeats
            ? .established : .synSent
    }
}

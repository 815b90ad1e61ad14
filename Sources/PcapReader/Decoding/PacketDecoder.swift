import NetworkTypes

/// What the decoder looks at next.
enum Layer {
    case ethernet
    /// What follows an EtherType, or a length of IEEE 802.3.
    case etherType(UInt16)
    case llc
    case null, cooked, cooked2
    case ip, ipv4, ipv6
    /// What follows an IP header, by protocol number.
    case ipProtocol(UInt8)
    case tcp
    /// The end of the way.
    case done(Outcome)
}

/// What became of a packet.
enum Outcome: Equatable {
    /// `PacketDecoder.segment` holds a TCP header.
    case segment
    /// The packet carries no TCP segment.
    case other
    case undecoded(Undecoded)
}

/// Finds the innermost TCP header of one packet, layer by layer.
///
/// Offsets are those of the span the packet lies in. `end` is where the captured bytes of the current layer end;
/// `wireEnd` where the layer ended on the wire, which is further on when the packet was cut short.
struct PacketDecoder {
    var at: Int
    var end: Int
    var wireEnd: Int
    /// Where the packet begins.
    let start: Int
    var segment = TCPSegment(
        tuple: FourTuple(source: .unspecified, sourcePort: 0, destination: .unspecified, destinationPort: 0))
    var ifindex: Int32 = 0
    var direction = CapturedSegment.Direction.unknown
    /// The addresses of the innermost IP header so far.
    var source = IPAddress.unspecified
    var destination = IPAddress.unspecified

    /// More layers than any network stacks; each takes at least one step.
    static let maximumLayers = 64

    init(at: Int, captured: Int, original: UInt32) {
        self.at = at
        start = at
        end = at + captured
        wireEnd = at + max(captured, Int(original))
    }

    /// Captured bytes left in the current layer.
    var available: Int { end - at }

    mutating func decode(_ bytes: RawSpan, from first: Layer) -> Outcome {
        var layer = first
        for _ in 0..<Self.maximumLayers {
            switch layer {
            case .ethernet: layer = ethernet(bytes)
            case .etherType(let type): layer = etherType(bytes, type)
            case .llc: layer = llc(bytes)
            case .null: layer = null(bytes)
            case .cooked: layer = cooked(bytes)
            case .cooked2: layer = cooked2(bytes)
            case .ip: layer = ip(bytes)
            case .ipv4: layer = ipv4(bytes)
            case .ipv6: layer = ipv6(bytes)
            case .ipProtocol(let number): layer = ipProtocol(bytes, number)
            case .tcp: layer = tcp(bytes)
            case .done(let outcome): return outcome
            }
        }
        return .undecoded(.tooManyLayers)
    }

    /// Remembers the outermost tunnel.
    mutating func enter(_ tunnel: TCPSegment.Tunnel) {
        if segment.tunnel == .none { segment.tunnel = tunnel }
    }
}

extension Layer {
    static func undecoded(_ reason: Undecoded) -> Layer { .done(.undecoded(reason)) }
}

extension IPAddress {
    static let unspecified = IPAddress(high: 0, low: 0)
}

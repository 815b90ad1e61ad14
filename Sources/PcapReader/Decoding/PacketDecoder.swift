import NetworkTypes

/// What the decoder looks at next.
enum Layer {
    case ethernet, etherType(UInt16), llc, fddi, tokenRing, arcnet, fibreChannel, mpls, nsh
    /// Ethernet with so many bytes between its source address and its EtherType.
    case taggedEthernet(tag: Int)
    /// A pseudo-header of so many bytes that says nothing of use, then Ethernet.
    case prefixedEthernet(prefix: Int)
    case null, cooked, cooked2, nflog, pflog, enc, ppi, pktap, ipoib, juniperEthernet
    case ppp, pppWithDirection, pppSerial, pppoe, hdlc, frameRelay, slip, sunATM
    case wlan, radiotap, prism, avs
    case ip, ipv4, ipv6, ipProtocol(UInt8), tcp, udp, gre
    /// The end of the way.
    case done(DecodedPacket)
}

/// What became of a packet.
enum DecodedPacket: Equatable {
    /// `PacketDecoder.segment` holds a TCP header.
    case segment
    /// The packet carries no TCP segment.
    case other
    /// `PacketDecoder.icmpError` holds an ICMP message about a TCP segment.
    case icmpError
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
    /// Where the options of the TCP header begin, once it was found.
    var optionsAt = 0
    /// Where the packet begins.
    let start: Int
    var segment = TCPSegment(
        tuple: FourTuple(source: .unspecified, sourcePort: 0, destination: .unspecified, destinationPort: 0))
    var ifindex: Int32 = 0
    var direction = CapturedSegment.Direction.unknown
    /// What an ICMP message says of a TCP segment.
    var icmpError: ICMPError?
    /// Inside one of several frames that travel as one.
    var isInAggregate = false
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

    mutating func decode(_ bytes: RawSpan, from first: Layer) -> DecodedPacket {
        var layer = first
        for _ in 0..<Self.maximumLayers {
            switch layer {
            case .ethernet: layer = ethernet(bytes)
            case .etherType(let type): layer = etherType(bytes, type)
            case .llc: layer = llc(bytes)
            case .fddi: layer = fddi(bytes)
            case .tokenRing: layer = tokenRing(bytes)
            case .arcnet: layer = arcnet(bytes)
            case .fibreChannel: layer = skip(16, then: .llc)
            case .mpls: layer = mpls(bytes)
            case .nsh: layer = nsh(bytes)
            case .taggedEthernet(let tag): layer = taggedEthernet(bytes, tag: tag)
            case .prefixedEthernet(let prefix): layer = skip(prefix, then: .ethernet)
            case .null: layer = null(bytes)
            case .cooked: layer = cooked(bytes)
            case .cooked2: layer = cooked2(bytes)
            case .nflog: layer = nflog(bytes)
            case .pflog: layer = pflog(bytes)
            case .enc: layer = enc(bytes)
            case .ppi: layer = ppi(bytes)
            case .pktap: layer = pktap(bytes)
            case .ipoib: layer = ipoib(bytes)
            case .juniperEthernet: layer = juniperEthernet(bytes)
            case .ppp: layer = ppp(bytes)
            case .pppWithDirection: layer = pppWithDirection(bytes)
            case .pppSerial: layer = pppSerial(bytes)
            case .pppoe: layer = pppoe(bytes)
            case .hdlc: layer = hdlc(bytes)
            case .frameRelay: layer = frameRelay(bytes)
            case .slip: layer = slip(bytes)
            case .sunATM: layer = sunATM(bytes)
            case .wlan: layer = wlan(bytes, padded: false)
            case .radiotap: layer = radiotap(bytes)
            case .prism: layer = prism(bytes)
            case .avs: layer = avs(bytes)
            case .ip: layer = ip(bytes)
            case .ipv4: layer = ipv4(bytes)
            case .ipv6: layer = ipv6(bytes)
            case .ipProtocol(let number): layer = ipProtocol(bytes, number)
            case .tcp: layer = tcp(bytes)
            case .udp: layer = udp(bytes)
            case .gre: layer = gre(bytes)
            case .done(let packet): return packet
            }
        }
        return .undecoded(.tooManyLayers)
    }

    /// Passes over a header of a fixed length.
    mutating func skip(_ count: Int, then next: Layer) -> Layer {
        guard available >= count else { return .undecoded(.truncatedLink) }
        at += count
        return next
    }

    /// Whether Ethernet with a plain IP header in it stands so many bytes further on: for headers whose length nothing
    /// in the packet tells.
    func looksLikeEthernet(_ bytes: RawSpan, at distance: Int) -> Bool {
        guard available >= distance + 15 else { return false }
        let version = bytes.u8(at + distance + 14) >> 4
        switch bytes.be16(at + distance + 12) {
        case 0x0800: return version == 4
        case 0x86dd: return version == 6
        case 0x8100, 0x88a8: return true
        default: return false
        }
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

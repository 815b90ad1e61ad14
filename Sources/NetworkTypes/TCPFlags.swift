/// The control bits of a TCP header (RFC 9293, section 3.1; RFC 9768 for AE).
@frozen
public struct TCPFlags: OptionSet, Hashable, Sendable {
    /// Bits 0 to 8: FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE.
    public let rawValue: UInt16

    @inlinable
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let fin = TCPFlags(rawValue: 0x001)
    public static let syn = TCPFlags(rawValue: 0x002)
    public static let rst = TCPFlags(rawValue: 0x004)
    public static let psh = TCPFlags(rawValue: 0x008)
    public static let ack = TCPFlags(rawValue: 0x010)
    public static let urg = TCPFlags(rawValue: 0x020)
    public static let ece = TCPFlags(rawValue: 0x040)
    public static let cwr = TCPFlags(rawValue: 0x080)
    public static let ae = TCPFlags(rawValue: 0x100)
}

extension TCPFlags: CustomStringConvertible {
    /// tcpdump's letters in tcpdump's order, with `A` where it prints a dot: `RA`, `S`, `FPA`.
    public static let letters: [Character] = ["F", "S", "R", "P", "A", "U", "E", "W", "e"]

    public var description: String {
        var text = ""
        for (bit, letter) in Self.letters.enumerated() where rawValue & 1 << bit != 0 { text.append(letter) }
        return text
    }

    /// Reads the letters in any order; a dot counts as `A`. Nil if a letter is unknown.
    public init?(letters text: some Sequence<UInt8>) {
        var bits: UInt16 = 0
        for byte in text {
            switch byte {
            case UInt8(ascii: "F"): bits |= 0x001
            case UInt8(ascii: "S"): bits |= 0x002
            case UInt8(ascii: "R"): bits |= 0x004
            case UInt8(ascii: "P"): bits |= 0x008
            case UInt8(ascii: "A"), UInt8(ascii: "."): bits |= 0x010
            case UInt8(ascii: "U"): bits |= 0x020
            case UInt8(ascii: "E"): bits |= 0x040
            case UInt8(ascii: "W"): bits |= 0x080
            case UInt8(ascii: "e"): bits |= 0x100
            default: return nil
            }
        }
        self.init(rawValue: bits)
    }
}

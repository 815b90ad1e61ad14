/// The control bits of a TCP header (RFC 9293, section 3.1; RFC 9768 for AE).
@frozen
public struct TCPFlags: OptionSet, Hashable, Sendable {
    /// Bits 0 to 8: FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE.
    public let rawValue: UInt16

    @inlinable
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    @inlinable public static var fin: TCPFlags { TCPFlags(rawValue: 0x001) }
    @inlinable public static var syn: TCPFlags { TCPFlags(rawValue: 0x002) }
    @inlinable public static var rst: TCPFlags { TCPFlags(rawValue: 0x004) }
    @inlinable public static var psh: TCPFlags { TCPFlags(rawValue: 0x008) }
    @inlinable public static var ack: TCPFlags { TCPFlags(rawValue: 0x010) }
    @inlinable public static var urg: TCPFlags { TCPFlags(rawValue: 0x020) }
    @inlinable public static var ece: TCPFlags { TCPFlags(rawValue: 0x040) }
    @inlinable public static var cwr: TCPFlags { TCPFlags(rawValue: 0x080) }
    @inlinable public static var ae: TCPFlags { TCPFlags(rawValue: 0x100) }
}

extension TCPFlags: CustomStringConvertible {
    /// tcpdump's letters, beginning with the lowest bit, with `A` where it prints a dot.
    public static let letters: StaticString = "FSRPAUEWe"

    /// The letters of the flags that are set, such as `RA`, `S` or `FPA`. Bits without a letter are left out.
    public var description: String {
        var text = ""
        for (bit, letter) in "\(Self.letters)".enumerated() where rawValue & 1 << bit != 0 { text.append(letter) }
        return text
    }

    /// The flag of a letter; a dot counts as `A`. Nil for any other byte.
    public init?(letter: UInt8) {
        switch letter {
        case UInt8(ascii: "F"): self = .fin
        case UInt8(ascii: "S"): self = .syn
        case UInt8(ascii: "R"): self = .rst
        case UInt8(ascii: "P"): self = .psh
        case UInt8(ascii: "A"), UInt8(ascii: "."): self = .ack
        case UInt8(ascii: "U"): self = .urg
        case UInt8(ascii: "E"): self = .ece
        case UInt8(ascii: "W"): self = .cwr
        case UInt8(ascii: "e"): self = .ae
        default: return nil
        }
    }

    /// Reads the letters in any order. Nil if a letter is unknown.
    public init?(letters text: some Sequence<UInt8>) {
        self = []
        for byte in text {
            guard let flag = TCPFlags(letter: byte) else { return nil }
            formUnion(flag)
        }
    }
}

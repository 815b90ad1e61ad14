/// One address, or all that begin with the same bits (RFC 4632; RFC 4291, section 2.3).
public struct IPPrefix: Sendable, Hashable {
    /// The first of the addresses; bits beyond the prefix length are 0.
    public let address: IPAddress
    /// The mask as a 128-bit address: the bits of the prefix are 1.
    public let mask: IPAddress

    /// Reads `10.0.0.0/8`, `fd00::/8`, or an address; bits beyond the prefix length are ignored. Nil for anything else.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(parts[0]) else { return nil }
        let isIPv4 = !parts[0].contains(":")
        let most = isIPv4 ? 32 : 128
        var length = most
        if parts.count == 2 {
            guard (1...3).contains(parts[1].utf8.count), parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let number = Int(parts[1]), number <= most
            else { return nil }
            length = number
        }
        // IPv4 is stored in the last 32 bits.
        let bits = length + 128 - most
        let high: UInt64 = bits >= 64 ? .max : bits == 0 ? 0 : .max << UInt64(64 - bits)
        let low: UInt64 = bits == 128 ? .max : bits <= 64 ? 0 : .max << UInt64(128 - bits)
        mask = IPAddress(high: high, low: low)
        self.address = IPAddress(high: address.high & high, low: address.low & low)
    }

    /// A prefix of IPv6 addresses contains no IPv4 address, although those are stored as `::ffff:0:0/96`: `::/0` is all of IPv6.
    public func contains(_ other: IPAddress) -> Bool {
        other.high & mask.high == address.high && other.low & mask.low == address.low && isIPv4 == other.isIPv4
    }

    /// Whether it contains IPv4 addresses only.
    public var isIPv4: Bool { address.isIPv4 && mask.high == .max && mask.low >> 32 == 0xffff_ffff }

    /// The prefix length, of 32 or 128 bits.
    public var length: Int {
        mask.high.nonzeroBitCount + mask.low.nonzeroBitCount - (isIPv4 ? 96 : 0)
    }
}

extension IPPrefix: CustomStringConvertible {
    /// A plain address if it contains only one, otherwise with the length: `10.0.0.0/8`.
    public var description: String {
        length == (isIPv4 ? 32 : 128) ? address.description : "\(address)/\(length)"
    }
}

/// An IPv4 or IPv6 address in 16 bytes.
///
/// IPv4 is stored in its IPv4-mapped IPv6 form (RFC 4291, section 2.5.5.2), so that an AF_INET6 socket that speaks IPv4
/// and the IPv4 packets it sends compare equal.
@frozen
public struct IPAddress: Hashable, Sendable {
    /// Bytes 0 to 7 as a big-endian number.
    public let high: UInt64
    /// Bytes 8 to 15 as a big-endian number.
    public let low: UInt64

    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// An IPv4 address from its 32 bits in host order: `0x7f00_0001` is 127.0.0.1.
    @inlinable
    public init(ipv4: UInt32) {
        self.init(high: 0, low: 0xffff_0000_0000 | UInt64(ipv4))
    }

    @inlinable
    public var isIPv4: Bool { high == 0 && low >> 32 == 0xffff }

    /// The IPv4 address as 32 bits in host order; meaningless unless `isIPv4`.
    @inlinable
    public var ipv4: UInt32 { UInt32(truncatingIfNeeded: low) }

    @inlinable
    public static func == (a: IPAddress, b: IPAddress) -> Bool { a.high == b.high && a.low == b.low }
}

extension IPAddress: CustomStringConvertible {
    /// Dotted quad, or the canonical form of RFC 5952.
    public var description: String {
        var text = ""
        write(into: &text)
        return text
    }

    private func write(into text: inout String) {
        if isIPv4 {
            text += "\(ipv4 >> 24).\(ipv4 >> 16 & 255).\(ipv4 >> 8 & 255).\(ipv4 & 255)"
            return
        }
        let groups = (0..<8).map { group -> UInt16 in
            UInt16(truncatingIfNeeded: (group < 4 ? high : low) >> UInt64(16 * (3 - group % 4)))
        }
        // RFC 5952, section 4.2: the longest run of two or more zero groups, or the first of equally long ones, becomes "::".
        var best = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, groups[end] == 0 { end += 1 }
            if end - start > max(best.count, 1) { best = start..<end }
            start = max(end, start + 1)
        }
        var group = 0
        while group < 8 {
            if !best.isEmpty, group == best.lowerBound {
                text += "::"
                group = best.upperBound
                continue
            }
            if group > 0, group != best.upperBound || best.isEmpty { text += ":" }
            text += String(groups[group], radix: 16)
            group += 1
        }
    }
}

extension IPAddress {
    /// The address with a port; an IPv6 address is in brackets (RFC 3986, section 3.2.2).
    public func text(port: UInt16) -> String { isIPv4 ? "\(self):\(port)" : "[\(self)]:\(port)" }
}

extension IPAddress {
    /// Reads the text forms of RFC 4291, section 2.2 (with an IPv4 tail) and the dotted quad; nil for anything else.
    public init?(_ text: some StringProtocol) {
        self.init(utf8: Array(text.utf8))
    }

    /// The same from UTF-8 bytes, for a codec that has no `String`.
    public init?(utf8 text: some RandomAccessCollection<UInt8>) {
        guard text.count <= 45 else { return nil }
        guard text.contains(UInt8(ascii: ":")) else {
            guard let quad = Self.quad(text[...]) else { return nil }
            self.init(ipv4: quad)
            return
        }
        var before: [UInt16] = []
        var after: [UInt16] = []
        var compressed = false
        var index = text.startIndex
        let colon = UInt8(ascii: ":")
        if text.first == colon {
            let next = text.index(after: index)
            guard next < text.endIndex, text[next] == colon else { return nil }
            compressed = true
            index = text.index(after: next)
        }
        while index < text.endIndex {
            let end = text[index...].firstIndex(of: colon) ?? text.endIndex
            let part = text[index..<end]
            guard before.count + after.count < 8 else { return nil }
            if end == text.endIndex, part.contains(UInt8(ascii: ".")) {
                guard let quad = Self.quad(part) else { return nil }
                let halves = [UInt16(quad >> 16), UInt16(truncatingIfNeeded: quad)]
                if compressed { after += halves } else { before += halves }
                index = end
                break
            }
            guard (1...4).contains(part.count) else { return nil }
            var group: UInt16 = 0
            for byte in part {
                guard let digit = Self.hexDigit(byte) else { return nil }
                group = group << 4 | UInt16(digit)
            }
            if compressed { after.append(group) } else { before.append(group) }
            guard end < text.endIndex else {
                index = end
                break
            }
            index = text.index(after: end)
            if index == text.endIndex { return nil }
            if text[index] == colon {
                guard !compressed else { return nil }
                compressed = true
                index = text.index(after: index)
            }
        }
        let count = before.count + after.count
        guard compressed ? count < 8 : count == 8 else { return nil }
        let groups = before + Array(repeating: 0, count: 8 - count) + after
        let words = groups.map(UInt64.init)
        self.init(
            high: words[0] << 48 | words[1] << 32 | words[2] << 16 | words[3],
            low: words[4] << 48 | words[5] << 32 | words[6] << 16 | words[7])
    }

    private static func quad(_ text: some Collection<UInt8>) -> UInt32? {
        var address: UInt32 = 0
        var octets = 0
        var value: UInt32 = 0
        var digits = 0
        for byte in text {
            if byte == UInt8(ascii: ".") {
                guard digits > 0, octets < 3 else { return nil }
                address = address << 8 | value
                octets += 1
                value = 0
                digits = 0
                continue
            }
            guard byte >= 0x30, byte <= 0x39, digits < 3 else { return nil }
            value = value * 10 + UInt32(byte - 0x30)
            digits += 1
            guard value <= 255 else { return nil }
        }
        guard octets == 3, digits > 0 else { return nil }
        return address << 8 | value
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x61...0x66: byte - 0x61 + 10
        case 0x41...0x46: byte - 0x41 + 10
        default: nil
        }
    }
}

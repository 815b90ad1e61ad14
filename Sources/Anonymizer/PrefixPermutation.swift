/// A keyed permutation of addresses that keeps prefixes: two addresses have as many leading bits in common afterwards as before.
///
/// Crypto-PAn (Xu, Fan, Ammar, Moon: Prefix-Preserving IP Address Anonymization, ICNP 2002), over 32 or 128 bits: whether a
/// bit is inverted depends on the bits before it and on the key.
public struct PrefixPermutation {
    /// Encrypts 16 bytes, given as a big-endian number.
    public typealias Cipher = (UInt128) -> UInt128

    private let cipher: Cipher
    private let pad: UInt128

    /// - Parameters:
    ///   - secret: the second half of the key, which the cipher makes the padding of.
    ///   - cipher: a block cipher with the first half of the key.
    public init(secret: UInt128, cipher: @escaping Cipher) {
        self.cipher = cipher
        pad = cipher(secret)
    }

    /// The leading bits of addresses.
    public struct Prefix: Sendable {
        /// Left-aligned; bits beyond the length are 0.
        let bits: UInt128
        /// 0 to 128.
        let length: Int
        public init(bits: UInt128, length: Int) {
            self.length = min(max(length, 0), 128)
            self.bits = bits & Self.mask(self.length)
        }

        static func mask(_ length: Int) -> UInt128 { length == 0 ? 0 : UInt128.max << UInt128(128 - length) }
    }

    /// - Parameters:
    ///   - address: left-aligned.
    ///   - width: 32 or 128 bits.
    ///   - kept: prefixes that stay what they are, so that no other address gets them. It is a permutation that keeps prefixes
    ///     all the same: on the way to such a prefix no bit is inverted.
    public func map(_ address: UInt128, width: Int, keeping kept: [Prefix] = []) -> UInt128 {
        var inverted: UInt128 = 0
        for position in 0..<min(width, 128) {
            let mask = Prefix.mask(position)
            let before = address & mask
            if kept.contains(where: { $0.length > position && $0.bits & mask == before }) { continue }
            let bit = cipher(before | pad & ~mask) >> 127
            inverted |= bit << UInt128(127 - position)
        }
        return address ^ inverted
    }
}

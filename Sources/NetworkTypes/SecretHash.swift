/// Hashes that the author of a capture cannot predict: a table indexed with them cannot be filled with keys that all
/// collide.
///
/// Both factors of a 128-bit product are mixed with secrets, and its halves with each other (the step of wyhash). XOR alone
/// would not do for mixing a key's words with the secret and with each other: words that cancel each other out would
/// collide, whatever the secret is.
@frozen
public struct SecretHash: Sendable {
    public let first: UInt64
    public let second: UInt64

    public init() {
        first = .random(in: .min ... .max)
        second = .random(in: .min ... .max)
    }

    /// The hash of two words.
    @inlinable @inline(__always)
    public func pair(_ a: UInt64, _ b: UInt64) -> UInt64 { Self.fold(a ^ first, b ^ second) }

    /// Adds one more word.
    ///
    /// - Parameter hash: the hash of the words before it.
    @inlinable @inline(__always)
    public func add(_ value: UInt64, to hash: UInt64) -> UInt64 { Self.fold(hash ^ value, second | 1) }

    /// Spreads a hash over all its bits, for a table that is indexed with some of them: the previous steps leave a structure in
    /// the lowest bits.
    @inlinable @inline(__always)
    public static func finish(_ hash: UInt64) -> UInt64 {
        let mixed = (hash ^ hash >> 32) &* 0xbf58_476d_1ce4_e5b9
        return mixed ^ mixed >> 32
    }

    @inlinable @inline(__always)
    static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }
}

extension SecretHash {
    @inlinable @inline(__always)
    public func of(_ address: IPAddress) -> UInt64 { pair(address.low, address.high) }

    /// The hash of an address and a port.
    @inlinable @inline(__always)
    public func of(high: UInt64, low: UInt64, port: UInt16) -> UInt64 { add(UInt64(port), to: pair(low, high)) }

    /// The hash of one direction: the other direction has a different one.
    @inlinable @inline(__always)
    public func of(_ tuple: FourTuple) -> UInt64 {
        let source = of(high: tuple.source.high, low: tuple.source.low, port: tuple.sourcePort)
        let destination = of(high: tuple.destination.high, low: tuple.destination.low, port: tuple.destinationPort)
        return Self.fold(source, destination | 1)
    }
}

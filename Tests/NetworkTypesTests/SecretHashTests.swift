import NetworkTypes
import Testing

@Suite struct SecretHashTests {
    /// How many of 16,384 keys fall on a place that another one has already, of 65,536 places: some 1900.
    private static func collisions(_ hash: (UInt64) -> UInt64) -> Int {
        var isTaken = [Bool](repeating: false, count: 65536)
        var count = 0
        for word in 0..<16384 as Range<UInt64> {
            let place = Int(SecretHash.finish(hash(word)) & 0xffff)
            if isTaken[place] { count += 1 }
            isTaken[place] = true
        }
        return count
    }

    private static let bound = 2400

    /// Words that cancel each other out by XOR, or by the product with a constant, must not collide.
    @Test func keysMadeToCollideDoNot() {
        let secret = SecretHash()
        let odd: UInt64 = 0x9e37_79b9_7f4a_7c15
        let portAgainstAddress = Self.collisions { secret.of(high: 7, low: $0 << 48, port: UInt16($0)) }
        #expect(portAgainstAddress < Self.bound)
        let highestBits = Self.collisions { secret.of(IPAddress(high: $0 << 48, low: $0 << 48)) }
        #expect(highestBits < Self.bound)
        let multiples = Self.collisions { secret.of(IPAddress(high: $0 &* odd, low: $0)) }
        #expect(multiples < Self.bound)
        let equalEnds = Self.collisions { word in
            let end = IPAddress(high: 1, low: word)
            return secret.of(FourTuple(source: end, sourcePort: 1, destination: end, destinationPort: 1))
        }
        #expect(equalEnds < Self.bound)
        #expect(Self.collisions { secret.pair($0, $0) } < Self.bound)
        #expect(Self.collisions { secret.add($0, to: secret.pair(1, 2)) } < Self.bound)
    }

    @Test func differentSecretsGiveDifferentHashes() {
        #expect(SecretHash().pair(1, 2) != SecretHash().pair(1, 2))
    }
}

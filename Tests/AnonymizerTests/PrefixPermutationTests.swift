import Anonymizer
import BlockCipher
import NetworkTypes
import Testing

/// The key of the sample that is published with Crypto-PAn.
private let sampleKey: [UInt8] = [
    21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16,
    216, 152, 143, 131, 121, 121, 101, 39, 98, 87, 76, 45, 42, 132, 34, 2,
]

private func permutation(_ key: [UInt8]) throws -> PrefixPermutation {
    let (cipherKey, secret) = halves(key)
    let aes = try #require(AES128(key: cipherKey))
    return PrefixPermutation(secret: secret) { aes.encrypt($0) }
}

func halves(_ key: [UInt8]) -> (cipherKey: UInt128, secret: UInt128) {
    func number(_ bytes: ArraySlice<UInt8>) -> UInt128 { bytes.reduce(0) { $0 << 8 | UInt128($1) } }
    return (number(key[..<16]), number(key[16...]))
}

/// Pseudonyms under a key that begins with a number.
func samplePseudonyms(_ first: UInt8 = 1) throws -> Pseudonyms {
    let (cipherKey, secret) = halves((0..<32).map { first &+ $0 })
    let aes = try #require(AES128(key: cipherKey))
    return Pseudonyms(secret: secret) { aes.encrypt($0) }
}

@Suite struct PrefixPermutationTests {
    /// FIPS 197, appendix C.1.
    @Test func aesIsAES() throws {
        let aes = try #require(AES128(key: 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f))
        #expect(aes.encrypt(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff) == 0x69c4_e0d8_6a7b_0430_d8cd_b780_70b4_c55a)
    }

    /// From sample_trace_raw.dat and sample_trace_sanitized.dat of the reference implementation.
    @Test(arguments: [
        ("128.11.68.132", "135.242.180.132"), ("129.118.74.4", "134.136.186.123"),
        ("130.132.252.244", "133.68.164.234"), ("141.223.7.43", "141.167.8.160"), ("192.102.249.13", "252.138.62.131"),
        ("205.188.147.153", "242.96.16.101"), ("24.0.250.221", "100.15.198.226"), ("4.3.88.225", "124.60.155.63"),
        ("63.195.241.44", "95.179.238.44"), ("64.14.118.196", "0.255.183.58"), ("10.185.25.118", "117.161.29.118"),
    ])
    func ipv4IsThatOfTheReference(_ original: String, _ expected: String) throws {
        let address = try #require(IPAddress(original))
        let mapped = try permutation(sampleKey).map(UInt128(address.ipv4) << 96, width: 32)
        #expect(IPAddress(ipv4: UInt32(mapped >> 96)).description == expected)
    }

    /// What other implementations make of 128 bits: the Go one, with the same key, and yacryptopan, with the bytes 0 to 31.
    @Test(arguments: [
        ("::1", "78ff:f001:9fc0:20df:8380:b1f1:704:ed"), ("::2", "78ff:f001:9fc0:20df:8380:b1f1:704:ef"),
        ("::ffff", "78ff:f001:9fc0:20df:8380:b1f1:704:f838"),
        ("2001:db8::1", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e"),
        ("2001:db8::2", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1c"),
    ])
    func ipv6IsThatOfOthers(_ original: String, _ expected: String) throws {
        #expect(try mapped128(original, sampleKey) == expected)
    }

    @Test func ipv6IsThatOfYacryptopan() throws {
        #expect(
            try mapped128("2001:db8::1", (0..<32).map { $0 }) == "dd92:2c44:3fc0:ff1e:7ff9:c7f0:8180:7e00")
    }

    private func mapped128(_ text: String, _ key: [UInt8]) throws -> String {
        let address = try #require(IPAddress(text))
        let mapped = try permutation(key).map(UInt128(address.high) << 64 | UInt128(address.low), width: 128)
        return IPAddress(high: UInt64(mapped >> 64), low: UInt64(truncatingIfNeeded: mapped)).description
    }
}

@Suite struct PseudonymTests {
    /// Addresses of all kinds, many of them with long prefixes in common.
    private static let addresses: [IPAddress] = {
        var generator = Numbers(state: 42)
        var addresses: [IPAddress] = []
        for _ in 0..<300 {
            let random = UInt32.random(in: 0 ... .max, using: &generator)
            let low = UInt64.random(in: 0 ... .max, using: &generator)
            addresses += [
                IPAddress(ipv4: random), IPAddress(ipv4: 0x0a00_0000 | random & 0x3ff),
                IPAddress(ipv4: 0xa9fe_0000 | random & 0xffff), IPAddress(ipv4: 0xe000_0000 | random >> 4),
                IPAddress(ipv4: 0x7f00_0000 | random & 0xff_ffff), IPAddress(ipv4: 0x7e00_0000 | random & 0xff_ffff),
                IPAddress(high: 0xfe80 << 48, low: low), IPAddress(high: 0xff02 << 48, low: low),
                IPAddress(high: 0x2001_0db8 << 32, low: low), IPAddress(high: 0x2001_0db8 << 32 | low >> 40, low: low),
                IPAddress(high: 0, low: low), IPAddress(high: 0, low: low & 0xff),
            ]
        }
        return Array(Set(addresses))
    }()

    @Test func itIsInjectiveAndDeterministicAndKeyed() throws {
        var (one, same, other) = (try samplePseudonyms(), try samplePseudonyms(), try samplePseudonyms(2))
        let mapped = Self.addresses.map { one.address($0) }
        #expect(Set(mapped).count == Self.addresses.count)
        #expect(Self.addresses.reversed().map { same.address($0) } == mapped.reversed())
        #expect(zip(Self.addresses.map { other.address($0) }, mapped).contains { $0 != $1 })
        #expect(zip(Self.addresses, mapped).allSatisfy { $0.isIPv4 == $1.isIPv4 })
    }

    @Test func prefixesInCommonStayAsLong() throws {
        var pseudonyms = try samplePseudonyms()
        func common(_ a: IPAddress, _ b: IPAddress) -> Int {
            let high = (a.high ^ b.high).leadingZeroBitCount
            return high < 64 ? high : 64 + (a.low ^ b.low).leadingZeroBitCount
        }
        for version in [true, false] {
            let addresses = Self.addresses.filter { $0.isIPv4 == version }.prefix(500)
            let mapped = addresses.map { pseudonyms.address($0) }
            for (place, a) in addresses.enumerated() {
                for (other, b) in addresses.enumerated().dropFirst(place + 1) {
                    #expect(common(a, b) == common(mapped[place], mapped[other]))
                }
            }
        }
    }

    @Test(arguments: ["127.0.0.1", "127.8.9.10", "0.0.0.0", "::", "::1"]) func whatSaysNothingStays(_ text: String)
        throws
    {
        var pseudonyms = try samplePseudonyms()
        let address = try #require(IPAddress(text))
        #expect(pseudonyms.address(address) == address)
    }

    @Test func kindsStayAndNothingElseBecomesOne() throws {
        var pseudonyms = try samplePseudonyms()
        let kinds = ["127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "fe80::/64", "fe80::/10", "ff00::/8", "::1"]
            .compactMap {
                IPPrefix($0)
            }
        for address in Self.addresses {
            let mapped = pseudonyms.address(address)
            for kind in kinds { #expect(kind.contains(address) == kind.contains(mapped), "\(address) \(mapped)") }
        }
    }

    @Test(arguments: ["10.0.0.0/8", "192.0.2.0/25", "2001:db8::/33", "::/0", "198.51.100.7", "0.0.0.0/0"])
    func prefixesContainWhatTheyContained(_ text: String) throws {
        var pseudonyms = try samplePseudonyms()
        let prefix = try #require(IPPrefix(text))
        let copy = pseudonyms.prefix(prefix)
        let mapped = try #require(copy)
        #expect(mapped.length == prefix.length)
        for address in Self.addresses {
            #expect(prefix.contains(address) == mapped.contains(pseudonyms.address(address)))
        }
    }
}

/// Numbers that are the same in each run (SplitMix64).
private struct Numbers: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}

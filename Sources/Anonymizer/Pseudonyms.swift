public import NetworkTypes

/// What takes the place of addresses and names: the same for the same ones, as long as the key is the same.
public struct Pseudonyms {
    private let permutation: PrefixPermutation
    private let cipher: PrefixPermutation.Cipher
    private var known: [IPAddress: IPAddress] = [:]

    /// - Parameters:
    ///   - secret: the second half of the key.
    ///   - cipher: a block cipher with the first half of the key.
    public init(secret: UInt128, cipher: @escaping PrefixPermutation.Cipher) {
        self.cipher = cipher
        permutation = PrefixPermutation(secret: secret, cipher: cipher)
    }

    // MARK: Addresses

    private typealias Prefix = PrefixPermutation.Prefix

    /// 0.0.0.0, loopback, link-local, multicast (RFC 6890, RFC 5771).
    private static let keptIPv4 = [
        Prefix(bits: 0, length: 32), Prefix(bits: 0x7f << 120, length: 8), Prefix(bits: 0xa9fe << 112, length: 16),
        Prefix(bits: 0xe << 124, length: 4),
    ]
    /// `::` and `::1`, IPv4-mapped, link-local with its 54 zeros, multicast (RFC 4291).
    private static let keptIPv6 = [
        Prefix(bits: 1, length: 128), Prefix(bits: 0xffff_0000_0000, length: 96),
        Prefix(bits: 0xfe80 << 112, length: 64),
        Prefix(bits: 0xff << 120, length: 8),
    ]

    /// Addresses of the host itself (127.0.0.0/8, `::1`), 0.0.0.0 and `::` stay as they are; link-local and multicast ones
    /// become others of their kind.
    public mutating func address(_ address: IPAddress) -> IPAddress {
        if let mapped = known[address] { return mapped }
        let mapped: IPAddress
        if !address.isIPv4 {
            mapped = ipv6(address)
        } else if address.ipv4 >> 24 == 127 {
            mapped = address
        } else {
            let bits = permutation.map(UInt128(address.ipv4) << 96, width: 32, keeping: Self.keptIPv4)
            mapped = IPAddress(ipv4: UInt32(truncatingIfNeeded: bits >> 96))
        }
        // A scan has any number of addresses.
        if known.count >= 1 << 20 { known.removeAll(keepingCapacity: true) }
        known[address] = mapped
        return mapped
    }

    private func ipv6(_ address: IPAddress) -> IPAddress {
        let bits = permutation.map(
            UInt128(address.high) << 64 | UInt128(address.low), width: 128, keeping: Self.keptIPv6)
        return IPAddress(high: UInt64(truncatingIfNeeded: bits >> 64), low: UInt64(truncatingIfNeeded: bits))
    }

    public mutating func tuple(_ tuple: FourTuple) -> FourTuple {
        FourTuple(
            source: address(tuple.source), sourcePort: tuple.sourcePort, destination: address(tuple.destination),
            destinationPort: tuple.destinationPort)
    }

    /// The prefix of what its addresses become.
    public mutating func prefix(_ prefix: IPPrefix) -> IPPrefix? {
        let first = prefix.isIPv4 ? address(prefix.address) : ipv6(prefix.address)
        return IPPrefix("\(first)/\(prefix.length)")
    }

    // MARK: Names and numbers

    /// 128 bits that depend on the key and on all of the text: CBC-MAC with the length in the first block.
    private func code(_ text: some StringProtocol, _ use: UInt8) -> UInt128 {
        let bytes = Array(text.utf8)
        var state = cipher(UInt128(use) << 120 | UInt128(bytes.count))
        for start in stride(from: 0, to: bytes.count, by: 16) {
            var block: UInt128 = 0
            for place in start..<start + 16 { block = block << 8 | UInt128(place < bytes.count ? bytes[place] : 0) }
            state = cipher(state ^ block)
        }
        return state
    }

    /// So many hexadecimal digits.
    private func digits(_ text: some StringProtocol, _ use: UInt8, count: Int) -> String {
        var (digits, state) = ("", code(text, use))
        while digits.utf8.count < count {
            let block = String(state, radix: 16)
            digits += String(repeating: "0", count: 32 - block.utf8.count) + block
            state = cipher(state)
        }
        return String(digits.prefix(count))
    }

    public func host(_ name: String) -> String { name.isEmpty ? "" : "host-" + digits(name, 1, count: 8) }

    /// The name of a container or of what it belongs to.
    ///
    /// - Parameter kind: what it is a name of; the same name of two kinds has two pseudonyms.
    func name(_ name: String, _ kind: String) -> String { "\(kind)-" + digits("\(kind)/\(name)", 6, count: 8) }

    public func bootID(_ id: String) -> String {
        guard !id.isEmpty else { return "" }
        let digits = digits(id, 2, count: 32)
        var (text, rest) = ("", digits[...])
        for length in [8, 4, 4, 4, 12] {
            text += (text.isEmpty ? "" : "-") + rest.prefix(length)
            rest = rest.dropFirst(length)
        }
        return text
    }

    /// Of a kernel object: only that it is the same one matters.
    public func pointer(_ address: UInt64) -> UInt64 {
        UInt64(truncatingIfNeeded: cipher(UInt128(3) << 120 | UInt128(address)) >> 64)
    }

    // MARK: Control groups

    /// What runtimes and systemd call things, whatever runs in them.
    private static let wordsOfCgroups: Set<Substring> = [
        "app", "background", "besteffort", "buildah", "burstable", "conmon", "container", "containerd", "cri", "crio",
        "docker", "guaranteed", "init", "kubepods", "libpod", "lxc", "machine", "monitor", "mount", "payload", "pod",
        "podman", "scope", "service", "session", "slice", "socket", "swap", "system", "user",
    ]

    /// A path of the same structure: ids of containers and pods become other ids, names of units other names of their type.
    public func cgroup(_ path: String) -> String {
        var result = ""
        var word: Substring = ""
        func flush() {
            if !word.isEmpty { result += pseudonym(of: word) }
            word = ""
        }
        for character in path {
            if "/-_.:@\\".contains(character) {
                flush()
                result.append(character)
            } else {
                word.append(character)
            }
        }
        flush()
        return result
    }

    private func pseudonym(of word: Substring) -> String {
        if Self.wordsOfCgroups.contains(word) { return String(word) }
        if word.hasPrefix("pod"), Self.isID(word.dropFirst(3)) { return "pod" + pseudonym(of: word.dropFirst(3)) }
        return Self.isID(word) ? digits(word, 4, count: word.utf8.count) : "x" + digits(word, 5, count: 8)
    }

    /// Hexadecimal digits, as many as a part of a UUID or the id of a container has.
    private static func isID(_ word: Substring) -> Bool {
        (word.utf8.count == 4 || word.utf8.count >= 8)
            && word.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}

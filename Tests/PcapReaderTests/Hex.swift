/// Bytes from hexadecimal digits; a `;` begins a comment that ends with its line.
func hex(_ text: String) -> [UInt8] {
    var digits: [UInt8] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
        for character in line.prefix(while: { $0 != ";" }) where !character.isWhitespace {
            guard let digit = character.hexDigitValue else { fatalError("not a hexadecimal digit: \(character)") }
            digits.append(UInt8(digit))
        }
    }
    precondition(digits.count % 2 == 0, "half a byte is left over")
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

/// Packets that the tests put into captures.
enum Packets {
    /// A RST|ACK over Ethernet and IPv4.
    static let ipv4Reset = hex(
        """
        02 00 00 00 00 02   ; destination
        02 00 00 00 00 01   ; source
        08 00               ; EtherType: IPv4
        45                  ; version 4, header of 5 words
        10                  ; TOS
        00 28               ; total length 40
        ab cd               ; identification
        40 00               ; DF, offset 0
        40                  ; TTL 64
        06                  ; protocol: TCP
        00 00               ; checksum
        0a 00 00 01         ; 10.0.0.1
        0a 00 00 02         ; 10.0.0.2
        00 50               ; source port 80
        9c 40               ; destination port 40000
        01 02 03 04         ; sequence number
        0a 0b 0c 0d         ; acknowledgment number
        50 14               ; data offset 5, RST ACK
        11 22               ; window
        00 00               ; checksum
        00 00               ; urgent pointer
        """)

    /// A RST over Ethernet with an 802.1Q tag and IPv6 with a hop-by-hop header, four bytes of options and two of payload.
    static let ipv6Reset = hex(
        """
        02 00 00 00 00 02 02 00 00 00 00 01
        81 00               ; EtherType: 802.1Q
        00 07               ; VLAN 7
        86 dd               ; EtherType: IPv6
        6a b0 00 00         ; version 6, traffic class 0xab, flow label
        00 22               ; payload length 34
        00                  ; next header: hop-by-hop options
        3f                  ; hop limit 63
        fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01
        fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02
        06                  ; next header: TCP
        00                  ; length: 8 bytes
        01 04 00 00 00 00   ; PadN
        00 16 c3 50         ; ports 22 and 50000
        00 00 00 01         ; sequence number
        00 00 00 00         ; acknowledgment number
        60 04               ; data offset 6, RST
        00 00 00 00 00 00   ; window, checksum, urgent pointer
        01 01 01 00         ; options
        68 69               ; payload
        """)

    /// A segment without RST: what the fast path passes over.
    static let ipv4Data: [UInt8] = {
        var packet = ipv4Reset
        packet[47] = 0x18
        return packet
    }()

    static let udp: [UInt8] = {
        var packet = ipv4Reset
        packet[23] = 17
        return packet
    }()
}

extension FixedWidthInteger {
    func bytes(_ big: Bool) -> [UInt8] { withUnsafeBytes(of: big ? bigEndian : littleEndian, Array.init) }
}

/// Builds a pcap file of any variant.
struct PcapBuilder {
    var big = false
    var nanoseconds = false
    var modified = false
    var version: (UInt16, UInt16) = (2, 4)
    var snaplen: UInt32 = 262_144
    var linkType: UInt32 = 1
    var records: [UInt8] = []

    mutating func add(
        _ packet: [UInt8], seconds: UInt32 = 1_600_000_000, fraction: UInt32 = 123_456, captured: UInt32? = nil,
        original: UInt32? = nil
    ) {
        records += seconds.bytes(big) + fraction.bytes(big)
        records += (captured ?? UInt32(packet.count)).bytes(big) + (original ?? UInt32(packet.count)).bytes(big)
        // ifindex 3, protocol IPv4, PACKET_OUTGOING
        if modified { records += UInt32(3).bytes(big) + UInt16(8).bytes(big) + [4, 0] }
        records += packet
    }

    var file: [UInt8] {
        let magic: UInt32 = modified ? 0xa1b2_cd34 : nanoseconds ? 0xa1b2_3c4d : 0xa1b2_c3d4
        return magic.bytes(big) + version.0.bytes(big) + version.1.bytes(big) + UInt32(0).bytes(big)
            + UInt32(0).bytes(big) + snaplen.bytes(big) + linkType.bytes(big) + records
    }
}

/// Builds pcapng blocks of either byte order.
struct BlockBuilder {
    var big = false
    var file: [UInt8] = []

    mutating func block(_ type: UInt32, _ body: [UInt8]) {
        let padded = body + [UInt8](repeating: 0, count: -body.count & 3)
        let length = UInt32(padded.count + 12).bytes(big)
        file += type.bytes(big) + length + padded + length
    }

    func option(_ code: UInt16, _ value: [UInt8]) -> [UInt8] {
        code.bytes(big) + UInt16(value.count).bytes(big) + value + [UInt8](repeating: 0, count: -value.count & 3)
    }

    mutating func section(options: [UInt8] = []) {
        block(
            0x0a0d_0d0a,
            UInt32(0x1a2b_3c4d).bytes(big) + UInt16(1).bytes(big) + UInt16(0).bytes(big) + UInt64.max.bytes(big)
                + options)
    }

    mutating func interface(linkType: UInt16 = 1, snaplen: UInt32 = 0, options: [UInt8] = []) {
        block(1, linkType.bytes(big) + UInt16(0).bytes(big) + snaplen.bytes(big) + options)
    }

    mutating func packet(
        _ packet: [UInt8], interface: UInt32 = 0, ticks: UInt64 = 1_600_000_000_123_456, options: [UInt8] = []
    ) {
        let stamp = UInt32(ticks >> 32).bytes(big) + UInt32(truncatingIfNeeded: ticks).bytes(big)
        block(
            6,
            interface.bytes(big) + stamp + UInt32(packet.count).bytes(big) + UInt32(packet.count).bytes(big) + packet
                + [UInt8](repeating: 0, count: -packet.count & 3) + options)
    }
}

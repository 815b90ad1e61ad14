import Glibc
import NetworkTypes
import Testing

@Suite struct IPAddressTests {
    @Test(arguments: [
        "0.0.0.0", "127.0.0.1", "255.255.255.255", "10.0.0.1", "::", "::1", "fd00::1", "2001:db8::1:0:0:1",
        "2001:db8:0:1:1:1:1:1", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "fe80::1ff:fe23:4567:890a",
        "64:ff9b::c000:201", "1::",
    ])
    func textSurvivesARoundTrip(_ text: String) throws {
        let address = try #require(IPAddress(text))
        #expect(canonical(address) == address.description)
    }

    /// inet_ntop is the reference, except for a single group, which RFC 5952, section 4.2.2 forbids to compress.
    private func canonical(_ address: IPAddress) -> String {
        var buffer = [CChar](repeating: 0, count: 64)
        if address.isIPv4 {
            var raw = in_addr(s_addr: address.ipv4.bigEndian)
            inet_ntop(AF_INET, &raw, &buffer, 64)
        } else {
            var raw = (address.high.bigEndian, address.low.bigEndian)
            inet_ntop(AF_INET6, &raw, &buffer, 64)
        }
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    @Test(arguments: [
        "", ":", ":::", "1:2", "1::2::3", "1:2:3:4:5:6:7:8:9", "12345::", "g::", "1.2.3", "1.2.3.4.5", "256.1.1.1",
        "1..2.3", "::1.2.3", "1:2:3:4:5:6:7:1.2.3.4", "1:", "::ffff:1.2.3.4 ", "1:2:3:4:5:6:7:8::",
    ])
    func otherTextIsRefused(_ text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func mappedAndPlainIPv4AreOneAddress() {
        #expect(IPAddress("::ffff:10.1.2.3") == IPAddress("10.1.2.3"))
        #expect(IPAddress("10.1.2.3")?.ipv4 == 0x0a01_0203)
    }

    @Test func everyRunOfZeroGroupsIsCompressedAsRFC5952Says() {
        for mask in 0..<256 {
            let groups = (0..<8).map { mask >> $0 & 1 == 0 ? UInt64(0) : UInt64(0xa0 + $0) }
            let address = IPAddress(
                high: groups[0] << 48 | groups[1] << 32 | groups[2] << 16 | groups[3],
                low: groups[4] << 48 | groups[5] << 32 | groups[6] << 16 | groups[7])
            #expect(IPAddress(address.description) == address)
        }
    }
}

@Suite struct TCPFlagsTests {
    @Test func lettersAreTcpdumpsOrder() {
        #expect(TCPFlags([.rst, .ack]).description == "RA")
        #expect(TCPFlags([.psh, .ack, .fin]).description == "FPA")
        for bits in UInt16(0)..<512 {
            let flags = TCPFlags(rawValue: bits)
            #expect(TCPFlags(letters: flags.description.utf8) == flags)
        }
        #expect(TCPFlags(letters: "R.".utf8) == [.rst, .ack])
        #expect(TCPFlags(letters: "RX".utf8) == nil)
    }
}

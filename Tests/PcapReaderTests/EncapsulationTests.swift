import Foundation
import NetworkTypes
import PcapReader
import Testing

/// A RST in one encapsulation.
struct Encapsulation: CustomTestStringConvertible, Sendable {
    var name: String
    var linkType: UInt16 = 1
    var tunnel: TCPSegment.Tunnel = .none
    var packet: [UInt8]
    /// Nil if tshark 4.0 with its default preferences sees the RST too; otherwise why it does not.
    var unseenByTshark: String?
    var testDescription: String { name }
}

/// Builds headers around a payload.
private enum Wrap {
    /// 10.1.1.1 port 80 to 10.1.1.2 port 40000, RST: what is found in all of them.
    static let inner = hex(
        """
        45 00 00 28 00 01 40 00 40 06 24 cb 0a 01 01 01 0a 01 01 02
        00 50 9c 40 00 00 00 07 00 00 00 09 50 04 00 00 00 00 00 00
        """)
    static let inner6: [UInt8] =
        hex("60 00 00 00 00 14 06 40 fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01")
        + hex("fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02") + Array(inner[20...])

    static func ethernet(_ type: UInt16, _ payload: [UInt8]) -> [UInt8] {
        hex("02 00 00 00 00 02 02 00 00 00 00 01") + type.bytes(true) + payload
    }
    static func ipv4(_ number: UInt8, _ payload: [UInt8]) -> [UInt8] {
        hex("45 00") + UInt16(20 + payload.count).bytes(true) + hex("00 00 40 00 40") + [number]
            + hex("00 00 c0 a8 00 01 c0 a8 00 02") + payload
    }
    static func ipv6(_ number: UInt8, _ payload: [UInt8]) -> [UInt8] {
        hex("60 00 00 00") + UInt16(payload.count).bytes(true) + [number, 64]
            + hex("fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 11")
            + hex("fd 00 00 00 00 00 00 00 00 00 00 00 00 00 00 12") + payload
    }
    static func udp(_ port: UInt16, _ payload: [UInt8]) -> [UInt8] {
        ethernet(
            0x0800,
            ipv4(
                17,
                UInt16(50_000).bytes(true) + port.bytes(true) + UInt16(8 + payload.count).bytes(true) + [0, 0]
                    + payload))
    }
    static func gre(_ head: String, _ payload: [UInt8]) -> [UInt8] {
        ethernet(0x0800, ipv4(47, hex(head) + payload))
    }
    static let frame = ethernet(0x0800, inner)
    static let snap = hex("aa aa 03 00 00 00 08 00") + inner
    /// A data frame from a station to the distribution system, without and with QoS control.
    static let wlan =
        hex("08 01 00 00 02 00 00 00 00 01 02 00 00 00 00 02 02 00 00 00 00 03 10 00") + snap
    static let wlanQoS =
        hex("88 01 00 00 02 00 00 00 00 01 02 00 00 00 00 02 02 00 00 00 00 03 10 00 00 00") + snap
}

extension Encapsulation {
    static let all: [Encapsulation] = linkLayers + tunnels + datagramTunnels

    private static let linkLayers: [Encapsulation] = [
        .init(name: "Ethernet", packet: Wrap.frame),
        .init(name: "802.1Q", packet: Wrap.ethernet(0x8100, hex("00 05 08 00") + Wrap.inner)),
        .init(name: "QinQ", packet: Wrap.ethernet(0x88a8, hex("00 05 81 00 00 06 08 00") + Wrap.inner)),
        .init(
            name: "802.3 with SNAP",
            packet: Wrap.ethernet(UInt16(Wrap.snap.count), Wrap.snap + [0, 0, 0, 0, 0, 0])),
        .init(
            name: "Ethernet to the address of ISL",
            packet: hex("01 00 0c 00 00 00 02 00 00 00 00 01 08 00") + Wrap.inner),
        .init(
            name: "Cisco ISL",
            packet: hex("01 00 0c 00 00 00 02 00 00 00 00 01") + UInt16(16 + Wrap.frame.count).bytes(true)
                + hex("aa aa 03 00 00 0c 00 0a 00 00 00 00") + Wrap.frame + hex("00 00 00 00")),
        .init(
            name: "FabricPath", packet: Wrap.ethernet(0x8903, hex("00 45") + Wrap.frame)),
        .init(name: "HSR", packet: Wrap.ethernet(0x892f, hex("00 34 00 01 08 00") + Wrap.inner)),
        .init(name: "TRILL", packet: Wrap.ethernet(0x22f3, hex("00 3f 00 01 00 02") + Wrap.frame)),
        .init(
            name: "TRILL with options",
            packet: Wrap.ethernet(0x22f3, hex("00 7f 00 01 00 02 00 00 00 00") + Wrap.frame)),
        .init(name: "IPv6 that says it is IPv4", packet: Wrap.ethernet(0x0800, Wrap.inner6)),
        .init(name: "Cisco HDLC as PPP", linkType: 9, packet: hex("0f 00 08 00") + Wrap.inner),
        .init(
            name: "IP over InfiniBand", linkType: 242,
            packet: [UInt8](repeating: 0x20, count: 40) + hex("08 00 00 00") + Wrap.inner),
        .init(name: "Juniper Ethernet", linkType: 178, packet: hex("4d 47 43 01") + Wrap.frame),
        .init(
            name: "Juniper Ethernet with extensions", linkType: 178,
            packet: hex("4d 47 43 80 00 06 03 01 01 06 01 0e") + Wrap.frame),
        .init(name: "VN-Tag", packet: Wrap.ethernet(0x8926, hex("00 00 00 01 08 00") + Wrap.inner)),
        .init(name: "802.1BR", packet: Wrap.ethernet(0x893f, hex("00 00 00 00 00 00 08 00") + Wrap.inner)),
        .init(name: "802.1ah", packet: Wrap.ethernet(0x88e7, hex("00 00 00 01") + Wrap.frame)),
        .init(name: "Cisco metadata", packet: Wrap.ethernet(0x8909, hex("01 01 00 01 00 05 08 00") + Wrap.inner)),
        .init(
            name: "MACsec without encryption",
            packet: Wrap.ethernet(
                0x88e5, hex("00 00 00 00 00 01 08 00") + Wrap.inner + [UInt8](repeating: 7, count: 16))),
        .init(name: "RAW", linkType: 101, packet: Wrap.inner),
        .init(name: "RAW with IPv6", linkType: 101, packet: Wrap.inner6),
        .init(name: "IPV4", linkType: 228, packet: Wrap.inner),
        .init(name: "IPV6", linkType: 229, packet: Wrap.inner6),
        .init(name: "NULL, little-endian", linkType: 0, packet: hex("02 00 00 00") + Wrap.inner),
        .init(name: "NULL, big-endian", linkType: 0, packet: hex("00 00 00 1e") + Wrap.inner6),
        .init(name: "LOOP", linkType: 108, packet: hex("00 00 00 02") + Wrap.inner),
        .init(
            name: "Linux cooked", linkType: 113,
            packet: hex("00 04 00 01 00 06 02 00 00 00 00 01 00 00 08 00") + Wrap.inner),
        .init(
            name: "Linux cooked 2", linkType: 276,
            packet: hex("08 00 00 00 00 00 00 05 00 01 00 06 02 00 00 00 00 01 00 00") + Wrap.inner),
        .init(name: "PPP", linkType: 9, packet: hex("ff 03 00 21") + Wrap.inner),
        .init(name: "PPP, short protocol", linkType: 9, packet: hex("57") + Wrap.inner6),
        .init(name: "PPP in HDLC", linkType: 50, packet: hex("ff 03 00 21") + Wrap.inner),
        .init(name: "Cisco HDLC", linkType: 104, packet: hex("0f 00 08 00") + Wrap.inner),
        .init(name: "frame relay", linkType: 107, packet: hex("04 01 03 cc") + Wrap.inner),
        .init(name: "FDDI", linkType: 10, packet: hex("50 02 00 00 00 00 02 02 00 00 00 00 01") + Wrap.snap),
        .init(name: "token ring", linkType: 6, packet: hex("10 40 02 00 00 00 00 02 02 00 00 00 00 01") + Wrap.snap),
        .init(
            name: "token ring with a route", linkType: 6,
            packet: hex("10 40 02 00 00 00 00 02 82 00 00 00 00 01 06 30 00 11 00 20") + Wrap.snap),
        .init(name: "ATM", linkType: 100, packet: Wrap.snap),
        .init(name: "SunATM", linkType: 123, packet: hex("02 00 00 20") + Wrap.snap),
        .init(name: "802.11", linkType: 105, packet: Wrap.wlan),
        .init(name: "802.11 with QoS", linkType: 105, packet: Wrap.wlanQoS),
        .init(
            name: "802.11 between access points", linkType: 105,
            packet: hex("08 03 00 00 02 00 00 00 00 01 02 00 00 00 00 02 02 00 00 00 00 03 10 00 02 00 00 00 00 04")
                + Wrap.snap),
        .init(
            name: "802.11 A-MSDU", linkType: 105,
            packet: hex("88 01 00 00 02 00 00 00 00 01 02 00 00 00 00 02 02 00 00 00 00 03 10 00 80 00")
                + hex("02 00 00 00 00 05 02 00 00 00 00 06") + UInt16(8).bytes(true)
                + hex("aa aa 03 00 00 00 88 b5 00 00")
                + hex("02 00 00 00 00 05 02 00 00 00 00 06") + UInt16(Wrap.snap.count).bytes(true) + Wrap.snap),
        .init(name: "radiotap", linkType: 127, packet: hex("00 00 08 00 00 00 00 00") + Wrap.wlan),
        .init(
            name: "radiotap with time, flags, padding and FCS", linkType: 127,
            packet: hex("00 00 19 00 03 00 00 80 00 00 00 00 00 00 00 00") + hex("01 02 03 04 05 06 07 08 30")
                + Array(Wrap.wlanQoS[..<26]) + [0, 0] + Array(Wrap.wlanQoS[26...]) + [1, 2, 3, 4]),
        .init(
            name: "AVS", linkType: 163,
            packet: hex("80 21 10 01 00 00 00 40") + [UInt8](repeating: 0, count: 56) + Wrap.wlan),
        .init(name: "PPI", linkType: 192, packet: hex("00 00 08 00 01 00 00 00") + Wrap.frame),
        .init(
            name: "NFLOG", linkType: 239,
            packet: hex("02 00 00 00 08 00 01 00 08 00 01 00 08 00 04 00 00 00 00 02")
                + UInt16(4 + Wrap.inner.count).bytes(false) + hex("09 00") + Wrap.inner),
        .init(
            name: "NFLOG, big-endian", linkType: 239,
            packet: hex("0a 00 00 00 00 08 00 01 86 dd 03 00") + UInt16(4 + Wrap.inner6.count).bytes(true)
                + hex("00 09") + Wrap.inner6,
            unseenByTshark: "it takes the byte order of its own machine"),
        .init(
            name: "PKTAP", linkType: 258, packet: hex("0c 00 00 00 01 00 00 00 65 00 00 00") + Wrap.inner,
            unseenByTshark: "its header is shorter than Apple's, which is 108 bytes"),
        .init(
            name: "netANALYZER", linkType: 240, packet: hex("01 00 01 00") + Wrap.frame + [0, 0, 0, 0],
            unseenByTshark: "it wants a header of a real device"),
        .init(name: "ARCNET, RFC 1051", linkType: 129, packet: hex("01 02 00 00 f0") + Wrap.inner),
        .init(name: "ARCNET, RFC 1201", linkType: 129, packet: hex("01 02 00 00 d4 00 00 01") + Wrap.inner),
        .init(
            name: "PFLOG", linkType: 117,
            packet: hex("3d 02 00 00") + [UInt8](repeating: 0, count: 56) + hex("01 00 00 00") + Wrap.inner),
    ]

    private static let tunnels: [Encapsulation] = [
        .init(
            name: "PPPoE", tunnel: .pppoe,
            packet: Wrap.ethernet(
                0x8864, hex("11 00 00 01") + UInt16(2 + Wrap.inner.count).bytes(true) + hex("00 21") + Wrap.inner)),
        .init(name: "MPLS", tunnel: .mpls, packet: Wrap.ethernet(0x8847, hex("00 01 00 40 00 02 01 40") + Wrap.inner)),
        .init(
            name: "MPLS pseudowire", tunnel: .mpls,
            packet: Wrap.ethernet(0x8847, hex("00 01 01 40 00 00 00 00") + Wrap.frame),
            unseenByTshark: "its heuristic takes the control word for an address"),
        .init(name: "IP in IP", tunnel: .ipInIP, packet: Wrap.ethernet(0x0800, Wrap.ipv4(4, Wrap.inner))),
        .init(name: "6in4", tunnel: .sixInFour, packet: Wrap.ethernet(0x0800, Wrap.ipv4(41, Wrap.inner6))),
        .init(name: "4in6", tunnel: .ipInIP, packet: Wrap.ethernet(0x86dd, Wrap.ipv6(4, Wrap.inner))),
        .init(name: "6in6", tunnel: .ipInIP, packet: Wrap.ethernet(0x86dd, Wrap.ipv6(41, Wrap.inner6))),
        .init(name: "GRE", tunnel: .gre, packet: Wrap.gre("00 00 08 00", Wrap.inner)),
        .init(
            name: "GRE with checksum, key and sequence number", tunnel: .gre,
            packet: Wrap.gre("b0 00 86 dd 00 00 00 00 00 00 00 01 00 00 00 02", Wrap.inner6)),
        .init(name: "GRE with Ethernet", tunnel: .gre, packet: Wrap.gre("00 00 65 58", Wrap.frame)),
        .init(
            name: "PPTP", tunnel: .gre,
            packet: Wrap.gre("30 81 88 0b 00 2c 00 01 00 00 00 01 00 00 00 02", hex("ff 03 00 21") + Wrap.inner)),
        .init(name: "WCCP", tunnel: .gre, packet: Wrap.gre("00 00 88 3e 00 00 00 00", Wrap.inner)),
        .init(name: "Aruba", tunnel: .gre, packet: Wrap.gre("00 00 82 00", Wrap.wlan)),
        .init(name: "ERSPAN I", tunnel: .erspan, packet: Wrap.gre("00 00 88 be", Wrap.frame)),
        .init(
            name: "ERSPAN II", tunnel: .erspan,
            packet: Wrap.gre("10 00 88 be 00 00 00 01 10 01 00 00 00 00 00 00", Wrap.frame)),
        .init(
            name: "ERSPAN III", tunnel: .erspan,
            packet: Wrap.gre("10 00 22 eb 00 00 00 01 20 01 00 00 00 00 00 00 00 00 00 00", Wrap.frame)),
        .init(
            name: "Ethernet in IP", tunnel: .other,
            packet: Wrap.ethernet(0x0800, Wrap.ipv4(97, hex("30 00") + Wrap.frame))),
        .init(
            name: "NSH", tunnel: .other,
            packet: Wrap.ethernet(0x894f, hex("00 02 02 03 00 00 01 ff") + Wrap.frame)),
        .init(
            name: "IPv6 extension headers",
            packet: Wrap.ethernet(
                0x86dd,
                Wrap.ipv6(
                    0,
                    hex("2b 00 01 04 00 00 00 00") + hex("3c 00 00 00 00 00 00 00") + hex("2c 00 01 04 00 00 00 00")
                        + hex("06 00 00 00 00 00 00 01") + Array(Wrap.inner[20...])))),
        .init(
            name: "authentication header",
            packet: Wrap.ethernet(
                0x0800,
                Wrap.ipv4(
                    51,
                    hex("06 04 00 00 00 00 00 01 00 00 00 01") + [UInt8](repeating: 9, count: 12)
                        + Array(Wrap.inner[20...])))),
        .init(
            name: "L2TPv3 over IP", tunnel: .l2tp,
            packet: Wrap.ethernet(0x0800, Wrap.ipv4(115, hex("00 00 00 05 00 00 00 00") + Wrap.frame)),
            unseenByTshark: "what follows the session number only the control connection tells"),
    ]

    private static let datagramTunnels: [Encapsulation] = [
        .init(name: "VXLAN", tunnel: .vxlan, packet: Wrap.udp(4789, hex("08 00 00 00 00 00 01 00") + Wrap.frame)),
        .init(
            name: "VXLAN on 8472", tunnel: .vxlan, packet: Wrap.udp(8472, hex("08 00 00 00 00 00 01 00") + Wrap.frame),
            unseenByTshark: "only the assigned port is known to it"),
        .init(
            name: "VXLAN without the I flag", tunnel: .vxlan,
            packet: Wrap.udp(4789, hex("00 00 00 00 00 00 01 00") + Wrap.frame)),
        .init(
            name: "EoIP", tunnel: .gre,
            packet: Wrap.gre("20 01 64 00 00 36 07 00", Wrap.frame)),
        .init(name: "GRE in UDP", tunnel: .gre, packet: Wrap.udp(4754, hex("00 00 08 00") + Wrap.inner)),
        .init(
            name: "AYIYA", tunnel: .other,
            packet: Wrap.udp(
                5072, hex("41 52 11 29 00 00 00 00") + [UInt8](repeating: 7, count: 36) + Wrap.inner6)),
        .init(
            name: "CAPWAP with Ethernet", tunnel: .other,
            packet: Wrap.udp(5247, hex("00 10 02 00 00 00 00 00") + Wrap.frame)),
        .init(
            name: "CAPWAP with 802.11", tunnel: .other,
            packet: Wrap.udp(5247, hex("00 10 03 00 00 00 00 00") + Wrap.wlan),
            unseenByTshark: "it takes every controller for one of Cisco's"),
        .init(
            name: "CAPWAP with 802.11 as Cisco has it", tunnel: .other,
            packet: Wrap.udp(
                5247, hex("00 20 03 20 00 00 00 00 04 bf 23 00 00 00 00 00 01 08") + Wrap.wlan.dropFirst(2))),
        .init(
            name: "802.11 with the number of a fragment", linkType: 105,
            packet: Wrap.wlan.prefix(22) + [0x16] + Wrap.wlan.dropFirst(23)),
        .init(name: "VXLAN-GPE", tunnel: .vxlan, packet: Wrap.udp(4790, hex("0c 00 00 01 00 00 01 00") + Wrap.inner)),
        .init(name: "GENEVE", tunnel: .geneve, packet: Wrap.udp(6081, hex("00 00 65 58 00 00 01 00") + Wrap.frame)),
        .init(
            name: "GENEVE with options", tunnel: .geneve,
            packet: Wrap.udp(6081, hex("02 00 08 00 00 00 01 00 01 02 03 01 00 00 00 00") + Wrap.inner)),
        .init(
            name: "GTP-U", tunnel: .gtpU,
            packet: Wrap.udp(
                2152, hex("30 ff") + UInt16(Wrap.inner.count).bytes(true) + hex("00 00 00 01") + Wrap.inner)),
        .init(
            name: "GTP-U with an extension header", tunnel: .gtpU,
            packet: Wrap.udp(
                2152,
                hex("34 ff") + UInt16(8 + Wrap.inner.count).bytes(true) + hex("00 00 00 01 00 00 00 85 01 00 01 00")
                    + Wrap.inner)),
        .init(
            name: "L2TP", tunnel: .l2tp,
            packet: Wrap.udp(1701, hex("00 02 00 01 00 02 ff 03 00 21") + Wrap.inner)),
        .init(
            name: "L2TP with length, sequence numbers and offset", tunnel: .l2tp,
            packet: Wrap.udp(
                1701,
                hex("4a 02") + UInt16(18 + Wrap.inner.count).bytes(true)
                    + hex("00 01 00 02 00 01 00 00 00 02 00 00 00 21") + Wrap.inner)),
        .init(name: "Teredo", tunnel: .teredo, packet: Wrap.udp(3544, Wrap.inner6)),
        .init(
            name: "Teredo with authentication and origin", tunnel: .teredo,
            packet: Wrap.udp(
                3544,
                hex("00 01 00 00 00 00 00 00 00 00 00 00 00") + hex("00 00 63 bf f5 fe fe f5") + Wrap.inner6)),
        .init(name: "LISP", tunnel: .other, packet: Wrap.udp(4341, hex("80 00 00 01 00 00 00 01") + Wrap.inner)),
        .init(name: "MPLS in UDP", tunnel: .mpls, packet: Wrap.udp(6635, hex("00 01 01 40") + Wrap.inner)),
        .init(name: "TZSP", tunnel: .other, packet: Wrap.udp(37008, hex("01 00 00 01 0a 01 c8 00 01") + Wrap.frame)),
    ]
}

@Suite struct EncapsulationTests {
    static func file(_ encapsulations: [Encapsulation]) -> [UInt8] {
        var writer = PcapngWriter()
        writer.appendSection()
        for (index, encapsulation) in encapsulations.enumerated() {
            writer.appendInterface(linkType: encapsulation.linkType)
            writer.appendPacket(
                encapsulation.packet, interface: index, time: 0, originalLength: UInt32(encapsulation.packet.count))
        }
        return writer.buffer
    }

    @Test(arguments: Encapsulation.all)
    func findsTheReset(_ encapsulation: Encapsulation) throws {
        let (segments, summary) = try scanAll(Self.file([encapsulation]))
        #expect(summary.undecoded.map(\.reason) == [])
        let segment = try #require(segments.first?.segment)
        #expect(segment.flags == .rst)
        #expect(segment.tunnel == encapsulation.tunnel)
        #expect(segment.tuple.sourcePort == 80)
        #expect(segment.tuple.destinationPort == 40000)
        #expect(segment.seq == 7)
        #expect(segment.payloadLength == 0)
        #expect(segments.count == 1)
    }

    /// Cut anywhere, the packet is either found, or it carries no TCP segment as far as one can see, or it is counted.
    @Test(arguments: Encapsulation.all)
    func survivesTruncationAtEveryByte(_ encapsulation: Encapsulation) throws {
        for length in 0..<encapsulation.packet.count {
            var cut = encapsulation
            cut.packet.removeLast(encapsulation.packet.count - length)
            var writer = PcapngWriter()
            writer.appendSection()
            writer.appendInterface(linkType: cut.linkType)
            writer.appendPacket(
                cut.packet, interface: 0, time: 0, originalLength: UInt32(encapsulation.packet.count))
            let (segments, summary) = try scanAll(writer.buffer)
            #expect(summary.packets == 1)
            #expect(segments.count + summary.undecoded.map(\.count).reduce(0, +) <= 1)
            if let segment = segments.first?.segment {
                #expect(segment.seq == 7)
                #expect(segment.payloadLength == 0 || encapsulation.name.contains("FCS"))
            }
        }
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/tshark")))
    func agreesWithTshark() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "encapsulations-\(UUID().uuidString).pcapng")
        try Data(Self.file(Encapsulation.all)).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let tshark = Process()
        tshark.executableURL = URL(filePath: "/usr/bin/tshark")
        tshark.arguments = ["-r", file.path, "-Y", "tcp.flags.reset==1", "-T", "fields", "-e", "frame.number"]
        let output = Pipe()
        tshark.standardOutput = output
        tshark.standardError = FileHandle.nullDevice
        try tshark.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        tshark.waitUntilExit()
        let seen = Set(text.split(separator: "\n").compactMap { Int($0) })
        let unseen = Encapsulation.all.enumerated().filter { !seen.contains($0.offset + 1) }.map(\.element.name)
        #expect(unseen == Encapsulation.all.filter { $0.unseenByTshark != nil }.map(\.name))
    }
}

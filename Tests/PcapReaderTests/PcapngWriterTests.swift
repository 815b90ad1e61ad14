import Foundation
import NetworkTypes
import PcapReader
import Testing

@Suite struct PcapngWriterTests {
    static func write() -> [UInt8] {
        var writer = PcapngWriter(reserving: 4096)
        writer.appendSection(hardware: "box", operatingSystem: "Linux 6.18", application: "test", comments: ["first"])
        let lo = writer.appendInterface(name: "lo", linkType: LinkType.ethernet, snaplen: 256, filter: "tcp")
        let any = writer.appendInterface(name: "any", description: "every one", linkType: LinkType.linuxSLL2)
        for (interface, packet) in [(lo, Packets.ipv4Reset), (any, Packets.udp), (lo, Packets.ipv6Reset)] {
            writer.appendPacket(
                packet, interface: interface, time: 1_600_000_000_123_456_789,
                originalLength: UInt32(packet.count) + 4, direction: interface == lo ? .inbound : .unknown,
                comments: interface == lo ? ["a reset", "and more"] : [])
        }
        var statistics = InterfaceStatistics()
        statistics.started = 1_600_000_000_000_000_000
        statistics.ended = 1_600_000_001_000_000_000
        statistics.received = 30
        statistics.interfaceDropped = 2
        statistics.systemDropped = 3
        statistics.delivered = 25
        writer.appendStatistics(interface: lo, time: 1_600_000_001_000_000_000, statistics)
        return writer.buffer
    }

    @Test func isReadBackAsItWasWritten() throws {
        let (segments, summary) = try scanAll(Self.write())
        #expect(summary.damage == [])
        #expect(summary.packets == 3)
        #expect(summary.hardware == "box")
        #expect(summary.operatingSystem == "Linux 6.18")
        #expect(summary.application == "test")
        #expect(summary.interfaces.map(\.name) == ["lo", "any"])
        #expect(summary.interfaces.map(\.description) == [nil, "every one"])
        #expect(summary.interfaces.map(\.filter) == ["tcp", nil])
        #expect(summary.interfaces.map(\.resolution) == [.nanoseconds, .nanoseconds])
        #expect(summary.interfaces[0].statistics?.received == 30)
        #expect(summary.interfaces[0].statistics?.started == 1_600_000_000_000_000_000)
        #expect(summary.dropped == 5)
        #expect(segments.map(\.time) == [1_600_000_000_123_456_789, 1_600_000_000_123_456_789])
        #expect(segments.map(\.direction) == [.inbound, .inbound])
        #expect(segments.map(\.originalLength) == [58, UInt32(Packets.ipv6Reset.count) + 4])
        #expect(summary.comments.map(\.text) == ["first", "a reset", "and more", "a reset", "and more"])
    }

    @Test func keepsItsRoom() {
        var writer = PcapngWriter()
        writer.appendSection()
        writer.appendInterface(linkType: 1)
        writer.appendPacket(Packets.ipv4Reset, interface: 0, time: 1, originalLength: 54)
        let capacity = writer.buffer.capacity
        writer.clear()
        #expect(writer.buffer.isEmpty)
        #expect(writer.buffer.capacity == capacity)
        #expect(writer.interfaceCount == 1)
    }

    @Test func cutsTextThatNoOptionCanHold() throws {
        var writer = PcapngWriter()
        writer.appendSection(comments: [String(repeating: "ü", count: 40_000)])
        let comment = try #require(try scanAll(writer.buffer).summary.comments.first)
        #expect(comment.text == String(repeating: "ü", count: 32_766))
    }

    /// Where tshark is installed, it reads the same.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/tshark")))
    func isReadByTshark() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "writer-\(UUID().uuidString).pcapng")
        try Data(Self.write()).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let tshark = Process()
        tshark.executableURL = URL(filePath: "/usr/bin/tshark")
        tshark.arguments = [
            "-r", file.path, "-T", "fields", "-E", "separator=,", "-E", "aggregator=|", "-e", "frame.number", "-e",
            "frame.interface_name", "-e", "frame.time_epoch", "-e", "frame.len", "-e", "frame.cap_len", "-e",
            "tcp.flags.reset", "-e", "frame.packet_flags_direction", "-e", "frame.comment",
        ]
        let output = Pipe()
        tshark.standardOutput = output
        tshark.standardError = FileHandle.nullDevice
        try tshark.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        tshark.waitUntilExit()
        #expect(tshark.terminationStatus == 0)
        #expect(
            text == """
                1,lo,1600000000.123456789,58,54,1,0x00000001,a reset|and more
                2,any,1600000000.123456789,58,54,,,
                3,lo,1600000000.123456789,96,92,1,0x00000001,a reset|and more

                """)
    }
}

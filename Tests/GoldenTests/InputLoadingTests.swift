import Correlator
import Foundation
import InputFiles
import PcapReader
import Testing

/// What is read from a capture besides its segments.
@Suite struct InputLoadingTests {
    private func little(_ numbers: UInt32...) -> [UInt8] {
        numbers.flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) } }
    }

    /// Not every tool writes statistics at the end: drops may be given only with the packets (epb_dropcount).
    @Test func dropsBetweenPacketsAreALoss() throws {
        let section = little(0x0a0d_0d0a, 28, 0x1a2b_3c4d, 1, .max, .max, 28)
        let interface = little(1, 20, 101, 0, 20)
        let packet = little(6, 52, 0, 0, 0, 4, 4, 0, 4 | 8 << 16, 42, 0, 0, 52)
        let file = FileManager.default.temporaryDirectory.appending(path: "rst-\(UUID().uuidString)")
        try Data(section + interface + packet + packet).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let loaded = InputLoader().load([file.path])
        #expect(loaded.captures.first?.summary.damage == [])
        #expect(loaded.captures.first?.summary.droppedBetweenPackets == 84)
        #expect(correlate(captures: loaded.captures, recordings: []).losses.captureDropped == 84)
    }

    /// A capture of a whole provider has more names than anybody would look at.
    @Test func namesThatAreNotKeptAreCounted() throws {
        var file = little(0x0a0d_0d0a, 28, 0x1a2b_3c4d, 1, .max, .max, 28)
        for block in 0..<11 as Range<UInt32> {
            // 1000 records of an IPv4 address and its name, "a".
            let records = (0..<1000 as Range<UInt32>).flatMap { little(1 | 6 << 16, block << 16 | $0, 0x61) }
            let length = UInt32(16 + records.count)
            file += little(4, length) + records + little(0, length)
        }
        let path = FileManager.default.temporaryDirectory.appending(path: "rst-\(UUID().uuidString)")
        try Data(file).write(to: path)
        defer { try? FileManager.default.removeItem(at: path) }
        let loaded = InputLoader().load([path.path])
        #expect(loaded.captures.first?.summary.damage == [])
        #expect(loaded.captures.first?.summary.names.count == 10_000)
        let report = correlate(captures: loaded.captures, recordings: [])
        #expect(report.inputs.first?.notes == ["1000 of its 11000 names of addresses are not kept"])
    }

    /// A device states in each RST why it sent it, and there are many of them.
    @Test(arguments: ["cat", "gzip"])
    func whatEachRSTCarriesIsRead(program: String) throws {
        let words = "BIG-IP: [0x1a2b3c4:1234] Flow expired (sweeper)"
        let count = 12_000
        let folder = FileManager.default.temporaryDirectory.appending(path: "rst-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Self.capture(words, count: count).write(to: folder.appending(path: "plain"))
        let shell = Process()
        shell.executableURL = URL(filePath: "/bin/sh")
        shell.arguments = ["-c", "\(program) < plain > capture"]
        shell.currentDirectoryURL = folder
        try shell.run()
        shell.waitUntilExit()

        let loaded = InputLoader().load([folder.appending(path: "capture").path])
        let capture = try #require(loaded.captures.first)
        #expect(capture.remarks.payloads.count == count)
        #expect(capture.remarks.payloads.values.allSatisfy { $0 == Array(words.utf8) })
    }

    /// Of as many RSTs, with LINKTYPE_RAW.
    private static func capture(_ words: String, count: Int) -> Data {
        let size = UInt8(40 + words.utf8.count)
        let file: [UInt8] = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0]
        // IPv4 from 10.0.0.1 to 10.1.x.x, then TCP from port 80: RST and ACK.
        let record: [UInt8] = [0, 0, 0, 0x60, 0, 0, 0, 0, size, 0, 0, 0, size, 0, 0, 0]
        let network: [UInt8] = [0x45, 0, 0, size, 0, 0, 0x40, 0, 255, 6, 0, 0, 10, 0, 0, 1, 10, 1, 0, 0]
        let transport: [UInt8] = [0, 80, 0x30, 0x39, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x14, 0, 0, 0, 0, 0, 0]
        var packet = record + network + transport + Array(words.utf8)
        var bytes = file
        for number in 0..<count {
            packet[0] = UInt8(number / 100)
            packet[34] = UInt8(number >> 8)
            packet[35] = UInt8(number & 255)
            bytes += packet
        }
        return Data(bytes)
    }
}

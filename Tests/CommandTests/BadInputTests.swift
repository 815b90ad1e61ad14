import Foundation
import Testing

/// Whatever the input of `report`, it says what is wrong and exits with the documented status.
@Suite struct BadInputTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let content: String
        let status: Int32
        /// What the message must contain.
        let says: String
    }

    private static let header =
        #"{"type":"recording","schema":"rst-events/1","tool":"t","host":"h","kernel":"k","clock":{"realtime_ns":2,"monotonic_ns":1}}"#

    static let cases = [
        Case(testDescription: "empty", content: "", status: 1, says: "empty"),
        Case(
            testDescription: "text", content: "hello, world\nthis is no capture\n", status: 1, says: "neither a capture"
        ),
        Case(
            testDescription: "another kind of capture", content: "GMBU\0\u{2}\u{1}\0 and more", status: 1,
            says: "it is a capture of Microsoft Network Monitor 2; convert it first: editcap -F pcapng FILE NEW"),
        Case(
            testDescription: "a compressed file that is cut short", content: "BZh91AY&SY", status: 1,
            says: "the bzip2 stream is damaged near byte 10: it ends in the middle"),
        Case(
            testDescription: "a newer schema", content: header.replacing("rst-events/1", with: "rst-events/2") + "\n",
            status: 1, says: "rst-events/2"),
        Case(testDescription: "no footer", content: header + "\n", status: 2, says: "no end"),
        Case(
            testDescription: "broken lines",
            content: header
                + "\n{\"type\":\"emit\",\n{\"type\":\"end\",\"mono_ns\":1,\"events\":0,\"lost\":0,\"captured\":0,\"kernel_dropped\":0}\n",
            status: 2, says: "line 2"),
        Case(
            testDescription: "lost events",
            content: header
                + "\n{\"type\":\"lost\",\"mono_ns\":1,\"where\":\"ring\",\"count\":7}\n{\"type\":\"end\",\"mono_ns\":1,\"events\":0,\"lost\":7,\"captured\":0,\"kernel_dropped\":0}\n",
            status: 2, says: "7 kernel events lost"),
        Case(
            testDescription: "a recorder that failed",
            content: header
                + "\n{\"type\":\"end\",\"mono_ns\":1,\"events\":0,\"lost\":0,\"captured\":0,\"kernel_dropped\":0,\"detail\":\"disk full\"}\n",
            status: 2, says: "the recorder failed, so events or packets are missing: disk full"),
        Case(
            testDescription: "a hook that was not attached",
            content: header.replacing(
                #","clock""#,
                with: #","hooks":[{"name":"tcp_send_reset","status":"failed","detail":"no such tracepoint"}],"clock""#)
                + "\n{\"type\":\"end\",\"mono_ns\":1,\"events\":0,\"lost\":0,\"captured\":0,\"kernel_dropped\":0}\n",
            status: 0, says: "hook tcp_send_reset was not attached: no such tracepoint"),
    ]

    /// Of a capture that has just been begun (tcpdump -w), nothing is on the disk yet: the rest is reported, and it is named.
    @Test func anEmptyFileOfADirectoryIsNamed() throws {
        try Program.withFolder { folder in
            try Data().write(to: folder.appending(path: "next.pcap"))
            let alone = try Program.run("report", folder.path)
            #expect(alone.status == 1 && alone.errors.contains("next.pcap is empty"), "\(alone.errors)")
            let fixture = Program.root.appending(path: "fixtures/closed-port-v4")
            for name in ["capture.pcapng", "events.jsonl"] {
                try FileManager.default.copyItem(
                    at: fixture.appending(path: name), to: folder.appending(path: name))
            }
            let result = try Program.run("report", folder.path)
            #expect(result.status == 2)
            #expect(result.errors.contains("empty, so that nothing was read from it: \(folder.path)/next.pcap"))
            #expect(result.output == (try Program.run("report", fixture.path).output))
            #expect(try Program.run("report", "\(folder.path)/next.pcap").status == 1)
        }
    }

    /// Arguments may be names that somebody else chose.
    @Test(arguments: [
        ["report", "--format", "\u{1b}]0;x\u{7}"], ["report", "--\u{1b}[2J"], ["rep\u{9b}31m"],
        ["report", "--top", "\u{202e}1"],
    ])
    func usageErrorsShowNoControlCharacters(_ arguments: [String]) throws {
        let result = try Program.run(more: arguments)
        #expect(result.status == 64)
        #expect(
            !result.errors.unicodeScalars.contains { scalar in
                scalar != "\n"
                    && (scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format)
            }, "\(result.errors.debugDescription)")
        #expect(result.errors.contains("Usage: rst-analyze"))
    }

    /// ERF has no magic number: its records are recognised by their lengths and times.
    @Test func erfIsNamed() throws {
        func record(seconds: UInt32, type: UInt8) -> [UInt8] {
            let payload = [UInt8](repeating: 0xab, count: 60)
            let time = [0, 0, 0, 0] + withUnsafeBytes(of: seconds.littleEndian, Array.init)
            return time + [type, 4, 0, UInt8(16 + payload.count), 0, 0, 0, 60] + payload
        }
        func message(_ content: [UInt8]) throws -> String {
            try Program.withFolder { folder in
                let file = folder.appending(path: "file")
                try Data(content).write(to: file)
                return try Program.run("report", file.path).errors
            }
        }
        let ethernet = record(seconds: 1_700_000_000, type: 2) + record(seconds: 1_700_000_001, type: 2)
        #expect(
            try message(ethernet).contains(
                "it is an ERF capture (Endace); convert it first: editcap -F pcapng -T ether FILE NEW"))
        let hdlc = record(seconds: 1_700_000_000, type: 1) + record(seconds: 1_700_000_001, type: 1)
        #expect(try message(hdlc).contains("editcap -F pcapng FILE NEW"))
        // With times that jump, or an unknown type, it is something else.
        let jump = record(seconds: 1_700_000_000, type: 2) + record(seconds: 1_900_000_000, type: 2)
        #expect(try !message(jump).contains("ERF"))
        #expect(try !message(record(seconds: 1_700_000_000, type: 99)).contains("ERF"))
    }

    /// The last line of a recording states the number of its events.
    @Test func eventsThatAreNotThereAreALoss() throws {
        let (_, events) = try Program.fixture("abort-on-close-v4")
        let lines = String(decoding: events, as: UTF8.self).split(separator: "\n")
        try Program.withFolder { folder in
            let file = folder.appending(path: "events.jsonl")
            func report(_ lines: [Substring]) throws -> Program.Result {
                try Data(lines.joined(separator: "\n").utf8).write(to: file)
                return try Program.run("report", "-v", "events.jsonl", in: folder)
            }
            let whole = try report(lines)
            #expect(whole.status == 0)
            let withoutEmit = try report(lines.filter { !$0.hasPrefix(#"{"type":"emit""#) })
            #expect(withoutEmit.status == 2)
            #expect(withoutEmit.output.contains("1 kernel event lost"))
            // Then it is not known whether it left.
            #expect(!withoutEmit.output.contains("no device was given the segment"))
            let withoutBeginning = try report(Array(lines.dropFirst()))
            #expect(withoutBeginning.status == 2)
            #expect(withoutBeginning.output.contains("the recording has no beginning"))
        }
    }

    /// docs/events.md: a sequence number may be missing.
    @Test func anEventWithoutSequenceNumberIsAReset() throws {
        let (_, events) = try Program.fixture("closed-port-v4")
        let text = String(decoding: events, as: UTF8.self)
        try Program.withFolder { folder in
            let bare = text.replacing(/"seq":[0-9]+,/, with: "")
            try Data(bare.utf8).write(to: folder.appending(path: "events.jsonl"))
            let result = try Program.run("report", "events.jsonl", in: folder)
            #expect(result.output.contains("\n1 kernel-only\n"))
        }
    }

    @Test(arguments: cases)
    func messageAndStatusFit(_ test: Case) throws {
        try Program.withFolder { folder in
            let file = folder.appending(path: "input")
            try Data(test.content.utf8).write(to: file)
            let result = try Program.run("report", file.path)
            #expect(result.status == test.status)
            let words = (result.output + result.errors).split(whereSeparator: \.isWhitespace).joined(separator: " ")
            #expect(words.contains(test.says), "\(words)")
        }
    }

    @Test func aMissingFileIsNamed() throws {
        let result = try Program.run("report", "/nonexistent/capture.pcap")
        #expect(result.status == 1)
        #expect(result.errors.contains("/nonexistent/capture.pcap: cannot open: No such file or directory"))
    }

    @Test func aDirectoryWithoutRecordingsIsNamed() throws {
        try Program.withFolder { folder in
            let result = try Program.run("report", folder.path)
            #expect(result.status == 1)
            #expect(result.errors.contains("no capture and no events.jsonl"))
            try Data("something else".utf8).write(to: folder.appending(path: "other.pcap"))
            let other = try Program.run("report", folder.path)
            #expect(other.status == 1)
            #expect(other.errors.contains("/other.pcap: neither a capture"))
            #expect(!other.errors.contains("no capture and no events.jsonl"))
        }
    }

    /// No file in a directory that is named like a capture is ignored silently.
    @Test(arguments: ["other.pcap", "other.pcapng.gz", "other.cap.zst", "other.jsonl"])
    func whatCannotBeReadInADirectoryIsNamed(_ name: String) throws {
        let (capture, _) = try Program.fixture("closed-port-v4")
        try Program.withFolder { folder in
            try capture.write(to: folder.appending(path: "capture.pcapng"))
            try Data("something else".utf8).write(to: folder.appending(path: "notes.txt"))
            #expect(try Program.run("report", folder.path).status == 0)
            try Data("something else".utf8).write(to: folder.appending(path: name))
            let result = try Program.run("report", folder.path)
            #expect(result.status == 1)
            #expect(result.errors.contains("/\(name): neither a capture"))
        }
    }

    /// Other files beside a recording are no error, but one of them may have been meant.
    @Test func whatADirectoryHoldsBesidesIsNamed() throws {
        let (capture, _) = try Program.fixture("closed-port-v4")
        try Program.withFolder { folder in
            try capture.write(to: folder.appending(path: "capture.pcapng"))
            #expect(try Program.run("report", folder.path).errors == "")
            try Data("something else".utf8).write(to: folder.appending(path: "notes.txt"))
            let inside = folder.appending(path: "earlier.pcap")
            try FileManager.default.createDirectory(at: inside, withIntermediateDirectories: false)
            let result = try Program.run("report", folder.path)
            #expect(result.status == 0)
            #expect(
                result.errors.contains(
                    "ignored (not a capture or event file): \(inside.path), \(folder.path)/notes.txt\n"))
        }
    }

    /// Opening a named pipe in a directory would block until something is written to it.
    @Test func aPipeInADirectoryIsIgnored() throws {
        let (capture, _) = try Program.fixture("closed-port-v4")
        try Program.withFolder { folder in
            try capture.write(to: folder.appending(path: "capture.pcapng"))
            let pipe = folder.appending(path: "pipe.pcap").path
            #expect(mkfifo(pipe, 0o600) == 0)
            let result = try Program.run("report", folder.path)
            #expect(result.status == 0)
            #expect(result.errors.contains("ignored (not a capture or event file): \(pipe)\n"))
        }
    }

    /// A log of megabytes is refused without being read to its end.
    @Test func aLongFileThatIsNoRecordingIsGivenUpEarly() throws {
        try Program.withFolder { folder in
            let file = folder.appending(path: "app.log")
            let line = Data("{\"level\":\"info\",\"message\":\"nothing of ours\"}\n".utf8)
            let part = Data(repeatElement(line, count: 20_000).joined())
            try Data().write(to: file)
            let handle = try FileHandle(forWritingTo: file)
            for _ in 0..<24 { try handle.write(contentsOf: part) }
            try handle.close()
            let result = try Program.run("report", file.path)
            #expect(result.status == 1)
            #expect(result.errors.contains("it is JSON, but not a recording"))
        }
    }

    /// A packet that cannot be decoded may have been a RST; one that no host would accept was none.
    @Test(arguments: [
        (UInt8(147), "link type not supported (147, USER0)", Int32(2)), (1, "cut short in the IP header", 2),
    ])
    func packetsThatCannotBeLookedIntoAreALoss(linkType: UInt8, reason: String, status: Int32) throws {
        try Program.withFolder { folder in
            let file = folder.appending(path: "capture.pcap")
            let header: [UInt8] = [
                0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, linkType, 0, 0, 0,
            ]
            let record: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 60, 0, 0, 0]
            let packet: [UInt8] = [UInt8](repeating: 2, count: 12) + [8, 0, 0x45, 0]
            try Data(header + record + packet).write(to: file)
            let result = try Program.run("report", file.path)
            #expect(result.status == status)
            let words = result.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            #expect(words.contains("1 packet not analysed: \(reason)"), "\(words)")
        }
    }

    @Test func aNameOfAFileDoesNotSteerTheTerminal() throws {
        try Program.withFolder { folder in
            try Data().write(to: folder.appending(path: "red\u{1b}[31m.pcap"))
            let result = try Program.run("report", folder.path)
            #expect(result.status == 1)
            #expect(result.errors.contains("red\\u{1b}[31m.pcap"))
            #expect(!result.errors.contains("\u{1b}"))
        }
    }

    @Test func usageErrorsHaveTheirOwnStatus() throws {
        #expect(try Program.run("report").status == 64)
        #expect(try Program.run("report", "x", "--cause", "no-such-cause").status == 64)
        #expect(try Program.run("record", "--full", "--filter", "tcp").status == 64)
        #expect(try Program.run("record", "--duration", "soon").status == 64)
        #expect(try Program.run("nonsense").status == 64)
    }

    @Test func aCaptureCutAnywhereIsReportedOrRefused() throws {
        let (capture, events) = try Program.fixture("closed-port-v4")
        try Program.withFolder { folder in
            try events.write(to: folder.appending(path: "events.jsonl"))
            for count in stride(from: 0, through: capture.count, by: 37) {
                try capture.prefix(count).write(to: folder.appending(path: "capture.pcapng"))
                let result = try Program.run("report", folder.path, "--format", "json")
                #expect([0, 1, 2].contains(result.status), "\(count) bytes: status \(result.status)")
                if result.status != 1 { #expect(result.output.hasSuffix("]}\n")) }
            }
        }
    }

    @Test func aRecordingCutAnywhereIsReportedOrRefused() throws {
        let (_, events) = try Program.fixture("closed-port-v4")
        try Program.withFolder { folder in
            let file = folder.appending(path: "events.jsonl")
            for count in stride(from: 0, to: events.count - 1, by: 97) {
                try events.prefix(count).write(to: file)
                let result = try Program.run("report", file.path)
                #expect([1, 2].contains(result.status), "\(count) bytes: status \(result.status)")
            }
        }
    }
}

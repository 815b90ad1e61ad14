import Foundation
import HostFiles
import Testing

/// Names of files are bytes, not all of them UTF-8.
@Suite struct FileNameTests {
    @Test(
        arguments: [
            "plain", "caf\u{e9}", "\u{1f980}", "\u{10fffd}", "\u{10ff80}x", "",
        ].map { Array($0.utf8) } + [
            [0x63, 0xe9], [0xff, 0xfe, 0x2f], [0xc3], [0xf0, 0x9f, 0x41], [0xed, 0xa0, 0x80], [0xe9, 0xe9, 0x61],
            (1...255).map { UInt8($0) },
        ])
    func everyNameComesBack(_ bytes: [UInt8]) {
        #expect(String(pathBytes: bytes).pathBytes.map { UInt8(bitPattern: $0) } == bytes + [0])
    }

    @Test func namesThatDifferStayDifferent() {
        let names: [[UInt8]] = [[0xe9], [0xf4, 0x8f, 0xbf, 0xa9], [0xc3, 0xa9], [0xef, 0xbf, 0xbd]]
        #expect(Set(names.map { String(pathBytes: $0) }).count == names.count)
    }

    /// Named as an argument, and met in a directory.
    @Test(arguments: ["\"$name\"", "."])
    func aCaptureWhoseNameIsNotUTF8Opens(_ argument: String) throws {
        let result = try Program.withFolder { folder in
            try Program.fixture("closed-port-v4").capture.write(to: folder.appending(path: "capture"))
            return try Program.run(
                "-c", "name=$(printf 'caf\\351.pcapng'); mv capture \"$name\" && exec \"$0\" report \(argument)",
                Program.path,
                executable: "/bin/sh", in: folder)
        }
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output.contains("connection-refused"))
    }
}

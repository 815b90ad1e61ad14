/// A file that another program can turn into one that is read here.
struct OtherFormat {
    /// What it is, and what to do with it.
    let advice: String

    /// Nil for a file that is not known either.
    ///
    /// - Parameter prefix: its first bytes: the more, the more is known. Less than `usefulPrefix` is all of it.
    init?(prefix: [UInt8]) {
        // As wiretap and file(1) have them.
        let captures: [(magic: String, name: String)] = [
            ("RTSS", "a capture of Microsoft Network Monitor 1"), ("GMBU", "a capture of Microsoft Network Monitor 2"),
            ("snoop\0\0\0", "a capture of snoop"), ("TRSNIFF data", "a capture of Sniffer"),
            ("XCP\0", "a capture of NetXRay or Sniffer"), ("\u{5}VNF", "a capture of Visual Networks"),
            ("iptrace ", "a capture of iptrace"), ("\u{7f}ver", "a capture of OmniPeek"),
        ]
        if let capture = captures.first(where: { prefix.starts(with: $0.magic.utf8) }) {
            advice = "it is \(capture.name); convert it first: editcap -F pcapng FILE NEW"
        } else if [[0x0a, 0x0d, 0x0d], [0x0a, 0x0d, 0x0a]].contains(where: { prefix.starts(with: $0) }) {
            // draft-ietf-opsawg-pcapng, section 4.1: the type of the first block is there to show this.
            advice =
                "it is a pcapng file whose line ends were changed on its way, as FTP does with text: fetch it again"
        } else if let archive = Self.archives.first(where: { prefix.dropFirst($0.at).starts(with: $0.magic.utf8) }) {
            advice = "it is a \(archive.name) archive; unpack it first: \(archive.command) FILE"
        } else if let records = ERFRecords(prefix) {
            advice = "it is an ERF capture (Endace); convert it first: editcap -F pcapng\(records.option) FILE NEW"
        } else if let text = Self.text(prefix) {
            advice = text
        } else {
            return nil
        }
    }

    private static let archives: [(magic: String, at: Int, name: String, command: String)] = [
        ("ustar", 257, "tar", "tar -xf"), ("PK\u{3}\u{4}", 0, "zip", "unzip"),
        ("Rar!", 0, "rar", "unrar x"), ("!<arch>\n", 0, "ar", "ar x"),
    ]

    /// What a text is; nil if it is none.
    private static func text(_ prefix: [UInt8]) -> String? {
        // Some are written in 16 bits a character, and are no less text; who reads them needs something else.
        guard !prefix.isEmpty, !prefix.contains(where: { $0 < 0x20 && !(0x09...0x0d).contains($0) && $0 != 0x1b })
        else {
            return nil
        }
        let start = prefix.drop { $0 <= 0x20 || $0 == 0xef || $0 == 0xbb || $0 == 0xbf }
        func begins(_ word: String) -> Bool {
            String(decoding: start.prefix(word.utf8.count), as: UTF8.self).lowercased() == word
        }
        if ["<!doctype html", "<html", "<head", "<body"].contains(where: begins) {
            return "it is an HTML page, perhaps an error message that was saved in place of the file"
        }
        if begins("<?xml") || begins("<pdml") { return "it is XML; export packets as pcapng instead" }
        if begins("{") || begins("[") {
            let beginning = String(decoding: start.prefix(4096), as: UTF8.self)
            return beginning.contains("\"rst-report/")
                ? "it is a report of rst-analyze, not the recording that it was made from"
                : "it is JSON, but not a recording (events.jsonl)"
        }
        return "it is a text file without kernel events"
    }

    static let usefulPrefix = 65536
}

/// ERF, which has no magic number: the first records of a file, if they are ERF's ("Extensible Record Format", Endace;
/// wiretap/erf.c finds it in the same way).
private struct ERFRecords {
    /// What editcap has to be told of the packets: as ERF records they would stay what they are.
    let option: String

    private static let headerLength = 16
    /// Types that hold Ethernet frames: ETH, COLOR_ETH, DSM_COLOR_ETH, COLOR_HASH_ETH.
    private static let ethernet: Set<UInt8> = [2, 11, 16, 20]
    private static let types: ClosedRange<UInt8> = 1...48
    private static let mostRecords = 16
    /// From 1996 on, when DAG cards came up.
    private static let earliest: UInt32 = 820_454_400

    init?(_ bytes: [UInt8]) {
        func byte(_ at: Int) -> UInt32 { UInt32(bytes[at]) }
        var (at, records) = (0, 0)
        var previous: UInt32?
        var isEthernet = true
        while records < Self.mostRecords, at + Self.headerLength <= bytes.count {
            // 32.32 bits, little-endian, for all that follows is big-endian.
            let seconds = byte(at + 4) | byte(at + 5) << 8 | byte(at + 6) << 16 | byte(at + 7) << 24
            let type = bytes[at + 8] & 0x7f
            let length = Int(bytes[at + 10]) << 8 | Int(bytes[at + 11])
            guard Self.types.contains(type), length >= Self.headerLength, seconds >= Self.earliest,
                previous.map({ seconds >= $0 && seconds - $0 < 604_800 }) ?? true
            else { return nil }
            if !Self.ethernet.contains(type) { isEthernet = false }
            previous = seconds
            records += 1
            at += length
        }
        // One alone may be anything, unless it is all there is.
        guard records > 1 || records == 1 && at == bytes.count else { return nil }
        option = isEthernet ? " -T ether" : ""
    }
}

/// A file that another program can turn into one that is read here.
struct OtherFormat {
    /// What it is, and what to do with it.
    let advice: String

    /// Nil for a file that is not known either.
    ///
    /// - Parameter prefix: its first bytes.
    init?(prefix: [UInt8]) {
        // As wiretap and file(1) have them.
        let captures: [(magic: String, name: String)] = [
            ("RTSS", "a capture of Microsoft Network Monitor 1"), ("GMBU", "a capture of Microsoft Network Monitor 2"),
            ("snoop\0\0\0", "a capture of snoop"), ("TRSNIFF data", "a capture of Sniffer"),
            ("XCP\0", "a capture of NetXRay or Sniffer"), ("\u{5}VNF", "a capture of Visual Networks"),
            ("iptrace ", "a capture of iptrace"), ("\u{7f}ver", "a capture of OmniPeek"),
        ]
        let compressed: [(magic: [UInt8], name: String)] = [
            (Array("BZh".utf8), "bzip2"), ([0xfd, 0x37, 0x7a, 0x58, 0x5a], "xz"),
        ]
        if let capture = captures.first(where: { prefix.starts(with: $0.magic.utf8) }) {
            advice = "it is \(capture.name); convert it first: editcap -F pcapng FILE NEW"
        } else if [[0x0a, 0x0d, 0x0d], [0x0a, 0x0d, 0x0a]].contains(where: { prefix.starts(with: $0) }) {
            // draft-ietf-opsawg-pcapng, section 4.1: the type of the first block is there to show this.
            advice =
                "it is a pcapng file whose line ends were changed on its way, as FTP does with text: fetch it again"
        } else if let stream = compressed.first(where: { prefix.starts(with: $0.magic) }) {
            advice =
                "it is compressed with \(stream.name); decompress it first: \(stream.name) -dc FILE | rst-analyze report -"
        } else {
            return nil
        }
    }
}

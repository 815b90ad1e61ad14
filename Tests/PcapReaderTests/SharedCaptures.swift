import Foundation
import Testing

/// The captures of public projects that lie beside the checkout, and what tshark says of each.
struct SharedCapture: CustomTestStringConvertible, Sendable {
    let file: String
    let format: String
    let packets: Int
    /// Segments with RST on the wire, without those an ICMP error quotes.
    let resets: Int
    let tcpPackets: Int

    var testDescription: String { file }
    var path: String { Self.folder.appending(path: file).path }

    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../../shared/captures").standardizedFileURL

    /// Empty where the captures are not there.
    static let all: [SharedCapture] = {
        guard let index = try? String(contentsOf: folder.appending(path: "INDEX.tsv"), encoding: .utf8) else {
            return []
        }
        return index.split(separator: "\n").dropFirst().map { line in
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            return SharedCapture(
                file: fields[0], format: fields[3], packets: Int(fields[5]) ?? -1,
                resets: (Int(fields[6]) ?? -1) - (Int(fields[8]) ?? 0), tcpPackets: Int(fields[10]) ?? -1)
        }
    }()
}

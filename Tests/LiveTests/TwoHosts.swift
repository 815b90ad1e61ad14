import Foundation
import KernelEvents
import Laboratory
import Recorder

/// Two network namespaces that are recorded like two hosts: by a recorder each, with a clock and a boot each.
struct TwoHosts {
    /// The folders of the recordings.
    let client: String
    let server: String
    private let recorders: [Recorder]
    private let offset: Int64

    /// Begins to record both ends of a lab.
    ///
    /// - Parameters:
    ///   - folder: exists.
    ///   - offset: nanoseconds by which the server's clock is to be ahead.
    init(_ lab: Lab, in folder: String, offset: Int64, tool: String) throws {
        client = "\(folder)/client"
        server = "\(folder)/server"
        self.offset = offset
        recorders = try [(client, lab.points(of: .client)), (server, lab.points(of: .server))].map { folder, points in
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            var options = RecorderOptions(
                interfaces: points.map {
                    RecorderOptions.Interface(name: $0.interface, namespace: NetworkNamespace(path: $0.path))
                },
                capture: .file("\(folder)/capture.pcapng"), events: .file("\(folder)/events.jsonl"))
            options.tool = tool
            options.arguments = false
            options.scope.netns = points.map(\.netns).first.map { [$0] } ?? []
            return try Recorder(options, wantsToStop: {})
        }
    }

    /// Ends both recordings, and makes the server's one of another host.
    func stop() throws -> [RecordingSummary] {
        let summaries = recorders.map { $0.stop() }
        try rewrite("\(client)/events.jsonl") { Self.renamed($0, "client", boot: "c11e", by: 0) }
        try rewrite("\(server)/events.jsonl") { Self.renamed($0, "server", boot: "5e17", by: offset) }
        try rewrite("\(server)/capture.pcapng") { Self.shifted($0, by: offset) }
        return summaries
    }

    private func rewrite(_ path: String, _ change: ([UInt8]) -> [UInt8]) throws {
        let bytes = change(try [UInt8](Data(contentsOf: URL(filePath: path))))
        try Data(bytes).write(to: URL(filePath: path))
    }

    // MARK: - Another host

    private static func renamed(_ text: [UInt8], _ host: String, boot: String, by offset: Int64) -> [UInt8] {
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n").map { line in
            guard line.hasPrefix(#"{"type":"recording""#) || line.hasPrefix(#"{"type":"clock""#) else {
                return String(line)
            }
            var line = String(line)
            line = replacing(#""host":""#, upTo: "\"", in: line) { _ in host }
            line = replacing(#""boot_id":""#, upTo: "\"", in: line) { _ in boot }
            return replacing(#""realtime_ns":"#, upTo: ",", in: line) { "\((Int64($0) ?? 0) + offset)" }
        }
        return Array((lines.joined(separator: "\n") + "\n").utf8)
    }

    /// Changes what stands between a key and the end of its value.
    private static func replacing(
        _ key: String, upTo end: Character, in line: String, _ change: (Substring) -> String
    ) -> String {
        guard let place = line.firstRange(of: key) else { return line }
        let rest = line[place.upperBound...]
        let last = rest.firstIndex(of: end) ?? rest.endIndex
        return line[..<place.upperBound] + change(rest[..<last]) + rest[last...]
    }

    /// Adds to the timestamps of the recorder's own pcapng, which counts nanoseconds in the order of bytes of this machine.
    private static func shifted(_ bytes: [UInt8], by offset: Int64) -> [UInt8] {
        var bytes = bytes
        func word(_ place: Int) -> UInt32 {
            bytes[place..<place + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
        }
        var place = 0
        while place + 12 <= bytes.count {
            let length = Int(word(place + 4))
            guard length >= 12, place + length <= bytes.count else { break }
            if word(place) == 6, length >= 32 {
                let time = UInt64(word(place + 12)) << 32 | UInt64(word(place + 16))
                let shifted = time &+ UInt64(bitPattern: offset)
                for (index, half) in [UInt32(shifted >> 32), UInt32(truncatingIfNeeded: shifted)].enumerated() {
                    for byte in 0..<4 {
                        bytes[place + 12 + 4 * index + byte] = UInt8(truncatingIfNeeded: half >> UInt32(8 * byte))
                    }
                }
            }
            place += length
        }
        return bytes
    }
}

extension Lab {
    fileprivate func points(of role: Role) -> [CapturePoint] { captures.filter { $0.role == role } }
}

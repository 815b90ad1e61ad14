public import Correlator
import JSONText
import KernelEvents
import NetworkTypes

/// The RSTs of a report as `rst-record/1`, one JSON object per line, or as CSV with one row for each.
public struct RecordTable: Sendable {
    public enum Form: Sendable {
        case ndjson
        /// RFC 4180, with a header.
        case csv
    }

    private let lines: RecordLines
    private let form: Form
    private let fields: [String]

    /// - Parameters:
    ///   - host: whose records these are.
    ///   - fields: see `allFields`; of NDJSON all are written if they are empty, of CSV `usualFields`.
    public init(_ form: Form, host: RecordLines.Host, fields: [String] = []) {
        lines = RecordLines(host: host)
        self.form = form
        self.fields = fields.isEmpty && form == .csv ? Self.usualFields : fields
    }

    /// What a spreadsheet begins with.
    public static let usualFields = [
        "time", "kind", "src", "sport", "dst", "dport", "cause", "certainty", "candidates", "comm", "pid", "unit",
        "container", "container_name", "pod_name", "namespace",
        "receiver_comm", "receiver_pid", "receiver_error", "state", "reason", "summary",
    ]

    /// The fields of a RST's `rst-record/1`, and `time`: `ts` as text (UTC).
    public static let allFields = [
        "time", "schema", "record_id", "ts", "mono_ns", "count", "last_ts", "revision", "settled", "open", "host",
        "host_id",
        "boot_id", "cluster", "agent", "kind", "src", "sport", "dst", "dport", "local_src", "local_sport", "local_dst",
        "local_dport", "seq", "ack", "flags", "ttl", "ip_id", "window", "cause", "category", "certainty", "candidates",
        "reason", "state", "summary", "pid", "comm", "exe", "role", "uid", "receiver_pid", "receiver_comm",
        "receiver_state",
        "receiver_error", "receiver_ignored", "unit", "container", "container_name",
        "pod", "pod_name", "namespace", "netns", "cookie",
    ]

    /// Passes the text on in pieces.
    public func render(_ report: Report, to sink: ([UInt8]) throws -> Void) rethrows {
        if form == .csv { try sink(Array((fields.joined(separator: ",") + "\r\n").utf8)) }
        var next = report.resets.startIndex
        while next < report.resets.endIndex {
            let end = min(report.resets.endIndex, next + Self.pieceCount)
            let text = lines.lines(of: report.resets[next..<end])
            try sink(form == .ndjson && fields.isEmpty ? text : chosen(text))
            next = end
        }
    }

    private static let pieceCount = 1_000

    /// The chosen fields of some records.
    private func chosen(_ lines: [UInt8]) -> [UInt8] {
        var text = ""
        for line in lines.split(separator: 0x0a) {
            guard let record = JSONValue(Array(line)) else { continue }
            let values = fields.map { value($0, record) }
            switch form {
            case .csv: text += values.map { $0.map(Self.cell) ?? "" }.joined(separator: ",") + "\r\n"
            case .ndjson:
                let members = zip(fields, values).compactMap { field, value in
                    value.map { "\"\(field)\":" + $0.json }
                }
                text += "{" + members.joined(separator: ",") + "}\n"
            }
        }
        return Array(text.utf8)
    }

    private func value(_ field: String, _ record: JSONValue) -> JSONValue? {
        guard field == "time" else { return record[field] }
        return record["ts"]?.integer(Int64.self).map { .string(UTCTime(nanoseconds: $0).description) }
    }

    /// A cell that no spreadsheet takes for a formula: names of processes and files are untrusted.
    private static func cell(_ value: JSONValue) -> String {
        switch value {
        case .null: return ""
        case .boolean(let flag): return flag ? "true" : "false"
        case .number(let number): return number.map(String.init) ?? ""
        case .array(let values): return cell(.string(values.compactMap(\.string).joined(separator: " ")))
        case .object: return ""
        case .string(let text):
            var text = text.printable
            // Spaces before it, and its full-width forms, are no obstacle.
            let first = text.unicodeScalars.first { !$0.properties.isWhitespace }
            if let first, "=+-@\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".unicodeScalars.contains(first) { text = "'" + text }
            // Where a comma separates decimals, semicolons separate cells.
            guard text.unicodeScalars.contains(where: { ",;\"".unicodeScalars.contains($0) }) else { return text }
            return "\"" + text.replacing("\"", with: "\"\"") + "\""
        }
    }
}

extension JSONValue {
    fileprivate var json: String {
        switch self {
        case .null: return "null"
        case .boolean(let flag): return flag ? "true" : "false"
        case .number(let number): return number.map(String.init) ?? "null"
        case .array(let values): return "[" + values.map(\.json).joined(separator: ",") + "]"
        case .object: return "{}"
        case .string(let text):
            var json = JSONWriter(capacity: text.utf8.count + 2)
            json.string(text)
            return String(decoding: json.finish(), as: UTF8.self)
        }
    }
}

/// Why a file cannot be read as a recording at all.
public enum EventsError: Error, Equatable, Sendable {
    /// Not one line of it is a record; `problem` says what it contains instead.
    case notARecording(problem: String)
    /// The header names a schema that this version does not read.
    case unsupportedSchema(found: String, supported: String, line: Int)
}

extension EventsError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notARecording(let problem): "not a recording of events: \(problem)"
        case .unsupportedSchema(let found, let supported, let line):
            "line \(line): the recording has the schema \"\(found)\"; this version reads \"\(supported)\""
        }
    }
}

/// What is wrong in one line. It stays a static text and an offset until a person has to see it.
struct LineProblem: Error {
    var text: StaticString
    /// Where in the scanned bytes.
    var position: Int
    /// The key whose value it is, if known.
    var key: RecordKey

    init(_ text: StaticString, at position: Int, key: RecordKey = .unknown) {
        self.text = text
        self.position = position
        self.key = key
    }

    /// As a person reads it; `start` is where the line begins in the scanned bytes.
    func message(lineStart start: Int) -> String {
        let place = key == .unknown ? "" : "\"\(key.name)\": "
        return "\(place)\(text) (byte \(max(0, position - start) + 1) of the line)"
    }
}

/// Why a file cannot be read as a capture at all. Anything that goes wrong later is `CaptureDamage`.
public enum CaptureError: Error, Equatable, Sendable {
    /// The file begins with neither magic number; `prefix` holds its first bytes, at most 8.
    case notACapture(prefix: [UInt8])
    /// The file ends inside its first header.
    case truncated(header: String, offset: Int, needed: Int, available: Int)
    /// A version of the format that this reader does not know.
    case unsupportedVersion(format: String, major: Int, minor: Int)
    /// The first header contradicts itself.
    case invalidHeader(header: String, offset: Int, problem: String)
}

extension CaptureError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notACapture(let prefix) where prefix.isEmpty:
            return "not a capture: the file is empty"
        case .notACapture(let prefix):
            let bytes = prefix.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
            return "not a capture: it begins with \(bytes), which is neither pcap nor pcapng"
        case .truncated(let header, let offset, let needed, let available):
            return "the \(header) at byte \(offset) is cut short: \(needed) bytes needed, \(available) available"
        case .unsupportedVersion(let format, let major, let minor):
            return "\(format) version \(major).\(minor) is not supported"
        case .invalidHeader(let header, let offset, let problem):
            return "the \(header) at byte \(offset) is not valid: \(problem)"
        }
    }
}

/// What a RST says in its payload (RFC 9293, section 3.5.3: SHLD-2).
struct ResetPayload: Sendable, Equatable {
    enum Format: String, Sendable {
        case diagnostic
        case text
    }
    let format: Format
    /// One sentence, with the source.
    let sentence: String
    /// The cause that the sender names, if one of the words fits.
    let cause: Cause?

    /// Nil for bytes that are in no known format.
    init?(_ bytes: [UInt8]) {
        if let diagnostic = Self.diagnostic(bytes) {
            self = diagnostic
        } else if let text = Self.text(bytes) {
            self = text
        } else {
            return nil
        }
    }

    private init(format: Format, sentence: String, cause: Cause?) {
        self.format = format
        self.sentence = sentence
        self.cause = cause
    }

    /// draft-boucadair-tcpm-rst-diagnostic-payload, whose number is not assigned yet: `33 aa` in the drafts' test
    /// captures, 12345 in their text.
    ///
    ///     | magic (2) | reason code (2) | private enterprise number (4) |             earlier drafts
    ///     | magic (2) | length (2) | reason length (2) | reason code (2) | [PEN (4)] | [text] |   -12 and later
    private static func diagnostic(_ bytes: [UInt8]) -> ResetPayload? {
        guard bytes.count >= 6, [0x33aa, 12345].contains(word(bytes, 0)) else { return nil }
        let source = "RST diagnostic payload (draft-boucadair-tcpm-rst-diagnostic-payload)"
        let rest = bytes.count - 4
        if bytes.count >= 8, word(bytes, 2) == rest, word(bytes, 2) >= 4 {
            let textLength = word(bytes, 4)
            if textLength > 0, 6 + textLength <= bytes.count {
                let text = printable(bytes[6..<(6 + textLength)])
                return ResetPayload(format: .diagnostic, sentence: "\(source): \"\(text)\"", cause: nil)
            }
            let vendor = bytes.count >= 12 ? number(bytes, 8) : 0
            return reason(word(bytes, 6), vendor: vendor, source)
        }
        guard bytes.count >= 8 else {
            return reason(word(bytes, 2), vendor: 0, source + ", cut short")
        }
        return reason(word(bytes, 2), vendor: number(bytes, 4), source)
    }

    private static func reason(_ code: Int, vendor: Int, _ source: String) -> ResetPayload {
        guard vendor == 0 else {
            return ResetPayload(
                format: .diagnostic, sentence: "\(source): reason \(code) of enterprise \(vendor)", cause: nil)
        }
        let known = code >= 1 && code <= reasons.count ? reasons[code - 1] : nil
        let meaning = known.map { ": \($0.0)" } ?? ", which is not registered"
        return ResetPayload(format: .diagnostic, sentence: "\(source): reason \(code)\(meaning)", cause: known?.1)
    }

    /// The draft's table 2, from 1 on.
    private static let reasons: [(String, Cause?)] = [
        ("illegal option", nil),
        ("desynchronized state", .staleConnection),
        ("new data is received after CLOSE is called", .dataAfterClose),
        ("ABORT process", nil),
        ("unexpected ACK received by non-synchronized state connection", .badAckInHandshake),
        ("unexpected SYN in the window", .badSynInHandshake),
        ("unexpected security compartment", nil),
        ("malformed message", nil),
        ("not authorized", .netfilterReject),
        ("resource exceeded", nil),
        ("network failure", nil),
        ("reset received from the peer", nil),
        ("destination unreachable", nil),
        ("connection timeout", .idleTimeout),
        ("too much outstanding data", .mptcpSubflowReset),
        ("unacceptable performance", .mptcpSubflowReset),
        ("middlebox interference", .mptcpSubflowReset),
    ]

    /// ASCII, as F5 BIG-IP writes it when tm.rstcause.pkt is enabled (F5 K13223), and as RFC 1122, section 4.2.2.12
    /// suggested.
    private static func text(_ bytes: [UInt8]) -> ResetPayload? {
        let end = bytes.firstIndex(of: 0) ?? bytes.count
        let body = bytes[..<end]
        guard body.count >= 4, body.allSatisfy({ (0x20...0x7e).contains($0) || $0 == 0x0a || $0 == 0x0d || $0 == 9 })
        else { return nil }
        let text = printable(body)
        let lower = text.lowercased()
        var cause: Cause?
        if lower.contains("flow expired") || lower.contains("idle timeout") || lower.contains("sweeper") {
            cause = .idleTimeout
        } else if lower.contains("no local listener") || lower.contains("port denied")
            || lower.contains("connection refused")
        {
            cause = .connectionRefused
        } else if lower.contains("no flow found") {
            cause = .staleConnection
        }
        let device =
            lower.hasPrefix("big-ip") || lower.contains("[f5rst") ? "F5 BIG-IP (tm.rstcause.pkt, K13223)" : "the sender"
        return ResetPayload(format: .text, sentence: "\(device) gives its reason in the RST: \"\(text)\"", cause: cause)
    }

    private static func word(_ bytes: [UInt8], _ at: Int) -> Int { Int(bytes[at]) << 8 | Int(bytes[at + 1]) }

    private static func number(_ bytes: [UInt8], _ at: Int) -> Int { word(bytes, at) << 16 | word(bytes, at + 2) }

    private static func printable(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes.prefix(200).map { (0x20...0x7e).contains($0) ? $0 : 0x20 }, as: UTF8.self)
    }
}

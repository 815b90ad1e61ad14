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
    ///
    /// - Parameters:
    ///   - bytes: as many of them as were captured.
    ///   - length: how many the RST carries.
    init?(_ bytes: [UInt8], length: Int) {
        if let diagnostic = Self.diagnostic(bytes, length) ?? Self.description(bytes) ?? Self.draft12(bytes, length) {
            self = diagnostic
        } else if let text = Self.text(bytes, length) {
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

    /// draft-ietf-tcpm-rst-diagnostic-payload (draft-boucadair-tcpm-rst-diagnostic-payload until 2026). One of another length
    /// is to be ignored.
    ///
    ///     | 33 aa | reason code (2) | private enterprise number (4) |
    private static func diagnostic(_ bytes: [UInt8], _ length: Int) -> ResetPayload? {
        guard length == 8, bytes.count >= 4, word(bytes, 0) == 0x33aa, word(bytes, 2) != 0 else { return nil }
        guard bytes.count >= 8 else {
            // What the code means depends on whose it is.
            return ResetPayload(
                format: .diagnostic,
                sentence: "\(source): reason \(word(bytes, 2)); the capture does not have all of it",
                cause: nil)
        }
        return reason(word(bytes, 2), vendor: number(bytes, 4))
    }

    /// The free description of draft-boucadair-tcpm-rst-diagnostic-payload, in some of its versions: `f3 17`, then UTF-8.
    private static func description(_ bytes: [UInt8]) -> ResetPayload? {
        guard bytes.count >= 3, word(bytes, 0) == 0xf317 else { return nil }
        let scalars = String(decoding: bytes[2...].prefix(shownText), as: UTF8.self).unicodeScalars.map {
            $0.properties.generalCategory == .control ? " " : Character($0)
        }
        return ResetPayload(format: .diagnostic, sentence: "\(source): \"\(String(scalars))\"", cause: nil)
    }

    /// draft-boucadair-tcpm-rst-diagnostic-payload-12, where the number of the RFC was to be the magic; 12345 stood for it.
    ///
    ///     | 12345 (2) | length (2) | length of the text (2) | reason code (2) | [enterprise (4)] | [text] |
    private static func draft12(_ bytes: [UInt8], _ length: Int) -> ResetPayload? {
        guard bytes.count >= 8, word(bytes, 0) == 12345, word(bytes, 2) >= 4, word(bytes, 2) == length - 4 else {
            return nil
        }
        let textLength = word(bytes, 4)
        if textLength > 0, 6 + textLength <= bytes.count {
            let text = printable(bytes[6..<(6 + textLength)])
            return ResetPayload(format: .diagnostic, sentence: "\(source): \"\(text)\"", cause: nil)
        }
        return reason(word(bytes, 6), vendor: bytes.count >= 12 ? number(bytes, 8) : 0)
    }

    private static let source = "RST diagnostic payload (draft-ietf-tcpm-rst-diagnostic-payload)"

    private static func reason(_ code: Int, vendor: Int) -> ResetPayload {
        guard vendor == 0 else {
            return ResetPayload(
                format: .diagnostic, sentence: "\(source): reason \(code) of enterprise \(vendor)", cause: nil)
        }
        let known = code >= 1 && code <= reasons.count ? reasons[code - 1] : nil
        let meaning = known.map { ": \($0.0)" } ?? ", which is not registered"
        return ResetPayload(format: .diagnostic, sentence: "\(source): reason \(code)\(meaning)", cause: known?.1)
    }

    /// The draft's initial "TCP Failure Causes", from 1 on.
    private static let reasons: [(String, Cause?)] = [
        ("illegal option length", nil),
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
    private static func text(_ bytes: [UInt8], _ length: Int) -> ResetPayload? {
        let end = bytes.firstIndex(of: 0) ?? bytes.count
        let body = bytes[..<end]
        guard body.count >= 4, body.allSatisfy({ (0x20...0x7e).contains($0) || $0 == 0x0a || $0 == 0x0d || $0 == 9 })
        else { return nil }
        // The whole is looked through, though not all of it may be shown.
        let lower = String(decoding: body, as: UTF8.self).lowercased()
        let isCut = body.count > shownText || end == bytes.count && bytes.count < length
        let text = printable(body) + (isCut ? "..." : "")
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

    private static let shownText = 200

    private static func printable(_ bytes: ArraySlice<UInt8>) -> String {
        String(decoding: bytes.prefix(shownText).map { (0x20...0x7e).contains($0) ? $0 : 0x20 }, as: UTF8.self)
    }
}

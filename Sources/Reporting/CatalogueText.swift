public import Correlator

/// The catalogue of causes, for people.
public enum CatalogueText {
    /// One line per cause, by category.
    public static var overview: String {
        list(Category.allCases)
            + "\nno RST\n" + filled(ICMPRefusal.meaning, head: "  \(ICMPRefusal.word)", indent: 32)
            + "\n\"rst-analyze explain CAUSE\" says what to do about a cause, and how to read a kernel path.\n"
    }

    /// One line per cause of a category.
    public static func overview(of category: Category) -> String { list([category]) }

    private static func list(_ categories: [Category]) -> String {
        var text = ""
        for category in categories {
            let rules = Catalogue.rules.filter { $0.category == category }
            guard !rules.isEmpty else { continue }
            text += "\(text.isEmpty ? "" : "\n")\(category.rawValue)\n"
            for rule in rules { text += filled(rule.meaning, head: "  \(rule.cause.rawValue)", indent: 32) }
        }
        return text
    }

    /// Everything the catalogue knows of one cause.
    public static func entry(_ cause: Cause) -> String {
        guard let rule = Catalogue.rule(for: cause) else { return "" }
        var text = "\(rule.cause.rawValue) (\(rule.category.rawValue))\n"
        text += help(rule.meaning, rule.advice, rule.checks)
        if !rule.limits.isEmpty {
            text += "\nKnown limits (defaults)\n"
            for source in rule.limits {
                text += filled("\(source.device): \(source.setting)", head: "  \(source.seconds) s", indent: 13)
                if let page = source.page { text += String(repeating: " ", count: 13) + page + "\n" }
            }
        }
        text += grounds(rule.recognition, rule.basis)
        if !rule.reasons.isEmpty {
            text += "\nReset reasons of the kernel that agree\n"
            text += filled(rule.reasons.sorted().joined(separator: ", "), head: "", indent: 2)
        }
        text += "\nHow to read a kernel path\n"
        for line in legend { text += filled(line, head: "", indent: 2) }
        return text
    }

    /// The same of connections that ICMP errors ended.
    public static var refusal: String {
        "\(ICMPRefusal.word) (no RST)\n" + help(ICMPRefusal.meaning, ICMPRefusal.advice, ICMPRefusal.checks)
            + grounds(ICMPRefusal.recognition, ICMPRefusal.basis)
    }

    private static func help(_ meaning: String, _ advice: String, _ checks: [Check]) -> String {
        var text = "\n" + filled(meaning, head: "", indent: 2)
        text += "\nWhat to do\n" + filled(advice, head: "", indent: 2)
        guard !checks.isEmpty else { return text }
        text += "\nCommands to check it with\n"
        for check in checks { text += "  \(check.command)\n" + filled(check.shows, head: "", indent: 6) }
        return text
    }

    private static func grounds(_ recognition: String, _ basis: String) -> String {
        "\nHow it is recognised\n" + filled(recognition, head: "", indent: 2)
            + "\nBasis\n" + filled(basis, head: "", indent: 2)
    }

    /// Explains the functions that a report shows with -v, and how causes are recognised.
    private static let legend = [
        """
        The innermost function comes first: "a < b < c" means that c called b, and b called a. "a called from b" leaves \
        open how many functions are between them.
        """,
        """
        tcp_send_active_reset: this host ended a connection of its own. tcp_v4_send_reset, tcp_v6_send_reset: it answered \
        a segment. nf_send_reset: a firewall rule answered.
        """,
        """
        The functions after these show what led there: __tcp_close (a program closed), tcp_v4_rcv (a segment arrived), a \
        timer (tcp_keepalive_timer, tcp_write_timer), ip_forward (the RST only passed through).
        """,
    ]

    private static func filled(_ sentence: String, head: String, indent: Int) -> String {
        var text = ""
        var line = head + String(repeating: " ", count: max(1, indent - head.count))
        var isEmpty = true
        for word in sentence.split(separator: " ") {
            if !isEmpty, line.count + 1 + word.count > 80 {
                text += line + "\n"
                line = String(repeating: " ", count: indent)
                isEmpty = true
            }
            if !isEmpty { line += " " }
            line += word
            isEmpty = false
        }
        return text + line + "\n"
    }
}

extension CatalogueText {
    /// The content of docs/causes.md.
    public static var markdown: String {
        var text = """
            # Causes

            Every cause that a report can name. Generated from the catalogue in the source by `make causes`; do not edit.
            A verdict is `proven` only if exactly one of these causes fits the kernel's evidence.

            """
        for category in Category.allCases {
            let rules = Catalogue.rules.filter { $0.category == category }
            guard !rules.isEmpty else { continue }
            text += "\n## \(category.rawValue)\n"
            for rule in rules {
                text += markdownHelp(rule.cause.rawValue, rule.meaning, rule.advice, rule.checks)
                if !rule.limits.isEmpty {
                    text += "- **Known limits (defaults).**\n"
                    for source in rule.limits {
                        let setting = source.page.map { "[\(source.setting)](\($0))" } ?? source.setting
                        text += "  - \(source.seconds) s: \(source.device), \(setting)\n"
                    }
                }
                text += markdownGrounds(rule.recognition, rule.basis)
                if !rule.reasons.isEmpty {
                    let reasons = rule.reasons.sorted().map { "`\($0)`" }.joined(separator: ", ")
                    text += "- **Reset reasons of the kernel that agree.** \(reasons)\n"
                }
                if let fixture = rule.fixture {
                    text += "- **Recording.** [fixtures/\(fixture)](../fixtures/\(fixture)/README.md)\n"
                }
            }
        }
        text += "\n## no RST\n"
        text += markdownHelp(ICMPRefusal.word, ICMPRefusal.meaning, ICMPRefusal.advice, ICMPRefusal.checks)
        return text + markdownGrounds(ICMPRefusal.recognition, ICMPRefusal.basis)
    }

    private static func markdownHelp(_ title: String, _ meaning: String, _ advice: String, _ checks: [Check]) -> String
    {
        var text = "\n### \(title)\n\n\(meaning)\n\n- **What to do.** \(advice)\n"
        guard !checks.isEmpty else { return text }
        let commands = checks.map { "`\($0.command)` (\($0.shows))" }
        text += "- **Check with.** \(commands.joined(separator: "; "))\n"
        return text
    }

    private static func markdownGrounds(_ recognition: String, _ basis: String) -> String {
        "- **Recognised by.** \(recognition)\n- **Basis.** \(basis)\n"
    }
}

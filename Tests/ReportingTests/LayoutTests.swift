import Testing

@testable import Correlator
@testable import Reporting

@Suite struct LayoutTests {
    @Test(arguments: [
        ("", 0), ("abc", 3), ("ä", 1), ("a\u{308}", 1), ("日本", 4), ("한국", 4), ("👍", 2), ("ｶﾅ", 2), ("Ａ", 2), ("▁█", 2),
        ("e\u{301}\u{327}x", 2), ("\u{1100}\u{1161}\u{11a8}", 2), ("—", 1),
    ])
    func columnsAreWhatATerminalTakes(_ text: String, _ columns: Int) { #expect(text.columns == columns) }

    @Test func wideTextIsBrokenByColumns() {
        var options = TextReport.Options()
        options.width = 10
        let report = TextReport(options: options)
        #expect(report.lines("日本 日本 日本", indent: 0) == ["日本 日本", "  日本"])
        #expect(report.lines("abcdefghijklmnop x", indent: 2, hanging: 4) == ["  abcdefghijklmnop", "    x"])
    }

    @Test func barsTellLittleFromNothing() {
        #expect(sparkline([0, 1, 100, 50], isUnicode: true) == "_▁█▅")
        #expect(sparkline([0, 1, 100, 50], isUnicode: false) == "_.#+")
        #expect(sparkline([], isUnicode: true).isEmpty)
    }

    @Test(arguments: [
        (UInt64(250_000_000), "250 ms"), (7_800_000_000_000, "2 h 10 min"), (119_000_000_000, "119 s"),
        (300_000_000_000, "5 min"), (500_000_000_000_000, "5 days 18 h"),
    ])
    func lengthsAreRough(_ nanoseconds: UInt64, _ text: String) { #expect(roughly(nanoseconds: nanoseconds) == text) }

    @Test func theVerdictNamesRivals() {
        #expect(
            verdict(.lingerZero, [.lingerZero, .abortOnClose], .inferred) == "linger-zero or abort-on-close, inferred")
        #expect(
            verdict(.connectionRefused, [.closedPort, .netfilterReject], .inferred)
                == "connection-refused (closed-port or netfilter-reject), inferred")
        #expect(verdict(.unknown, [.closedPort, .lingerZero], .unknown) == "unknown: closed-port or linger-zero")
        #expect(verdict(.closedPort, [], .proven) == "closed-port, proven")
    }

    /// What is not proven is never worded like what is.
    @Test func everyGuessIsWordedAsOne() {
        for rule in Catalogue.rules where rule.cause != .unknown {
            #expect(rule.guess != rule.meaning)
            let words = ["may ", "probably", "Probably", "does not show"]
            #expect(words.contains { rule.guess.contains($0) }, "\(rule.cause): \(rule.guess)")
        }
    }
}

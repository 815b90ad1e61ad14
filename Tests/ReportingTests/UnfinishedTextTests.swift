import Correlator
import NetworkTypes
import Reporting
import Testing

/// What is said of a capture without RSTs.
@Suite struct UnfinishedTextTests {
    private func text(_ change: (inout Report) -> Void) -> String {
        var report = Report(inputs: [], losses: Report.Losses(), resets: ResetList([]))
        change(&report)
        var text = ""
        var renderer = TextReport()
        renderer.render(report) { text += $0 }
        return text
    }

    @Test func aCaptureThatWasTooLargeIsSaidSo() {
        #expect(text { $0.tooLarge = ["big\u{1b}.pcap"] }.contains("not examined"))
        #expect(!text { $0.tooLarge = ["big\u{1b}.pcap"] }.contains("\u{1b}"))
        #expect(!text { _ in }.contains("examined"))
    }
}

import NetworkTypes
import Testing

@testable import Correlator

/// What to do about several RSTs at once.
@Suite struct AdviceTests {
    private func resets(_ advice: [Advice?], cause: Cause = .abortOnClose) -> ResetList {
        let resets = advice.enumerated().map { number, advice in
            var reset = Reset(
                time: Int64(number) * 1_000_000_000,
                tuple: FourTuple(
                    source: IPAddress(ipv4: 0x0a00_0001), sourcePort: 80, destination: IPAddress(ipv4: 0x0a00_0002),
                    destinationPort: 40000 + UInt16(number)),
                direction: .sent, outcome: .matched, sightings: [], cause: cause, category: .close, certainty: .proven,
                summary: "s.", evidence: [])
            reset.id = number + 1
            reset.advice = advice?.sentence
            return reset
        }
        return ResetList(resets)
    }

    private func advice(_ all: [Advice?]) -> [String?] {
        let groups = AnswerGroups(resets(all))
        return (0..<groups.count).map { groups.answer($0).ownAdvice?.sentence }
    }

    @Test func whatAllHaveInCommonIsSaid() {
        let killed = Advice.processEnded(isKilled: true, signal: 9)
        #expect(advice([killed, killed, killed]) == [killed.sentence])
        #expect(killed.sentence.contains("SIGKILL"))
        #expect(advice([killed, killed, .text("another")]) == [nil])
        #expect(advice([killed, nil]) == [nil])
        #expect(advice([nil, killed]) == [nil])
        #expect(advice([nil, nil]) == [nil])
    }

    @Test func otherwiseTheCatalogueSaysIt() throws {
        let groups = AnswerGroups(resets([.text("this"), .text("that")]))
        let answer = groups.answer(0)
        #expect(answer.advice == Catalogue.rule(for: .abortOnClose)?.advice)
        #expect(answer.meaning == Catalogue.rule(for: .abortOnClose)?.meaning)
    }

    /// One keep-alive timeout is not met to the millisecond.
    @Test func idleTimesOfOneTimeoutAreOne() throws {
        func idle(_ seconds: Double, _ process: String = "nginx") -> Advice {
            let time = UInt64(seconds * 1e9)
            return .idleClose(process: process, shortest: time, longest: time)
        }
        let merged = try #require(idle(75).merged(with: idle(75.3))?.merged(with: idle(74.9)))
        #expect(merged == .idleClose(process: "nginx", shortest: 74_900_000_000, longest: 75_300_000_000))
        #expect(merged.sentence.hasPrefix("nginx closes connections that have been idle for 74.9 s to 75.3 s"))
        #expect(idle(5).sentence.hasPrefix("nginx closes connections that have been idle for 5.0 s, and"))
        #expect(idle(75).merged(with: idle(60)) == nil)
        #expect(idle(75).merged(with: idle(75, "haproxy")) == nil)
        #expect(idle(75).merged(with: .text("x")) == nil)
        // Whatever the order.
        #expect(idle(75).merged(with: idle(80))?.merged(with: idle(84)) == nil)
        #expect(idle(84).merged(with: idle(80))?.merged(with: idle(75)) == nil)
    }
}

import Correlator
import Foundation
import Glibc
import InputFiles
import KernelEvents
import Laboratory
import NetworkTypes
import Selftest
import Testing

@testable import Recorder

/// Two hosts are recorded, whose clocks are three seconds apart and between which addresses are translated: their recordings
/// tell one story.
@Suite(.serialized, .enabled(if: Live.obstacle == nil, "\(Live.obstacle ?? "")"))
struct TwoHostsTests {
    private static let offset: Int64 = 3_000_000_000

    /// RST_RECORD_TWO_HOSTS=fixtures/hosts/two-hosts records the fixture anew: the same with fewer RSTs.
    @Test func fiveHundredResetsHaveASenderAndAReceiver() throws {
        let kept = ProcessInfo.processInfo.environment["RST_RECORD_TWO_HOSTS"]
        let folder = kept ?? FileManager.default.temporaryDirectory.appending(path: "rst-\(UUID().uuidString)").path
        defer { if kept == nil { try? FileManager.default.removeItem(atPath: folder) } }
        let scenario = Scenarios.translatedBurst(count: kept == nil ? 500 : 12)
        if let obstacle = scenario.obstacle(allowing: false) { try Test.cancel("\(obstacle)") }
        let lab = try Lab(for: scenario, ipVersion: .v4, actor: Live.actor)
        defer { lab.close() }
        let hosts = try TwoHosts(lab, in: folder, offset: Self.offset, tool: "rst-analyze test")
        // A RST that leaves from this program's own reading of all files is not of who reads.
        var readers = OpenFileReaders()
        let isReader = readers.includes(getpid(), start: 0, comm: "")
        #expect(isReader)
        let expected = try scenario.run(in: lab)
        // What is to be proven has to be covered for some time before and after.
        usleep(2_500_000)
        let forged = try Scenarios.forged(kept == nil ? 20 : 4, in: lab)
        usleep(1_500_000)
        for summary in try hosts.stop() { #expect(summary.eventsLost == 0 && summary.packetsDropped == 0) }

        let loader = InputLoader().load([hosts.client, hosts.server])
        #expect(loader.failures == [])
        let report = correlate(captures: loader.captures, recordings: loader.recordings)
        let clock = try #require(report.clocks.first { $0.file.hasSuffix("events.jsonl") })
        let error: Int64 = abs(abs(clock.offset) - Self.offset)
        #expect(error < 50_000_000)

        let resets = Array(report.resets)
        let ofForger = Set(forged)
        let own = resets.filter { !$0.tuple.touches(Scenarios.forgedPort) }
        #expect(own.count == expected.count)
        let incomplete = own.filter { $0.certainty != .proven || $0.direction != .sent || $0.receiver == nil }
        #expect(incomplete.isEmpty, "\(incomplete.map { "\($0)" }.joined(separator: "\n"))")
        let tuples: Set<FourTuple> = Set(own.map { $0.tuple })
        #expect(tuples.count == expected.count)
        for reset in expected {
            let entry: Reset? = own.first { $0.tuple == reset.tuple || reset.alsoSeenAs.contains($0.tuple) }
            #expect(entry?.cause.rawValue == reset.cause)
            #expect(entry?.process?.pid == reset.pid)
        }
        let injected = resets.filter { $0.cause == .injected }
        #expect(Set(injected.map { $0.tuple }) == ofForger)
        #expect(injected.count == forged.count)
        #expect(injected.allSatisfy { $0.certainty == .proven && $0.receiver != nil })
        // And what the other ends sent afterwards.
        #expect(resets.count == expected.count + 2 * forged.count)
        #expect(resets.allSatisfy { $0.delivery == nil })
    }
}

extension FourTuple {
    fileprivate func touches(_ port: UInt16) -> Bool { sourcePort == port || destinationPort == port }
}

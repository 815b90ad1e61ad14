import NetworkTypes
import Testing

@testable import Correlator
@testable import Reporting

@Suite struct FloodTests {
    private static let second: Int64 = 1_000_000_000

    private static func resets(
        _ ids: Range<Int>, port: (Int) -> UInt16 = { _ in 80 }, cause: Cause = .closedPort
    ) -> ResetList {
        ResetList(
            ids.map { id in
                let tuple = FourTuple(
                    source: IPAddress(ipv4: 0x0a00_0001), sourcePort: port(id),
                    destination: IPAddress(ipv4: 0x0a00_0002),
                    destinationPort: UInt16(40_000 + id % 20_000))
                var reset = Reset(
                    time: Int64(id) * 1_000_000, tuple: tuple, direction: .sent, outcome: .matched, sightings: [],
                    cause: cause, category: .refused, certainty: .proven, summary: "a sentence", evidence: [])
                reset.id = id
                reset.seq = UInt32(id)
                reset.process = Reset.Process(pid: nil, comm: nil, role: .none)
                return reset
            })
    }

    private static func settled(_ resets: ResetList) -> LiveCorrelator.Settled {
        var settled = LiveCorrelator.Settled()
        settled.resets = resets
        return settled
    }

    private static func shown(_ text: String) -> Int { text.split(separator: "\n").count { $0.hasPrefix("#") } }

    @Test func ofAFloodSomeAreShownAndTheOthersCounted() {
        var text = LiveText(options: TextReport.Options())
        let first = text.lines(of: Self.settled(Self.resets(1..<501)), at: 5 * Self.second)
        #expect(Self.shown(first) == LiveText.shownOfKind)
        #expect(first.split(separator: "\n").count { $0.contains("do: ") } == 1, "advice once a cause: \(first)")
        #expect(first.contains("no socket"))
        #expect(text.lines(of: Self.settled(Self.resets(501..<12_042)), at: 5 * Self.second + 1).isEmpty)
        #expect(text.more(at: 6 * Self.second - 1).isEmpty, "the second is not over")
        #expect(text.more(at: 6 * Self.second) == "+ 12,031 more closed-port, proven, 10.0.0.1:80 in 12.1 s\n")
        // The next second begins anew.
        #expect(Self.shown(text.lines(of: Self.settled(Self.resets(1..<5)), at: 7 * Self.second)) == 4)
        #expect(text.more(at: nil).isEmpty)
    }

    /// A scan asks as many services as there are ports: lines and kinds stay few, and nothing is lost.
    @Test func aScanIsBounded() {
        var text = LiveText(options: TextReport.Options())
        let lines = text.lines(of: Self.settled(Self.resets(1..<5001) { UInt16($0) }), at: Self.second)
        let more = text.more(at: nil)
        #expect(Self.shown(lines) == LiveText.shownInAll)
        let counts = more.split(separator: "\n").compactMap {
            Int($0.split(separator: " ")[1].filter { $0 != "," })
        }
        #expect(counts.reduce(0, +) + Self.shown(lines) == 5000)
        #expect(counts.count <= 300 && more.contains("elsewhere"))
    }

    @Test func eachIsShownWhereThatIsAskedFor() {
        var options = TextReport.Options()
        options.list = true
        var text = LiveText(options: options)
        #expect(Self.shown(text.lines(of: Self.settled(Self.resets(1..<501)), at: Self.second)) == 500)
        #expect(text.more(at: nil).isEmpty)
    }

    @Test func aCorrectionNamesItsRST() {
        var text = LiveText(options: TextReport.Options())
        var settled = LiveCorrelator.Settled()
        settled.corrections = Self.resets(7..<8, cause: .injected)
        let lines = text.lines(of: settled, at: 0)
        #expect(lines.contains("#7 ") && lines.contains("injected, proven; sent, corrected"), "\(lines)")
    }

    /// A record for many has what they have in common, and how many they are.
    @Test func recordsOfAFloodAreMerged() {
        let host = RecordLines.Host(name: "h", id: "i", bootID: "b", agent: "a")
        var records = LiveRecords(RecordLines(host: host), writesAll: false)
        let first = String(decoding: records.lines(of: Self.settled(Self.resets(1..<401)), at: 0), as: UTF8.self)
        let more = String(decoding: records.more(at: Self.second), as: UTF8.self)
        #expect(first.split(separator: "\n").count == LiveRecords.shownOfKind)
        #expect(!first.contains(#""count""#))
        #expect(more.split(separator: "\n").count == 1)
        #expect(more.contains(#""ts":101000000,"#) && more.contains(#","count":300,"last_ts":400000000,"#), "\(more)")
        #expect(more.contains(#""src":"10.0.0.1","sport":80,"dst":"10.0.0.2","cause":"closed-port""#), "\(more)")
        #expect(!more.contains(#""seq""#) && !more.contains(#""dport""#) && !more.contains(#""mono_ns""#))
    }

    @Test func aRecordSaysWhatIsOpenAndWhatItCorrects() {
        let host = RecordLines.Host(name: "h", id: "i", bootID: "b", agent: "a")
        var records = LiveRecords(RecordLines(host: host), writesAll: false)
        var reset = Self.resets(1..<2)[0]
        reset.open = ["this"]
        let first = String(
            decoding: records.lines(of: Self.settled(ResetList([reset])), at: 0), as: UTF8.self)
        #expect(first.contains(#""settled":false,"open":["this"]"#) && !first.contains("revision"), "\(first)")
        reset.revision = 1
        reset.cause = .injected
        var settled = LiveCorrelator.Settled()
        settled.corrections = ResetList([reset])
        let second = String(decoding: records.lines(of: settled, at: 0), as: UTF8.self)
        #expect(second.contains(#""revision":1"#) && second.contains(#""cause":"injected""#))
        let identity = { (line: String) in line.split(separator: "\"record_id\":\"")[1].prefix(32) }
        #expect(identity(first) == identity(second))
    }

    // MARK: - The table

    @Test func ratesAreOfTheLastSecondTheLastMinuteAndAll() {
        var table = TopTable(at: 0)
        for second in 0..<100 {
            table.add(Self.resets(1..<(second == 98 ? 31 : 11)), at: Int64(second) * Self.second + 1)
        }
        let lines = table.lines(at: 99 * Self.second + 2, width: 120, height: 24, isUnicode: true)
        #expect(lines.count == 4)
        #expect(lines[0].contains("1,020 RSTs"), "\(lines)")
        // 30 in the second before, 610 in 60 seconds less the one that is not over, and 1,020 in 99 seconds.
        let cells = lines[3].split(separator: " ").suffix(4).map(String.init)
        #expect(cells == ["30", "10", "10", "1,020"], "\(lines)")
        #expect(lines[3].hasPrefix("closed-port, proven  no socket  10.0.0.2"))
        // Without anything new all but the sum goes down.
        let later = table.lines(at: 300 * Self.second, width: 120, height: 24, isUnicode: true)
        #expect(later[3].split(separator: " ").suffix(4).map(String.init) == ["0", "0.0", "3.4", "1,020"], "\(later)")
    }

    @Test(arguments: [(40, 5), (80, 24), (200, 3), (10, 2), (1, 1)])
    func theTableFitsItsWindow(_ width: Int, _ height: Int) {
        var table = TopTable(at: 0)
        table.add(Self.resets(1..<100), at: 1)
        table.add(Self.resets(1..<100, cause: .lingerZero), at: 1)
        let lines = table.lines(at: 2, width: width, height: height, isUnicode: true)
        #expect(lines.count <= height && lines.allSatisfy { $0.columns <= width }, "\(lines)")
    }

    @Test func itIsSortedByWhatIsAskedFor() {
        var table = TopTable(at: 0)
        table.add(Self.resets(1..<10, cause: .lingerZero), at: 1)
        table.add(Self.resets(1..<3), at: Self.second + 1)
        func first(_ order: TopTable.Order) -> String {
            table.order = order
            return String(
                table.lines(at: 2 * Self.second, width: 120, height: 24, isUnicode: true)[3].prefix { $0 != "," })
        }
        #expect(first(.second) == "closed-port" && first(.all) == "linger-zero" && first(.minute) == "linger-zero")
        #expect(first(.cause) == "closed-port")
    }

    @Test func peersAreBounded() {
        var table = TopTable(at: 0)
        for number in 0..<TopTable.mostRows + 500 {
            let tuple = FourTuple(
                source: IPAddress(ipv4: 1), sourcePort: 80, destination: IPAddress(ipv4: UInt32(number)),
                destinationPort: 4000)
            table.add(
                ResetList([
                    Reset(
                        time: 0, tuple: tuple, direction: .sent, outcome: .matched, sightings: [], cause: .closedPort,
                        category: .refused, certainty: .proven, summary: "", evidence: [])
                ]), at: 1)
        }
        table.order = .all
        let lines = table.lines(at: 2, width: 120, height: 5, isUnicode: true)
        #expect(lines[3].contains("other") && lines[3].hasSuffix(" 500"), "\(lines)")
    }
}

import CaptureFile
import NetworkTypes
import PcapReader
import Testing

@Suite struct SharedCapturesTests {
    @Test(.enabled(if: !SharedCapture.all.isEmpty))
    func hasAllCaptures() {
        #expect(SharedCapture.all.count == 185)
    }

    @Test(arguments: SharedCapture.all)
    func agreesWithTshark(_ capture: SharedCapture) throws {
        if let refused = Self.refused[capture.file] {
            #expect(throws: refused) { try InputFile(path: capture.path).scan(selecting: .resets) { _ in } }
            return
        }
        var resets: [CapturedSegment] = []
        let summary = try InputFile(path: capture.path).scan(selecting: .resets) { resets.append($0) }
        #expect(summary.packets == capture.packets)
        #expect(summary.tcpSegments == capture.tcpPackets)
        #expect(summary.resets == capture.resets)
        #expect(resets.count == capture.resets)
        #expect(resets.allSatisfy { $0.segment.flags.contains(.rst) })
    }

    /// The three ways of selecting see the same segments.
    @Test(arguments: SharedCapture.all)
    func selectionsAgree(_ capture: SharedCapture) throws {
        guard Self.refused[capture.file] == nil else { return }
        let file = try InputFile(path: capture.path)
        var all: [CapturedSegment] = []
        let summaryOfAll = try file.scan(selecting: .all) { all.append($0) }
        var resets: [CapturedSegment] = []
        let summaryOfResets = try file.scan(selecting: .resets) { resets.append($0) }
        #expect(summaryOfAll == summaryOfResets)
        #expect(all.count == summaryOfAll.tcpSegments)
        #expect(resets == all.filter { $0.segment.flags.contains(.rst) })
        let flows = Set(all.enumerated().filter { $0.offset % 3 == 0 }.map(\.element.segment.tuple))
        var ofFlows: [CapturedSegment] = []
        let summaryOfFlows = try file.scan(selecting: .flows(ConnectionFilter(flows))) { ofFlows.append($0) }
        #expect(summaryOfFlows == summaryOfAll)
        #expect(ofFlows.allSatisfy { $0.connection >= 0 })
        for index in ofFlows.indices { (ofFlows[index].connection, ofFlows[index].isReversed) = (-1, false) }
        #expect(
            ofFlows
                == all.filter { flows.contains($0.segment.tuple) || flows.contains($0.segment.tuple.reversed) })
    }

    /// Files that are not captures of a supported format.
    static let refused: [String: CaptureError] = [
        "PcapPlusPlus/Tests__ExamplesTest__pcap_examples__solaris.snoop":
            .notACapture(prefix: Array("snoop\0\0\0".utf8))
    ]
}

import NetworkTypes
import Testing

@testable import Correlator

@Suite struct ReportDifferenceTests {
    private func reset(
        _ cause: Cause = .closedPort, from port: UInt16 = 80, to clientPort: UInt16 = 40000,
        certainty: Certainty = .proven, process: String? = nil, opener: ConnectionSummary.Opener? = nil, time: Int64 = 0
    ) -> Reset {
        let tuple = FourTuple(
            source: IPAddress(ipv4: 0x0a00_0001), sourcePort: port, destination: IPAddress(ipv4: 0x0a00_0002),
            destinationPort: clientPort)
        var reset = Reset(
            time: time, tuple: tuple, direction: .sent, outcome: .matched, sightings: [], cause: cause,
            category: .unknown, certainty: certainty, summary: "s.", evidence: [])
        reset.id = 1
        if let process { reset.process = Reset.Process(pid: Int32(clientPort), comm: process, role: .owner) }
        if let opener { reset.flow = ConnectionSummary(opener: opener, acceptance: "unknown") }
        return reset
    }

    private func kinds(_ resets: [Reset]) -> ResetKinds {
        ResetKinds(
            ResetList(
                resets.enumerated().map { number, reset in
                    var reset = reset
                    reset.id = number + 1
                    return reset
                }))
    }

    private func differences(_ before: [Reset], _ after: [Reset]) -> [String] {
        ReportDifference.between(kinds(before), kinds(after)).map(\.description)
    }

    @Test func timesClientPortsAndProcessNumbersDoNotCount() {
        #expect(
            differences(
                [reset(to: 40000, process: "app", time: 5), reset(to: 40002)],
                [reset(to: 50000), reset(to: 50001, process: "app", time: 9)]) == [])
    }

    @Test func whatAppearedVanishedOrChangedIsNamed() {
        #expect(differences([], [reset()]) == ["appeared: 10.0.0.1:80 > 10.0.0.2: 1 closed-port, proven"])
        #expect(
            differences([reset(.lingerZero, process: "app"), reset()], [])
                == ["vanished: 10.0.0.1:80 > 10.0.0.2: 1 closed-port, proven; 1 linger-zero, proven (app)"])
        #expect(
            differences([reset(), reset()], [reset()])
                == ["changed: 10.0.0.1:80 > 10.0.0.2: 1 closed-port, proven, previously 2 closed-port, proven"])
        #expect(
            differences([reset()], [reset(certainty: .inferred)])
                == ["changed: 10.0.0.1:80 > 10.0.0.2: 1 closed-port, inferred, previously 1 closed-port, proven"])
    }

    @Test func theyAreSortedByChangeAndPlace() {
        let before = [reset(from: 80), reset(from: 81)]
        let after = [reset(from: 81), reset(from: 81), reset(from: 83), reset(from: 82)]
        #expect(
            ReportDifference.between(kinds(before), kinds(after)).map { "\($0.change) \($0.place)" }
                == [
                    "appeared 10.0.0.1:82 > 10.0.0.2", "appeared 10.0.0.1:83 > 10.0.0.2",
                    "changed 10.0.0.1:81 > 10.0.0.2", "vanished 10.0.0.1:80 > 10.0.0.2",
                ])
    }

    /// Whoever connected has the port of a client, however low it is; of two high ports nobody knows which is the service's.
    @Test(arguments: [
        (UInt16(80), UInt16(40000), ConnectionSummary.Opener?.none, "10.0.0.1:80 > 10.0.0.2"),
        (50000, 40000, nil, "10.0.0.1 > 10.0.0.2"), (50000, 40000, .receiver, "10.0.0.1:50000 > 10.0.0.2"),
        (50000, 40000, .sender, "10.0.0.1 > 10.0.0.2:40000"), (80, 443, .sender, "10.0.0.1 > 10.0.0.2:443"),
    ])
    func thePortThatCountsIsTheServices(
        _ source: UInt16, _ destination: UInt16, _ opener: ConnectionSummary.Opener?, _ place: String
    ) {
        #expect(ResetKind(reset(from: source, to: destination, opener: opener)).place.description == place)
    }

    /// What a document says is what the report says that it was made from.
    @Test func aDocumentIsReadBack() throws {
        let json = """
            {"schema":"rst-report/1","resets":[
            {"src":"10.0.0.1","src_port":80,"dst":"10.0.0.2","dst_port":40000,"cause":"closed-port","certainty":"proven",
             "process":{"comm":"app","pid":7}},
            {"src":"fd00::1","src_port":50000,"dst":"fd00::2","dst_port":40000,"cause":"a-later-word","certainty":"inferred",
             "flow":{"opened_by":"dst"}}]}
            """
        let read = try ResetKinds(json: Array(json.utf8))
        #expect(read.counts.values.reduce(0, +) == 2)
        #expect(
            ReportDifference.between(kinds([reset(process: "app")]), read).map(\.description)
                == ["appeared: [fd00::1]:50000 > fd00::2: 1 a-later-word, inferred"])
    }

    @Test(arguments: [
        #"{"schema":"rst-report/1","resets":{}}"#, #"{"schema":"rst-report/1","resets":[7]}"#,
        #"{"schema":"rst-report/1","resets":[{"src":"10.0.0.1","src_port":70000}]}"#, #"{"schema":1,"resets":[]}"#,
        "", "null",
    ])
    func whatIsNoReportIsRefused(_ json: String) {
        #expect(throws: ResetKinds.NotAReport.self) { try ResetKinds(json: Array(json.utf8)) }
    }
}

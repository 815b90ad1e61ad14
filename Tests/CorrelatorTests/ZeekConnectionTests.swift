import NetworkTypes
import PcapReader
import Testing

@testable import Correlator

@Suite struct ZeekConnectionTests {
    /// What the logs of Zeek 8 say of connections in the traces of its own tests: history, then conn_state.
    static let logged: [(history: String, state: String)] = [
        ("ADF", "SH"), ("D", "OTH"), ("DAF", "SH"), ("Da", "OTH"), ("DaFfA", "SF"), ("Dd", "OTH"), ("DdA", "OTH"),
        ("Dr", "RSTRH"), ("Fa", "SH"), ("FafA", "SF"), ("H", "OTH"), ("R", "OTH"), ("S", "S0"), ("SAD", "S0"),
        ("SADF", "SH"), ("Sh", "S1"), ("ShADFaf", "SF"), ("ShADadFR", "RSTO"), ("ShADadFRf", "SF"),
        ("ShADadFr", "RSTR"), ("ShADadR", "RSTO"), ("ShADadfFr", "SF"), ("ShADadfR", "RSTO"), ("ShADd", "S1"),
        ("ShADdFar", "RSTR"), ("ShADdaF", "S2"), ("ShADdf", "S3"), ("ShAadDfFr", "SF"), ("ShAdDafr", "RSTR"),
        ("ShAdfFa", "SF"), ("ShR", "RSTO"), ("Sr", "REJ"), ("^d", "OTH"), ("^fA", "SHR"), ("^h", "OTH"),
        ("^hADd", "S1"), ("^hadf", "SHR"), ("^hdaf", "SHR"), ("^r", "RSTRH"),
    ]

    /// The segments that a history tells of: capitals are the originator's, a beginning `^` says that the first segment was
    /// taken for an answer.
    private static func segments(_ history: String) -> (notes: [(note: SegmentNote, side: Int)], flips: Bool) {
        var conversation = Conversation()
        var sides: [Int] = []
        for letter in history where letter != "^" {
            let flags: [Character: TCPFlags] = [
                "s": .syn, "h": [.syn, .ack], "a": .ack, "d": [.psh, .ack], "f": [.fin, .ack], "r": [.rst, .ack],
            ]
            guard let known = flags[Character(letter.lowercased())] else { continue }
            let isOriginator = letter.isUppercase
            conversation.send(isOriginator ? .client : .server, known, length: letter.lowercased() == "d" ? 10 : 0)
            sides.append(isOriginator ? 0 : 1)
        }
        return (zip(conversation.segments.map(SegmentNote.init), sides).map { ($0, $1) }, history.hasPrefix("^"))
    }

    @Test(arguments: logged)
    func aHistoryHasTheStateThatZeekLogs(_ history: String, _ state: String) {
        let (segments, flips) = Self.segments(history)
        var zeek = ZeekConnection()
        for (note, side) in segments {
            #expect(!zeek.isOver(before: note))
            zeek.take(note, side: side, flipsRoles: flips)
        }
        #expect(zeek.state.rawValue == state)
    }

    /// Zeek forgets a connection five seconds after its end, an attempt five seconds after its SYN, and any after five
    /// minutes of silence.
    @Test(arguments: [
        ("ShADadR", 4.9, false), ("ShADadR", 5.1, true), ("ShADadfF", 5.1, true), ("S", 4.9, false), ("S", 5.1, true),
        ("ShADad", 299, false), ("ShADad", 301, true), ("ShADadF", 299, false),
    ])
    func isForgottenInTime(_ history: String, _ seconds: Double, _ isOver: Bool) {
        var (segments, flips) = Self.segments(history + "A")
        let last = segments.removeLast()
        var zeek = ZeekConnection()
        for (note, side) in segments { zeek.take(note, side: side, flipsRoles: flips) }
        var late = last.note
        late.time = (segments.last?.note.time ?? 0) + Int64(seconds * 1e9)
        #expect(zeek.isOver(before: late) == isOver)
    }

    /// Each RST has the state of the connection that Zeek counts it to.
    @Test func theSamePortsLaterAreAnotherConnection() {
        var conversation = Conversation()
        conversation.send(.client, .syn)
        conversation.send(.server, [.syn, .ack])
        conversation.send(.client, [.rst, .ack])
        conversation.time += 10_000_000_000
        conversation.send(.client, [.psh, .ack], length: 10)
        conversation.send(.server, [.rst, .ack])
        #expect(conversation.resets.map(\.connectionState) == ["RSTO", "RSTRH"])
    }
}

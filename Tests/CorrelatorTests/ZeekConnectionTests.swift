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

    /// The segments that a history describes: capitals are the client's, `P` is a RST with data. A number after a space is a
    /// pause in seconds.
    private static func conversation(_ text: String, serverPort: UInt16 = 80) -> Conversation {
        let flags: [Character: TCPFlags] = [
            "s": .syn, "h": [.syn, .ack], "a": .ack, "d": [.psh, .ack], "f": [.fin, .ack], "r": [.rst, .ack],
            "p": [.rst, .ack],
        ]
        var conversation = Conversation()
        conversation.serverPort = serverPort
        for word in text.split(separator: " ") {
            if let pause = Double(word) {
                conversation.time += Int64(pause * 1e9)
                continue
            }
            for letter in word {
                let kind = Character(letter.lowercased())
                guard let known = flags[kind] else { continue }
                let hasData = kind == "d" || kind == "p"
                let acknowledgesUnseenSyn = kind == "h" && conversation.clientSeq == 1000
                conversation.send(letter.isUppercase ? .client : .server, known, length: hasData ? 10 : 0) {
                    // A SYN is always the same one.
                    if kind == "s" { $0.seq = 1000 }
                    if acknowledgesUnseenSyn { $0.ack = 1001 }
                }
            }
        }
        return conversation
    }

    /// Times are what the file says: none of them may trap.
    @Test(arguments: [(Int64(0), Int64.max), (.min, .max), (.max, .min), (0, 9_200_000_000_000_000_000)])
    func anyTimesAreTaken(_ first: Int64, _ last: Int64) {
        var zeek = ZeekConnection()
        for (number, flags) in [TCPFlags.syn, [.syn, .ack], [.fin, .ack], .rst, .ack].enumerated() {
            var segment = TCPSegment(tuple: World.tuple)
            segment.flags = flags
            for time in [first, last] {
                let note = SegmentNote(
                    CapturedSegment(segment: segment, number: number, offset: 0, time: time, interface: 0))
                _ = zeek.isOver(before: note)
                zeek.take(note, side: number % 2, sourcePort: 22, destinationPort: 40000)
            }
        }
        #expect(zeek.state != .s0)
    }

    /// Of a history alone: it says with `^` that the roles were flipped, and otherwise that they were not.
    private static func connection(_ history: String) -> (zeek: ZeekConnection, segments: [CapturedSegment]) {
        let segments = conversation(history, serverPort: history.hasPrefix("^") ? 80 : 9000).segments
        var zeek = ZeekConnection()
        for segment in segments {
            let tuple = segment.segment.tuple
            zeek.take(
                SegmentNote(segment), side: tuple.source == Conversation.client ? 0 : 1, sourcePort: tuple.sourcePort,
                destinationPort: tuple.destinationPort)
        }
        return (zeek, segments)
    }

    @Test(arguments: logged)
    func aHistoryHasTheStateThatZeekLogs(_ history: String, _ state: String) {
        #expect(Self.connection(history).zeek.state.rawValue == state)
    }

    /// Zeek forgets a connection five seconds after its end, an attempt five seconds after its SYN, and any after five
    /// minutes of silence.
    @Test(arguments: [
        ("ShADadR", 4.9, false), ("ShADadR", 5.1, true), ("ShADadfF", 5.1, true), ("S", 4.9, false), ("S", 5.1, true),
        ("ShADad", 299, false), ("ShADad", 301, true), ("ShADadF", 299, false),
    ])
    func isForgottenInTime(_ history: String, _ seconds: Double, _ isOver: Bool) {
        let (zeek, segments) = Self.connection(history)
        var late = SegmentNote(segments[segments.count - 1])
        late.flags = .ack
        late.time += Int64(seconds * 1e9)
        #expect(zeek.isOver(before: late) == isOver)
    }

    /// Each RST has the state of the connection that Zeek counts it to.
    @Test(arguments: [
        ("ShR 10 Dr", 80, ["RSTO", "RSTRH"]),
        // Interactive protocols may be silent for an hour.
        ("ShADad 600 r", 22, ["RSTR"]), ("ShADad 600 R", 22, ["RSTO"]), ("ShADad 600 r", 80, ["RSTRH"]),
        ("ShADad 3700 r", 22, ["RSTRH"]),
        // A SYN+ACK and then traffic: its SYN was not captured.
        ("hADr", 9000, ["RSTRH"]), ("hADR", 9000, ["RSTO"]), ("hADr", 80, ["RSTR"]),
        // SYN and SYN+ACK in the wrong order.
        ("hSAR", 9000, ["RSTO"]), ("hSAr", 9000, ["RSTR"]), ("hSAR", 80, ["RSTO"]),
        // The same SYN again, after a refusal.
        ("Sr 0.5 ShADdR", 80, ["REJ", "RSTO"]),
        // Which end the server's is.
        ("r", 5432, ["RSTRH"]), ("r", 389, ["RSTRH"]), ("r", 9000, ["OTH"]), ("R", 80, ["OTH"]),
        // The second end puts off the end of the connection.
        ("Sr 3 R 3 r", 80, ["REJ", "REJ", "REJ"]), ("Sr 3 R 6 r", 80, ["REJ", "REJ", "RSTRH"]),
        // What a RST carries is not data of the connection.
        ("SpR", 80, ["REJ", "REJ"]),
    ])
    func resetsOfConnections(_ text: String, _ serverPort: UInt16, _ states: [String]) {
        #expect(Self.conversation(text, serverPort: serverPort).resets.map(\.connectionState) == states)
    }
}

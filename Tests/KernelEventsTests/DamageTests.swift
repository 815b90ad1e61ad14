import KernelEvents
import NetworkTypes
import Testing

private let emit =
    #"{"type":"emit","mono_ns":5,"src":"10.0.0.1","sport":80,"dst":"10.0.0.2","dport":40000,"flags":"R"}"#

/// A line with one field in place of another: `emit(#""sport":80"#, #""sport":-1"#)`.
private func emit(_ field: String, _ other: String) -> String {
    let parts = emit.split(separator: field, omittingEmptySubsequences: false)
    precondition(parts.count == 2, "no such field")
    return parts.joined(separator: other)
}

@Suite struct DamageTests {
    @Test func windowsNewlinesBlankLinesAndAByteOrderMarkAreRead() throws {
        let recording = try decode("\u{feff}\r\n" + emit + "\r\n\r\n  \t\r\n" + emit + "\r\n")
        #expect(recording.events.map(\.line) == [2, 5])
        #expect(recording.damagedLines == 0)
        #expect(try decode("\u{feff}" + emit).events.count == 1)
    }

    @Test func whiteSpaceKeyOrderUnknownKeysAndNullDoNotMatter() throws {
        let text =
            "  { \"dport\" : 40000 ,\t\"x\":[1,{\"y\":[true,false,null,-1.5e+3,\"\\u00e9\"]},[]], \"src\":\"10.0.0.1\", "
            + "\"flags\":\"R\", \"dst\":\"10.0.0.2\", \"sport\":80,\"a_very_long_unknown_key_indeed\":{}, \"ack\":null, "
            + "\"mono_ns\": 5, \"task\":null, \"socket\":null, \"trigger\":null,\"ifname\" : null , \"type\":\"emit\"} "
        #expect(try decode(text).events == decode(emit).events)
    }

    @Test func keysMayBeWrittenWithEscapes() throws {
        #expect(try decode(emit(#""sport":80"#, #""\u0073port":80"#)).events == decode(emit).events)
        #expect(try decode(emit(#""type":"emit""#, #""t\u0079pe":"em\u0069t""#)).events == decode(emit).events)
    }

    @Test func ofAKeyThatComesTwiceTheLastCounts() throws {
        #expect(try decode(emit(#""sport":80"#, #""sport":80,"sport":81"#)).events[0].tuple.sourcePort == 81)
    }

    @Test(arguments: [
        (#""sport":80"#, #""sport":65536"#, "sport"), (#""sport":80"#, #""sport":-1"#, "sport"),
        (#""sport":80"#, #""sport":80.0"#, "sport"), (#""sport":80"#, #""sport":8e1"#, "sport"),
        (#""sport":80"#, #""sport":"80""#, "sport"), (#""sport":80"#, #""sport":080"#, "sport"),
        (#""sport":80"#, #""sport":1e400"#, "sport"), (#""sport":80"#, #""sport":+80"#, "sport"),
        (#""sport":80"#, #""sport":true"#, "sport"), (#""sport":80"#, #""sport":"#, "sport"),
        (#""sport":80"#, #""sport":99999999999999999999999999999999"#, "sport"),
        (#""sport":80"#, #""sport":18446744073709551616"#, "sport"),
        (#""sport":80,"#, "", "sport is missing"), (#""src":"10.0.0.1","#, "", "src is missing"),
        (#""sport":80"#, #""sport":null"#, "sport is missing"),
        (#""mono_ns":5,"#, "", "mono_ns is missing"), (#""mono_ns":5"#, #""mono_ns":-5"#, "mono_ns"),
        (#""mono_ns":5"#, #""mono_ns":4611686018427387904"#, "mono_ns"),
        (#""mono_ns":5"#, #""mono_ns":-9223372036854775808"#, "mono_ns"),
        (#""10.0.0.1""#, #""10.0.0.256""#, "src"), (#""10.0.0.1""#, #""10.0.0""#, "src"),
        (#""10.0.0.1""#, #""""#, "src"), (#""10.0.0.1""#, #""1::2::3""#, "src"), (#""10.0.0.1""#, #"1"#, "src"),
        (#""R""#, #""Q""#, "flags"), (#""R""#, #""R"#, "quote"), (#""R""#, "\"R\u{1}\"", "control"),
        (#""R""#, #""R\x""#, "escape"), (#""R""#, #""R\u12"#, "hexadecimal"),
        (#""flags":"R""#, #""skb":"0x""#, "skb"), (#""flags":"R""#, #""skb":"ffff""#, "skb"),
        (#""flags":"R""#, #""skb":"0x11112222333344445""#, "skb"), (#""flags":"R""#, #""skb":12"#, "skb"),
        (#""flags":"R""#, #""stack":-1"#, "stack"), (#""flags":"R""#, #""stack":2147483648"#, "stack"),
        (#""flags":"R""#, #""cpu":-1"#, "cpu"), (#""flags":"R""#, #""task":[]"#, "object"),
        (#""flags":"R""#, #""task":{"pid":-1}"#, "pid"), (#""flags":"R""#, #""socket":{"dead":1}"#, "dead"),
        (#""flags":"R""#, #""socket":{"linger2":-2147483649}"#, "linger2"),
        (#""flags":"R""#, #""socket":{"cookie":18446744073709551616}"#, "cookie"),
        (#""flags":"R""#, #""x":[1,]"#, "expected"), (#""flags":"R""#, #""x":{,}"#, "key"),
        (#""flags":"R""#, #""x":tru"#, "expected"), (#""flags":"R""#, #""x":1."#, "expected"),
        (#""flags":"R""#, #""x" 1"#, "colon"), (#""flags":"R"}"#, #""flags":"R"}}"#, "after the end"),
        (#""flags":"R"}"#, #""flags":"R","}"#, "quote"), (#""flags":"R"}"#, #""flags":"R",}"#, "key"),
        (#""flags":"R"}"#, "\"flags\":\"R\"} garbage", "after the end"),
        (#""dport":40000,"#, #""dport":40000"#, "comma"),
        (#""type":"emit","#, "", "no \"type\""), (#"{"type""#, #"x{"type""#, "object"),
        (#"{"type""#, #"[{"type""#, "object"),
    ])
    func aBadLineIsNamedAndCostsOnlyItself(field: String, other: String, wanted: String) throws {
        let recording = try decode(emit + "\n" + emit(field, other) + "\n" + emit + "\n")
        #expect(recording.events.map(\.line) == [1, 3])
        #expect(recording.damagedLines == 1)
        let damage = try #require(recording.damage.first)
        #expect(damage.line == 2)
        #expect(damage.offset == emit.utf8.count + 1)
        #expect(damage.problem.contains(wanted), "\(damage.problem)")
    }

    @Test func limitsThemselvesAreRead() throws {
        let extremes =
            #""flags":"R","seq":4294967295,"window":65535,"ttl":255,"stack":2147483647,"#
            + #""socket":{"cookie":18446744073709551615,"linger2":-2147483647,"inode":0}"#
        let event = try decode(emit(#""flags":"R""#, extremes)).events[0]
        #expect(event.seq == .max && event.window == .max && event.ttl == .max && event.stack == Int(Int32.max))
        #expect(event.socket?.cookie == .max && event.socket?.linger2 == -Int32.max)
        #expect(try decode(emit(#""mono_ns":5"#, #""mono_ns":4611686018427387903"#)).events[0].monotonic == 1 << 62 - 1)
    }

    @Test func onlyTheFirstDamagedLinesAreNamed() throws {
        let recording = try decode(emit + "\n" + String(repeating: "{\n", count: 500))
        #expect(recording.damagedLines == 500)
        #expect(recording.damage.count == RecordingDecoder.namedDamage)
        #expect(recording.damage.map(\.line) == Array(2...21))
    }

    @Test func aFileCutAnywhereLosesOnlyItsLastLine() throws {
        var samples = Samples(seed: 7)
        let (recording, bytes) = samples.recording(events: 12)
        var lineEnds = bytes.indices.filter { bytes[$0] == 0x0a }
        for count in 0...bytes.count {
            let cut = Array(bytes.prefix(count))
            let whole = lineEnds.filter { $0 < count }.count
            // A line that only lacks its newline is whole.
            let isCut = !cut.isEmpty && cut.last != 0x0a && !lineEnds.contains(count)
            guard whole > 0 || (!cut.isEmpty && !isCut) else {
                #expect(throws: EventsError.self) { try RecordingDecoder.decode(cut) }
                continue
            }
            let read = try RecordingDecoder.decode(cut)
            #expect(read.damagedLines == (isCut ? 1 : 0))
            if isCut { #expect(read.damage[0].problem.hasPrefix("the file ends in the middle of the line")) }
            let lines = cut.last == 0x0a || isCut ? whole : whole + 1
            #expect(read.events == recording.events.filter { $0.line <= lines })
            if count < bytes.count - 1 { #expect(read.footer == nil) }
        }
        lineEnds.removeAll()
    }

    @Test func mutatedBytesNeverTrap() throws {
        var samples = Samples(seed: 11)
        let (_, bytes) = samples.recording(events: 30)
        let interesting: [UInt8] = Array(#"{}[]",:\0919-eE.nutf"#.utf8) + [0, 0x0a, 0x0d, 0x7f, 0x80, 0xc2, 0xff]
        var read = 0
        for _ in 0..<4000 {
            var mutated = bytes
            for _ in 0..<Int.random(in: 1...8, using: &samples.random) {
                let index = mutated.indices.randomElement(using: &samples.random)!
                switch Int.random(in: 0..<4, using: &samples.random) {
                case 0: mutated[index] = interesting.randomElement(using: &samples.random)!
                case 1: mutated[index] ^= 1 << UInt8.random(in: 0..<8, using: &samples.random)
                case 2: mutated.remove(at: index)
                default: mutated.insert(interesting.randomElement(using: &samples.random)!, at: index)
                }
            }
            guard let recording = try? RecordingDecoder.decode(mutated) else { continue }
            read += recording.events.count
            // What was read can be written and read again as the same.
            var encoder = EventEncoder()
            for event in recording.events { encoder.append(event: event) }
            guard !recording.events.isEmpty else { continue }
            var again = try RecordingDecoder.decode(encoder.copy()).events
            for index in again.indices { again[index].line = recording.events[index].line }
            // A redefined stack has a name that no file can hold.
            guard recording.events.allSatisfy({ ($0.stack ?? 0) >= 0 }) else { continue }
            #expect(again == recording.events)
        }
        #expect(read > 10_000)
    }

    @Test func deepNestingIsALineProblemNotARecursion() throws {
        for (open, close) in [("[", "]"), (#"{"a":"#, "}")] {
            for depth in [10, 60, 100, 200_000] {
                let bomb = String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
                let recording = try decode(emit + "\n" + emit(#""flags":"R""#, #""x":"# + bomb) + "\n")
                #expect(recording.damagedLines == (depth > 64 ? 1 : 0))
                #expect(recording.events.count == (depth > 64 ? 1 : 2))
            }
        }
        #expect(throws: EventsError.self) { try decode(String(repeating: "[", count: 1_000_000)) }
        #expect(ForeignEvents.decode(Array(repeating: UInt8(ascii: "{"), count: 1000)) == nil)
    }

    @Test func hugeNumbersWhereNobodyReadsThemDoNotMatter() throws {
        let huge = #""x":1e400,"y":-0.0E-999,"z":"# + String(repeating: "9", count: 5000)
        #expect(try decode(emit(#""flags":"R""#, huge)).events.count == 1)
    }

    @Test(arguments: [
        (#"\ud83e\udd8a"#, "🦊"), (#"\ud83e"#, "\u{fffd}"), (#"\udd8a\ud83e"#, "\u{fffd}\u{fffd}"),
        (#"\ud83ex"#, "\u{fffd}x"), (#"\ud83e\n"#, "\u{fffd}\n"), (#"\ud83eA"#, "\u{fffd}A"),
        (#"\u0000"#, "\0"), (#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"), (#"\uFFFF"#, "\u{ffff}"),
        (#"\ud83e\ud83e\udd8a"#, "\u{fffd}🦊"),
    ])
    func escapesAreResolved(escaped: String, text: String) throws {
        let recording = try decode(emit(#""flags":"R""#, #""ifname":""# + escaped + #"""#))
        #expect(recording.events[0].ifname == text)
    }

    @Test func bytesThatAreNotUTF8BecomeReplacementCharacters() throws {
        let parts = emit(#""flags":"R""#, #""ifname":"@""#).split(separator: "@").map { Array($0.utf8) }
        let recording = try RecordingDecoder.decode(parts[0] + [0x61, 0xff, 0xc3] + parts[1])
        #expect(recording.events[0].ifname == "a\u{fffd}\u{fffd}")
    }

    @Test func aHugeLineIsReadAndATooHugeOneIsDamaged() throws {
        let long = emit(#""flags":"R""#, #""x":""# + String(repeating: "a", count: 1 << 20) + #"""#)
        #expect(try decode(long + "\n" + emit).events.count == 2)
        let tooLong = emit(#""flags":"R""#, #""x":""# + String(repeating: "a", count: 17 << 20) + #"""#)
        let bytes = (emit + "\n" + tooLong + "\n" + emit + "\n").bytes
        let whole = try RecordingDecoder.decode(bytes)
        #expect(whole.events.map(\.line) == [1, 3])
        #expect(whole.damage.map(\.line) == [2])
        #expect(whole.damage[0].problem.contains("16 MiB"))
        // In chunks it is not even kept.
        var decoder = RecordingDecoder()
        for start in stride(from: 0, to: bytes.count, by: 1 << 20) {
            try decoder.feed(bytes[start..<min(start + 1 << 20, bytes.count)].span.bytes)
        }
        let chunked = try decoder.finish()
        #expect(chunked.events == whole.events)
        #expect(chunked.damage.map(\.line) == [2] && chunked.damage.map(\.offset) == whole.damage.map(\.offset))
    }

    @Test func unknownTypesAreIgnoredAndCounted() throws {
        let recording = try decode(
            emit + "\n{\"type\":\"weather\",\"x\":[{}]}\n{\"type\":\"emits\"}\n{\"x\":1,\"type\":\"y\"}\n")
        #expect(recording.ignoredLines == 3)
        #expect(recording.damagedLines == 0)
    }

    @Test func anUnknownStateOrContextIsNotKnown() throws {
        let line = emit(
            #""flags":"R""#, #""state":"NAPPING","previous_state":"CLO\u0053E","task":{"pid":1,"context":"nmi"}"#)
        let event = try decode(line).events[0]
        #expect(event.state == nil)
        #expect(event.previousState == .close)
        #expect(event.task == .init(pid: 1, tid: 1, uid: ResetEvent.Task.unknownUID, comm: "", context: nil))
    }

    @Test func halfATriggerIsNone() throws {
        let event = try decode(emit(#""flags":"R""#, #""trigger":{"flags":"S","seq":1}"#)).events[0]
        #expect(event.trigger == nil)
    }

    @Test func anEventKeepsTheIdOfAStackThatIsNotThere() throws {
        let recording = try decode(emit(#""flags":"R""#, #""stack":9"#))
        #expect(recording.events[0].stack == 9)
        #expect(recording.stacks.isEmpty)
    }

    @Test func aRedefinedStackKeepsItsFirstMeaningForEarlierEvents() throws {
        let event = emit(#""flags":"R""#, #""stack":1"#)
        let first = #"{"type":"stack","id":1,"frames":["a"]}"#
        let second = #"{"type":"stack","id":1,"frames":["b"]}"#
        let recording = try decode([first, event, first, event, second, event, first, event].joined(separator: "\n"))
        let frames = recording.events.map { recording.stacks[$0.stack!] }
        #expect(frames == [["a"], ["a"], ["b"], ["a"]])
    }
}

@Suite struct SchemaTests {
    private let header = #"{"type":"recording","schema":"rst-events/1","clock":{"realtime_ns":2,"monotonic_ns":1}}"#

    @Test func aFileWithoutHeaderIsRead() throws {
        let recording = try decode(emit)
        #expect(recording.header == nil && recording.footer == nil && recording.timebase == .monotonic)
    }

    @Test func aHeaderAloneIsARecording() throws {
        let recording = try decode(header)
        #expect(recording.header?.clock == ClockSample(monotonic: 1, realtime: 2, uncertainty: nil))
        #expect(recording.header?.schema == "rst-events/1")
    }

    @Test(arguments: ["rst-events/2", "rst-events/1.1", "rst-report/1", ""])
    func anotherSchemaIsAnErrorThatNamesBoth(schema: String) {
        let newer = #"{"type":"recording","schema":""# + schema + #"","clock":[],"future":1}"#
        let error = EventsError.unsupportedSchema(found: schema, supported: "rst-events/1", line: 2)
        #expect(throws: error) { try decode("\n" + newer + "\n" + emit) }
        #expect(error.description.contains("\"\(schema)\"") && error.description.contains("rst-events/1"))
    }

    @Test func aHeaderThatCannotBeReadCostsOnlyItself() throws {
        for broken in [
            #"{"type":"recording","clock":{"realtime_ns":2,"monotonic_ns":1}}"#,
            #"{"type":"recording","schema":"rst-events/1"}"#,
            #"{"type":"recording","schema":"rst-events/1","clock":{"realtime_ns":2}}"#,
        ] {
            let recording = try decode(broken + "\n" + emit)
            #expect(recording.header == nil && recording.events.count == 1 && recording.damagedLines == 1)
        }
    }

    @Test func aSecondRecordingInTheFileIsNotMixedIntoTheFirst() throws {
        let recording = try decode([header, emit, header, emit, emit, ""].joined(separator: "\n"))
        #expect(recording.events.map(\.line) == [2])
        #expect(recording.damagedLines == 3)
        #expect(recording.damage[0].problem.contains("second recording"))
    }

    @Test(arguments: [
        ("", "empty"), ("\n\n", "empty"), ("hello\nworld\n", "line 1"), ("{}\n", "no \"type\""),
        (#"{"type":"weather"}"#, "1 lines has a type"), (#"{"schema":"rst-report/1"}"#, "no \"type\""),
        ("\0\0\0", "line 1"),
    ])
    func whatIsNoRecordingIsAnError(text: String, wanted: String) throws {
        let error = try #require(throws: EventsError.self) { try decode(text) }
        guard case .notARecording(let problem) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(problem.contains(wanted))
    }

    @Test func eventsAreToldFromCapturesByContent() {
        #expect(RecordingDecoder.looksLikeEvents(header.bytes))
        #expect(RecordingDecoder.looksLikeEvents("\u{feff}\r\n\n  {\"type\"".bytes))
        #expect(RecordingDecoder.looksLikeEvents("damaged first line\n{\"type\":\"emit\"".bytes))
        #expect(RecordingDecoder.looksLikeEvents("# tracer: nop\n#\n".bytes))
        #expect(RecordingDecoder.looksLikeEvents("  a-1 [0] 1.5: tcp_send_reset: skbaddr".bytes))
        #expect(!RecordingDecoder.looksLikeEvents([]))
        #expect(!RecordingDecoder.looksLikeEvents("hello".bytes))
        // pcap, pcapng, both byte orders; a packet's payload may hold anything.
        for magic: [UInt8] in [
            [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0], [0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4],
            [0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0],
            [0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0], [0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28], [0x1f, 0x8b, 8, 0],
        ] {
            #expect(!RecordingDecoder.looksLikeEvents(magic + "\n{\"type\":\"emit\"}\n".bytes))
        }
    }
}

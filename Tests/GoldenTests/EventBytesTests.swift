import Foundation
import KernelEvents
import Testing

/// What recorders wrote is read and written again, byte for byte: encoder and reader agree on every field of every fixture.
@Suite struct EventBytesTests {
    @Test(arguments: FixtureTests.names) func eventsOfFixturesAreEncodedAsTheyWereRecorded(_ name: String) throws {
        let file = FixtureTests.fixtures.appending(path: name).appending(path: "events.jsonl")
        guard let data = try? Data(contentsOf: file) else { return }
        let recording = try RecordingDecoder.decode(Array(data))
        let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for event in recording.events where recording.header != nil {
            var encoder = EventEncoder()
            encoder.append(event: event)
            #expect(encoder.copy().dropLast().elementsEqual(lines[event.line - 1]))
        }
    }
}

import KernelEvents
import NetworkTypes
import Testing

@Suite struct RecordingSeriesTests {
    /// Whatever is in the files, and wherever one ends: together they say what an undivided recording says.
    @Test(arguments: UInt64(1)...40)
    func filesThatAreJoinedSayTheSame(seed: UInt64) throws {
        var samples = Samples(seed: seed)
        let (whole, bytes) = samples.recording(events: 60)
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
        let header = Array(lines.first ?? [])
        let cut = Int.random(in: 1..<lines.count, using: &samples.random)
        func decode(_ part: some Collection<ArraySlice<UInt8>>) throws -> Recording {
            try RecordingDecoder.decode(Array(part.map { Array($0) }.joined(separator: [UInt8(ascii: "\n")])) + [0x0a])
        }
        let first = try decode(lines[..<cut])
        let second = try decode([header[...]] + lines[cut...])
        let joined = Recording.joined([first, second])
        #expect(joined.stacks == whole.stacks)
        #expect(joined.losses == whole.losses && joined.interfaceChanges == whole.interfaceChanges)
        #expect(joined.containers == whole.containers)
        #expect(joined.footer == whole.footer && joined.header == whole.header)
        // The second header is a line too.
        func shifted(_ events: [ResetEvent]) -> [ResetEvent] {
            events.map { event in
                var event = event
                if event.line > cut { event.line += 1 }
                return event
            }
        }
        #expect(joined.events == shifted(whole.events) && joined.failures == shifted(whole.failures))
        #expect(joined.lines == whole.lines + 1)
    }

    @Test func countsAddUp() throws {
        var parts = [Recording(), Recording(), Recording()]
        for index in parts.indices {
            parts[index].footer = RecordingFooter(
                monotonic: Int64(index), events: 1 + index, lost: 10, captured: 100, kernelDropped: 1000)
        }
        parts[0].footer?.failure = "first"
        let footer = try #require(Recording.joined(parts).footer)
        #expect(footer.events == 6 && footer.lost == 30 && footer.captured == 300 && footer.kernelDropped == 3000)
        #expect(footer.monotonic == 2 && footer.failure == "first")
        parts[2].footer = nil
        #expect(Recording.joined(parts).footer == nil)
    }
}

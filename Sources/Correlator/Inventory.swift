import KernelEvents
import NetworkTypes
import PcapReader

/// The inputs side by side: resolves references and knows each event's wall-clock time.
struct Inventory {
    let captures: [CaptureInput]
    let recordings: [EventInput]
    private let clocks: [ClockModel?]

    init(captures: [CaptureInput], recordings: [EventInput]) {
        self.captures = captures
        self.recordings = recordings
        clocks = recordings.map { ClockModel($0.recording) }
    }

    func isEvent(_ reference: Reference) -> Bool { Int(reference.source) >= captures.count }

    func recordingIndex(_ reference: Reference) -> Int { Int(reference.source) - captures.count }

    func event(_ reference: Reference) -> ResetEvent {
        recordings[recordingIndex(reference)].recording.events[Int(reference.index)]
    }

    func packet(_ reference: Reference) -> CapturedSegment {
        captures[Int(reference.source)].resets[Int(reference.index)]
    }

    /// Whether the recording's events can be put on the wall clock.
    func hasClock(recording: Int) -> Bool { clocks[recording] != nil }

    /// The wall-clock time of an event; its monotonic time where the recording has no clock sample.
    func time(ofEvent event: ResetEvent, recording: Int) -> Int64 {
        clocks[recording]?.realtime(event.monotonic) ?? event.monotonic
    }

    func time(_ reference: Reference) -> Int64 {
        isEvent(reference)
            ? time(ofEvent: event(reference), recording: recordingIndex(reference)) : packet(reference).time
    }

    /// The exact key of a packet or of an emitted segment.
    func key(_ reference: Reference) -> ResetKey? {
        isEvent(reference) ? ResetKey(event(reference)) : ResetKey(packet(reference).segment)
    }

    func tuple(_ reference: Reference) -> FourTuple {
        isEvent(reference) ? event(reference).tuple : packet(reference).segment.tuple
    }

    /// All captured RSTs and all emitted ones; `decide` events are not observations of a packet.
    func observations() -> [Observation] {
        var result: [Observation] = []
        result.reserveCapacity(
            captures.reduce(0) { $0 + $1.resets.count } + recordings.reduce(0) { $0 + $1.recording.events.count })
        for (source, capture) in captures.enumerated() {
            for (index, packet) in capture.resets.enumerated() {
                // `any` shows one packet on several interfaces, on its way out and on its way in.
                let place =
                    UInt64(UInt32(bitPattern: packet.interface)) << 34
                    | UInt64(UInt32(bitPattern: packet.ifindex)) << 2 | UInt64(packet.direction.rawValue)
                result.append(
                    Observation(
                        hash: ResetKey(packet.segment).hash, time: packet.time,
                        reference: Reference(source: Int32(source), index: Int32(index)),
                        vantage: mix(UInt64(source), place)))
            }
        }
        for (number, input) in recordings.enumerated() {
            let source = Int32(captures.count + number)
            for (index, event) in input.recording.events.enumerated() where event.kind == .emit {
                guard let key = ResetKey(event) else { continue }
                let place = UInt64(event.netns ?? 0) << 32 | UInt64(UInt32(bitPattern: event.ifindex ?? 0))
                result.append(
                    Observation(
                        hash: key.hash, time: time(ofEvent: event, recording: number),
                        reference: Reference(source: source, index: Int32(index)),
                        vantage: mix(UInt64(source) | 1 << 63, place)))
            }
        }
        return result
    }
}

import KernelEvents
import NetworkTypes
import PcapReader

/// The inputs side by side: resolves references and knows the time of each packet and event.
///
/// A class, so that handing it on costs nothing.
final class Inventory: Sendable {
    let captures: [CaptureInput]
    let recordings: [EventInput]
    /// Addresses of the recording hosts.
    let localAddresses: Set<IPAddress>
    /// Between captures that have segments in common.
    let clockOffsets: [ClockOffset]
    /// By capture, what to subtract from its times before they are compared with those of other captures.
    private let corrections: [Int64]
    /// Of the hosts that recorded.
    let clocks: HostClocks
    /// How far these clocks are apart.
    let alignment: HostAlignment
    let eventCoverage: EventCoverage
    /// By recording and stack id.
    private let paths: [[Int: KernelPath]]
    /// By recording: whether nothing was lost and its kernel does not report answers without a full socket.
    private let omitSocketlessResets: [Bool]
    /// Of recordings that name some functions instead of a stack.
    private let partialPaths: [[String]: KernelPath]
    /// By capture and interface.
    private let filters: [[CaptureFilter?]]
    /// The rules of firewalls.
    let rules: RuleSearch

    init(captures: [CaptureInput], recordings: [EventInput]) {
        self.captures = captures
        self.recordings = recordings
        filters = captures.map { $0.summary.interfaces.map { $0.filter.map(CaptureFilter.init) } }
        localAddresses = Set(recordings.flatMap { $0.recording.header?.interfaces.flatMap(\.addresses) ?? [] })
        let clocks = HostClocks(captures, recordings)
        self.clocks = clocks
        // A clock that was set has no constant offset from another one.
        let offsets = Correlator.clockOffsets(captures, besides: clocks.packets.map { $0 != nil })
        alignment = HostAlignment(captures, recordings, clocks, offsets)
        clockOffsets = offsets
        eventCoverage = EventCoverage(recordings, clocks.models, alignment)
        corrections = Self.corrections(clockOffsets, captures, alignment)
        paths = recordings.map { $0.recording.stacks.mapValues(KernelPath.init(frames:)) }
        omitSocketlessResets = recordings.map(\.recording.omitsSocketlessResets)
        var partial: [[String]: KernelPath] = [:]
        for input in recordings where input.recording.header == nil {
            for event in input.recording.events where !event.functions.isEmpty && partial[event.functions] == nil {
                partial[event.functions] = KernelPath(frames: event.functions)
            }
        }
        partialPaths = partial
        rules = RuleSearch(
            recordings, isNeeded: paths.contains { $0.values.contains { $0.origin == .netfilter } })
    }

    /// Clocks that differ by less are not corrected: the difference is within what is tolerated for one RST anyway.
    private static let toleratedOffset: UInt64 = 100_000_000

    private static func corrections(
        _ offsets: [ClockOffset], _ captures: [CaptureInput], _ alignment: HostAlignment
    ) -> [Int64] {
        captures.indices.map { index in
            // Its times are already those of the first host.
            if !alignment.isTrivial, alignment.hostsOfCaptures[index] != nil { return 0 }
            // A reference is always an earlier capture, which may itself have one.
            var correction: Int64 = 0
            var file = index
            while let offset = offsets.first(where: { $0.file == captures[file].file }),
                let reference = captures[..<file].firstIndex(where: { $0.file == offset.reference })
            {
                correction = correction.saturatingAdd(offset.offset)
                file = reference
            }
            return correction.magnitude > toleratedOffset ? correction : 0
        }
    }

    func isEvent(_ reference: Reference) -> Bool { Int(reference.source) >= captures.count }

    func recordingIndex(_ reference: Reference) -> Int { Int(reference.source) - captures.count }

    // Always inlined: reading one field must not copy all of them.
    @inline(__always)
    func event(_ reference: Reference) -> ResetEvent {
        recordings[recordingIndex(reference)].recording.events[Int(reference.index)]
    }

    @inline(__always)
    func packet(_ reference: Reference) -> CapturedSegment {
        captures[Int(reference.source)].resets[Int(reference.index)]
    }

    /// Whether the recording's events can be put on the wall clock.
    func hasClock(recording: Int) -> Bool { clocks.models[recording] != nil }

    /// Whether the recording omits answers without a full socket, and only those.
    func omitsSocketlessResets(recording: Int) -> Bool { omitSocketlessResets[recording] }

    /// The time of an event, see `time(_:)`.
    @inline(__always)
    private func time(ofEvent event: ResetEvent, recording: Int) -> Int64 {
        time(ofMonotonic: event.monotonic, recording: recording) ?? event.monotonic
    }

    private func time(ofPacket index: Int, _ capture: Int) -> Int64 {
        let stamped = captures[capture].resets[index].time
        let time = clocks.packets[capture].map { stamped.saturatingSubtract($0.shifts[index]) } ?? stamped
        return time.saturatingSubtract(alignment.shift(ofCapture: capture, at: time))
    }

    /// When something was seen, by the steady clock, by which times are compared and ordered. A monotonic time if the
    /// recording has no clock sample.
    func time(_ reference: Reference) -> Int64 {
        isEvent(reference)
            ? time(ofEvent: event(reference), recording: recordingIndex(reference))
            : time(ofPacket: Int(reference.index), Int(reference.source))
    }

    /// The same by the wall clock of the host that saw it, as it was set then: what is shown. Where the clocks of hosts were
    /// compared, by that of the first one.
    func wallTime(_ reference: Reference) -> Int64 {
        guard isEvent(reference) else {
            let time = packet(reference).time
            return time.saturatingSubtract(alignment.shift(ofCapture: Int(reference.source), at: time))
        }
        let monotonic = event(reference).monotonic
        let recording = recordingIndex(reference)
        guard let model = clocks.models[recording] else { return monotonic }
        return model.realtime(monotonic).saturatingSubtract(
            alignment.shift(ofRecording: recording, at: model.steady(monotonic)))
    }

    /// The exact key of a packet or of an emitted segment.
    func key(_ reference: Reference) -> ResetKey? {
        isEvent(reference) ? ResetKey(event(reference)) : ResetKey(packet(reference).segment)
    }

    func tuple(_ reference: Reference) -> FourTuple {
        isEvent(reference) ? event(reference).tuple : packet(reference).segment.tuple
    }

    /// All captured RSTs and all emitted ones, and apart those whose sequence number or flags were not read; `decide` events
    /// are not observations of a packet.
    func observations() -> (keyed: [Observation], keyless: [Reference]) {
        var result: [Observation] = []
        var keyless: [Reference] = []
        result.reserveCapacity(
            captures.reduce(0) { $0 + $1.resets.count } + recordings.reduce(0) { $0 + $1.recording.events.count })
        for (source, capture) in captures.enumerated() {
            for (index, packet) in capture.resets.enumerated() {
                let reference = Reference(source: Int32(source), index: Int32(index))
                result.append(
                    Observation(
                        time: time(ofPacket: index, source).saturatingSubtract(corrections[source]),
                        reference: reference,
                        vantage: vantage(packet, source: source)))
            }
        }
        for (number, input) in recordings.enumerated() {
            let source = captures.count + number
            let events = input.recording.events
            for index in events.indices where events[index].kind == .emit {
                let reference = Reference(source: Int32(source), index: Int32(index))
                guard ResetKey(events[index]) != nil else {
                    keyless.append(reference)
                    continue
                }
                result.append(
                    Observation(
                        time: time(ofEvent: events[index], recording: number), reference: reference,
                        vantage: vantage(events[index], source: source)))
            }
        }
        return (result, keyless)
    }

    /// The filter of a capture at an interface, if it names one.
    func filter(ofCapture source: Int, interface: Int32) -> CaptureFilter? {
        let filters = filters[source]
        return filters.indices.contains(Int(interface)) ? filters[Int(interface)] : nil
    }

    /// The observer that a packet or an emitted segment was seen by.
    func vantage(_ reference: Reference) -> UInt64 {
        isEvent(reference)
            ? vantage(event(reference), source: Int(reference.source))
            : vantage(packet(reference), source: Int(reference.source))
    }

    private func vantage(_ packet: CapturedSegment, source: Int) -> UInt64 {
        // `any` shows one packet on several interfaces, on its way out and on its way in.
        let place =
            UInt64(UInt32(bitPattern: packet.interface)) << 34
            | UInt64(UInt32(bitPattern: packet.ifindex)) << 2 | UInt64(packet.direction.rawValue)
        return mix(UInt64(source), place)
    }

    @inline(__always)
    private func vantage(_ event: ResetEvent, source: Int) -> UInt64 {
        let place = UInt64(event.netns ?? 0) << 32 | UInt64(UInt32(bitPattern: event.ifindex ?? 0))
        return mix(UInt64(source) | 1 << 63, place)
    }

    /// Whether a decision and a segment of the same recording may be of one RST, by the order in which the kernel reports
    /// them and by where it was called: an answer is decided on before it is sent (`tcp_v4_send_reset`), the end of a
    /// connection afterwards (`tcp_send_active_reset`).
    func mayBeOne(_ decision: Reference, _ segment: Reference) -> Bool {
        let decided = path(decision)
        // A program that answers in place of TCP, while a rule drops what TCP sends, writes the same numbers.
        if isWritten(segment), decided?.origin == .passive || decided?.origin == .active { return false }
        let (before, after) = (event(decision).monotonic, event(segment).monotonic)
        switch decided?.origin {
        case .passive? where before > after: return false
        case .active? where before < after && !hasWaited(segment): return false
        default: break
        }
        guard let sent = path(segment), let decided, sent.origin == decided.origin, let here = decided.callSite,
            let there = sent.callSite
        else { return true }
        // One of them may have been cut before its root.
        let common = min(here.count, there.count)
        return here.prefix(common) == there.prefix(common)
    }

    /// The boot ID of the host on which an event was recorded; nil if the recording does not say.
    func boot(_ event: Reference) -> String? { recordings[recordingIndex(event)].recording.header?.knownBootID }

    /// The kernel path of an event, or what of it the recording names; nil if it has none.
    func path(_ reference: Reference) -> KernelPath? {
        if let stack = event(reference).stack, let path = paths[recordingIndex(reference)][stack] { return path }
        let functions = event(reference).functions
        return functions.isEmpty ? nil : partialPaths[functions]
    }

    /// Whether the event names functions that the reset passed through, and not all of them.
    func hasPartialPath(_ reference: Reference) -> Bool {
        event(reference).stack == nil && !event(reference).functions.isEmpty
    }

    /// Whether the event shows a RST that only passes through.
    func isForwarded(_ reference: Reference) -> Bool { path(reference)?.origin == .forwarded }
}

extension RecordingHeader {
    /// Nil if the recorder could not read it: then it is that of no other recording.
    var knownBootID: String? { bootID.isEmpty ? nil : bootID }
}

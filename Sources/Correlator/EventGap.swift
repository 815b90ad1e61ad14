import KernelEvents
import NetworkTypes

/// Whether a captured RST without kernel events came before or after the time that they cover.
public enum EventGapSide: String, Sendable, CaseIterable {
    /// It came before the hooks were attached.
    case before
    /// It came after they were detached.
    case after
}

/// A captured RST that has no kernel event because it came before the hooks were attached, or after they were detached.
struct EventGap: Equatable {
    let side: EventGapSide
    /// Nanoseconds to the nearest time at which they are known to have been attached.
    let distance: UInt64
    /// Whether the recorder states when the hooks were attached.
    let isStated: Bool

    /// A relative clause about the kernel events.
    var words: String {
        let span = TimeSpan(nanoseconds: distance)
        switch side {
        case .before: return "which begin \(span) later"
        case .after where isStated: return "which ended \(span) earlier"
        case .after: return "which are known to continue only until \(span) earlier"
        }
    }
}

/// When the kernel's events of each recording are complete, by steady clocks.
struct EventCoverage: Sendable {
    private let hosts: [Host]

    private struct Host: Sendable {
        let addresses: Set<IPAddress>
        /// Nil if that is not known.
        let span: HookSpan?
    }

    init(_ recordings: [EventInput], _ models: [ClockModel?], _ alignment: HostAlignment) {
        hosts = zip(recordings, models).enumerated().map { index, pair in
            let (input, model) = pair
            let addresses = input.recording.header?.interfaces.flatMap(\.addresses) ?? []
            guard let model, var span = input.recording.hookSpan else {
                return Host(addresses: Set(addresses), span: nil)
            }
            func aligned(_ monotonic: Int64) -> Int64 {
                let time = model.steady(monotonic)
                return time.saturatingSubtract(alignment.shift(ofRecording: index, at: time))
            }
            span.since = aligned(span.since)
            span.until = aligned(span.until)
            return Host(addresses: Set(addresses), span: span)
        }
    }

    /// By the steady clock; nil if that is not known.
    func span(ofRecording recording: Int) -> HookSpan? { hosts[recording].span }

    /// Whether a hook saw every packet that left around the time of a decision, CLOCK_MONOTONIC.
    func watchesPackets(around time: Int64, _ recording: Recording) -> Bool {
        // A recorder that does not say until when it saw packets stopped only after it had seen the decision.
        guard let since = recording.header?.since?.hooks else { return true }
        let distance = Int64(Window.looseDecision)
        return time.saturatingSubtract(distance) >= since
            && recording.footer?.until?.hooks.map { time.saturatingAdd(distance) <= $0 } ?? true
    }

    /// Why no recording can have the event of a RST; nil if one may have it, or there is none.
    ///
    /// - Parameter time: by the steady clock.
    func gap(_ tuple: FourTuple, at time: Int64) -> EventGap? {
        // The host with the source address would have recorded it.
        let senders = hosts.filter { $0.addresses.contains(tuple.source) }
        var nearest: EventGap?
        for host in senders.isEmpty ? hosts : senders {
            guard let span = host.span, !span.contains(time) else { return nil }
            let isBefore = time < span.since
            let gap = EventGap(
                side: isBefore ? .before : .after, distance: time.distance(from: isBefore ? span.since : span.until),
                isStated: span.isStated)
            if gap.distance < nearest?.distance ?? .max { nearest = gap }
        }
        return nearest
    }
}

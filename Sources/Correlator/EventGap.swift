import KernelEvents
import NetworkTypes

/// On which side of a recording's hooks a captured RST is of which its kernel events cannot tell.
public enum EventGapSide: String, Sendable, CaseIterable {
    /// It came before the hooks were attached.
    case before
    /// It came after they were detached.
    case after
}

/// A captured RST of which the kernel cannot tell: it came before the hooks were there, or after they were gone.
struct EventGap: Equatable {
    let side: EventGapSide
    /// To the nearest time of which is known that they were there, nanoseconds.
    let distance: UInt64
    /// The recorder says when the hooks were there.
    let isStated: Bool

    /// A clause about the kernel's events.
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

    init(_ recordings: [EventInput], _ models: [ClockModel?]) {
        hosts = zip(recordings, models).map { input, model in
            let addresses = input.recording.header?.interfaces.flatMap(\.addresses) ?? []
            guard let model, var span = input.recording.hookSpan else {
                return Host(addresses: Set(addresses), span: nil)
            }
            span.since = model.steady(span.since)
            span.until = model.steady(span.until)
            return Host(addresses: Set(addresses), span: span)
        }
    }

    /// Whether a hook saw every packet that left around the time of a decision, CLOCK_MONOTONIC.
    func watchesPackets(around time: Int64, _ recording: Recording) -> Bool {
        // A recorder that does not say until when it saw packets was stopped after it had seen the decision.
        guard let since = recording.header?.since?.hooks else { return true }
        let distance = Int64(Window.looseDecision)
        return time.saturatingSubtract(distance) >= since
            && recording.footer?.until?.hooks.map { time.saturatingAdd(distance) <= $0 } ?? true
    }

    /// Why no recording can have the event of a RST; nil if one may have it, or there is none.
    ///
    /// - Parameter time: by the steady clock.
    func gap(_ tuple: FourTuple, at time: Int64) -> EventGap? {
        // Whoever has the address of its source would know.
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

/// From when to when a recording's hooks were there for certain, CLOCK_MONOTONIC in nanoseconds: outside of it a RST without
/// an event may have been sent by this host all the same.
public struct HookSpan: Sendable, Equatable {
    public var since: Int64
    public var until: Int64
    /// The recorder says so. Otherwise it is what the recording shows, and the hooks may have been there a little longer.
    public var isStated: Bool

    public init(since: Int64, until: Int64, isStated: Bool) {
        self.since = since
        self.until = until
        self.isStated = isStated
    }

    public func contains(_ time: Int64) -> Bool { time >= since && time <= until }
}

extension Recording {
    /// Nil for files that do not place their events on CLOCK_MONOTONIC, or have no event and no clock.
    public var hookSpan: HookSpan? {
        guard timebase == .monotonic else { return nil }
        var first: Int64?
        var last: Int64?
        for index in events.indices {
            let time = events[index].monotonic
            // net_dev_queue is attached last.
            if events[index].kind == .emit { first = min(first ?? .max, time) }
            last = max(last ?? .min, time)
        }
        let since = header?.since?.hooks ?? [headerTime, first].compactMap(\.self).min()
        let until = footer?.until?.hooks ?? [lastAttachedTime, last].compactMap(\.self).max()
        guard let since, let until else { return nil }
        let isStated = header?.since?.hooks != nil && (footer == nil || footer?.until?.hooks != nil)
        return HookSpan(since: since, until: max(since, until), isStated: isStated)
    }

    /// The header's clock was read when the hooks were attached, by recorders that do not say when that was.
    private var headerTime: Int64? { header.flatMap { $0.clock.realtime == 0 ? nil : $0.clock.monotonic } }

    /// The last comparison of the clocks while the hooks were still there. Recorders that do not say when they detached them
    /// compared the clocks once or twice more afterwards.
    private var lastAttachedTime: Int64? {
        guard footer != nil, let last = clocks.last?.monotonic else { return clocks.last?.monotonic ?? headerTime }
        let regular = clocks.lazy.map(\.monotonic).last { $0 < last - Self.clockInterval }
        return regular ?? headerTime
    }

    /// A recorder compares the clocks every second; whatever lies closer to the last time may be after the end.
    private static let clockInterval: Int64 = 900_000_000
}

import CLibBPF
import Glibc
import KernelEvents
import NetworkTypes

/// What connection tracking made of the segment that provoked a reset.
struct ConntrackConverter {
    private var table: ConntrackTable
    /// Over IPv6 too a segment that meets no socket still has its entry when TCP answers (Linux 6.4, ip6_protocol_deliver_rcu).
    private let keepsEntryOverIPv6 = Self.isLinux(6, 4)

    init(finder: NamespaceFinder) { table = ConntrackTable(finder: finder) }

    /// Lets go of what it has open.
    mutating func close() { table.close() }

    /// - Returns: nil if connection tracking is not there, or had nothing to do with the segment.
    mutating func conntrack(
        of event: ResetEvent, _ record: UnsafePointer<rst_event>, _ symbols: inout LiveSymbols
    ) -> ResetEvent.Conntrack? {
        let raw = record.pointee.conntrack
        func has(_ bit: rst_conntrack_has) -> Bool { UInt32(raw.has) & UInt32(bit.rawValue) != 0 }
        guard event.trigger != nil, has(RST_CONNTRACK_HAS_SEGMENT) else { return nil }
        var conntrack = ResetEvent.Conntrack()
        if has(RST_CONNTRACK_HAS_HOOK) {
            // Any program may put a hook at the same place.
            conntrack.isAtWork = raw.hook != 0 && symbols.names([raw.hook])[0].contains("_conntrack_in")
        }
        if has(RST_CONNTRACK_HAS_ENTRY) {
            conntrack.segment = .tracked
        } else if raw.info == 7 {
            conntrack.segment = .untracked
        } else if record.pointee.ip_version == 4 || keepsEntryOverIPv6,
            !record.pointee.has(RST_HAS_STATE) || event.state == .timeWait
        {
            // tcp_v4_rcv() takes the entry off before a socket gets the segment.
            conntrack.segment = ResetEvent.Conntrack.Segment.none
        }
        if has(RST_CONNTRACK_HAS_TUPLES) {
            conntrack.original = raw.original.tuple
            conntrack.reply = raw.reply.tuple
        } else if conntrack.isAtWork == true, conntrack.segment == ResetEvent.Conntrack.Segment.none || raw.info == 7,
            let netns = event.netns, event.trigger?.flags.contains(.ack) == true,
            let entry = table.entry(for: event.tuple.reversed, in: netns)
        {
            (conntrack.original, conntrack.reply) = entry
            conntrack.isLookedUp = true
        }
        return conntrack.isAtWork == true || conntrack.original != nil || conntrack.segment == .tracked
            || conntrack.segment == .untracked ? conntrack : nil
    }

    /// Whether the running kernel is that one or a later one.
    private static func isLinux(_ major: Int, _ minor: Int) -> Bool {
        var system = utsname()
        uname(&system)
        let numbers = String(kernelArray: system.release)
            .split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        return numbers.count == 2 && (numbers[0], numbers[1]) >= (major, minor)
    }
}

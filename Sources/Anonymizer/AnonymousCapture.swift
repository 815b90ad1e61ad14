import NetworkTypes
public import PcapReader

/// A pcapng file with the TCP segments of a capture, and its ICMP errors about them, under other addresses and without payloads.
///
/// It is a sink for a scan that selects all segments, after a first one whose summary says what there is besides them.
public struct AnonymousCapture: SegmentSink {
    /// What messages say that was left out, with how often.
    public let leftOut: [(what: String, count: Int)]
    public private(set) var segments = 0
    public private(set) var errors = 0

    private var pseudonyms: Pseudonyms
    private let summary: CaptureSummary
    private var waiting: ArraySlice<ICMPError>
    private var writer = PcapngWriter()
    private let put: ([UInt8]) -> Void
    /// By interface: whether the index of an interface is written with each packet.
    private let cooked: [Bool]

    /// - Parameters:
    ///   - summary: of the whole capture.
    ///   - application: what the file says has written it.
    ///   - put: takes the next bytes of the file.
    public init(
        of summary: CaptureSummary, _ pseudonyms: Pseudonyms, application: String, put: @escaping ([UInt8]) -> Void
    ) {
        self.summary = summary
        self.pseudonyms = pseudonyms
        self.put = put
        waiting = summary.icmpErrors.sorted { $0.packet < $1.packet }[...]
        let hasIndices = summary.format.container == .modifiedPcap
        cooked = summary.interfaces.map { hasIndices || $0.linkType == Self.linuxCooked2 }
        let undecoded = summary.undecoded.map { (what: $0.reason.rawValue, count: $0.count) }
        let others =
            summary.packets - summary.tcpSegments - summary.icmpErrors.count - undecoded.reduce(0) { $0 + $1.count }
        leftOut = (others > 0 ? [(what: "neither TCP nor an ICMP error about TCP", count: others)] : []) + undecoded
        begin(application)
    }

    private static var linuxCooked2: UInt16 { 276 }
    private static var raw: UInt16 { 101 }
    private static var piece: Int { 1 << 20 }

    private mutating func begin(_ application: String) {
        // What may have been a RST is missing from this file for ever, which its readers must know.
        var comments = summary.undecoded.filter(\.reason.isLoss).map {
            "anonymised; packets left out: \($0.count) (\($0.reason.rawValue))"
        }
        if summary.damageCount > 0 {
            comments.append("anonymised; places of the original that could not be read: \(summary.damageCount)")
        }
        writer.appendSection(application: application, comments: comments)
        for (number, interface) in summary.interfaces.enumerated() {
            writer.appendInterface(
                name: interface.name, linkType: cooked[number] ? Self.linuxCooked2 : Self.raw,
                snaplen: interface.snaplen == 0 ? 0 : max(interface.snaplen, 256),
                filter: interface.filter.map(Self.filter))
        }
    }

    /// A filter of the same effect on the segments of a connection, since the original may name addresses.
    private static func filter(like expression: String) -> String {
        guard !expression.isEmpty else { return "" }
        let known = [
            RecordingFilter.standard, RecordingFilter.handshakes, "tcp", "tcp[tcpflags] & (tcp-syn|tcp-rst) != 0",
            "tcp[tcpflags] & (tcp-fin|tcp-rst) != 0", "tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0",
            "tcp[tcpflags] & tcp-rst != 0",
        ]
        func effects(_ expression: String) -> [Bool] {
            let filter = CaptureFilter(expression)
            return [true, false].map { filter.effect(isIPv4: $0) }.flatMap {
                [$0.leavesOutSegments, $0.takesSyns, $0.takesFins]
            }
        }
        if known.contains(expression) { return expression }
        let wanted = effects(expression)
        return known.first { effects($0) == wanted } ?? "tcp[tcpflags] & tcp-rst != 0"
    }

    public mutating func take(_ batches: [(batch: [CapturedSegment], precedingPackets: Int)]) {
        for (batch, preceding) in batches {
            for segment in batch {
                appendErrors(before: segment.number + preceding)
                append(segment)
            }
        }
    }

    private mutating func append(_ captured: CapturedSegment) {
        let interface = Int(captured.interface)
        // A file that grew meanwhile may have another one.
        guard cooked.indices.contains(interface) else { return }
        let tuple = pseudonyms.tuple(captured.segment.tuple)
        let frame = AnonymousFrame(captured, tuple, cooked: isCooked(interface))
        writer.appendPacket(
            frame.bytes, interface: interface, time: captured.time, originalLength: frame.originalLength,
            direction: captured.direction)
        segments += 1
        flush(atLeast: Self.piece)
    }

    private mutating func appendErrors(before packet: Int) {
        while let error = waiting.first, error.packet < packet {
            waiting.removeFirst()
            let (sender, tuple) = (pseudonyms.address(error.sender), pseudonyms.tuple(error.tuple))
            guard let frame = AnonymousFrame(error, sender: sender, tuple, cooked: isCooked(0)) else { continue }
            // Which interface it was seen on is not known.
            writer.appendPacket(frame.bytes, interface: 0, time: error.time, originalLength: frame.originalLength)
            errors += 1
        }
    }

    private func isCooked(_ interface: Int) -> Bool { cooked.indices.contains(interface) && cooked[interface] }

    private mutating func flush(atLeast count: Int) {
        guard writer.buffer.count >= count else { return }
        put(writer.buffer)
        writer.clear()
    }

    /// Writes what has to come last.
    ///
    /// - Returns: the pseudonyms, which know more addresses by now.
    public consuming func finish() -> Pseudonyms {
        appendErrors(before: .max)
        // What the original had as damage, or as packets that nobody can read, is missing from the copy as if it had been dropped.
        let unread = summary.undecoded.reduce(summary.damageCount) { $0 + ($1.reason.isLoss ? $1.count : 0) }
        let missing = max(summary.droppedBetweenPackets, summary.dropped ?? 0).saturatingAdd(UInt64(unread))
        for (number, interface) in summary.interfaces.enumerated() {
            var statistics = interface.statistics
            if number == 0, missing > summary.dropped ?? 0 {
                var more = statistics ?? InterfaceStatistics()
                let others = (summary.dropped ?? 0) - (more.systemDropped ?? 0)
                more.systemDropped = missing - min(missing, others)
                statistics = more
            }
            guard let statistics else { continue }
            writer.appendStatistics(
                interface: number, time: statistics.ended ?? summary.lastTime ?? 0, statistics)
        }
        flush(atLeast: 1)
        return pseudonyms
    }
}

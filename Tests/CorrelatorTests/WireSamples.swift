import NetworkTypes
import PcapReader

@testable import Correlator

/// Builds one connection packet by packet, 1 ms apart if not told otherwise.
struct Conversation {
    static let client = IPAddress(ipv4: 0x0a00_0002)
    static let server = IPAddress(ipv4: 0x0a00_0001)
    private(set) var segments: [CapturedSegment] = []
    var clientPort: UInt16 = 40000
    var serverPort: UInt16 = 80
    private(set) var clientSeq: UInt32 = 1000
    private(set) var serverSeq: UInt32 = 5000
    /// Nanoseconds.
    var time: Int64 = 1_000_000_000
    private var ids: [UInt16] = [100, 7000]

    enum End { case client, server }

    /// Appends a segment with the next numbers of its end.
    mutating func send(
        _ end: End, _ flags: TCPFlags, length: UInt32 = 0, adjust: (inout TCPSegment) -> Void = { _ in }
    ) {
        let fromClient = end == .client
        let forward = FourTuple(
            source: Self.client, sourcePort: clientPort, destination: Self.server, destinationPort: serverPort)
        var segment = TCPSegment(tuple: fromClient ? forward : forward.reversed)
        segment.flags = flags
        segment.seq = fromClient ? clientSeq : serverSeq
        segment.ack = flags.contains(.ack) ? (fromClient ? serverSeq : clientSeq) : 0
        segment.payloadLength = length
        segment.window = 500
        segment.ttl = 64
        segment.dontFragment = true
        segment.ipID = ids[fromClient ? 0 : 1]
        ids[fromClient ? 0 : 1] += 1
        adjust(&segment)
        let used = length &+ (flags.contains(.syn) ? 1 : 0) &+ (flags.contains(.fin) ? 1 : 0)
        if !flags.contains(.rst) {
            if fromClient { clientSeq = segment.seq &+ used } else { serverSeq = segment.seq &+ used }
        }
        append(segment)
    }

    mutating func append(_ segment: TCPSegment) {
        segments.append(
            CapturedSegment(segment: segment, number: segments.count + 1, offset: 0, time: time, interface: 0))
        time += 1_000_000
    }

    /// The next sequence number of the server, where what it sent last was no new one.
    mutating func setServerSeq(_ seq: UInt32) { serverSeq = seq }

    /// Takes over the numbers that both ends have come to in another conversation.
    mutating func adopt(_ other: Conversation) {
        clientSeq = other.clientSeq
        serverSeq = other.serverSeq
        ids = other.ids
    }

    mutating func open() {
        send(.client, .syn)
        send(.server, [.syn, .ack])
        send(.client, .ack)
    }

    /// The answer of a Linux kernel to the last segment of the other end.
    mutating func answer(from end: End, to trigger: TCPSegment) {
        send(end, trigger.flags.contains(.ack) ? .rst : [.rst, .ack]) {
            $0.window = 0
            $0.ipID = 0
            if trigger.flags.contains(.ack) {
                $0.seq = trigger.ack
            } else {
                $0.seq = 0
                $0.ack = trigger.seq &+ trigger.payloadLength &+ (trigger.flags.contains(.syn) ? 1 : 0)
            }
        }
    }

    /// The same as a mirror port shows it: each segment again, a microsecond later and one hop further on.
    var twice: Conversation {
        var copy = self
        copy.segments = []
        for segment in segments {
            copy.time = segment.time
            copy.append(segment.segment)
            copy.time = segment.time + 1000
            var again = segment.segment
            again.ttl -= 1
            copy.append(again)
        }
        return copy
    }

    var last: TCPSegment { segments[segments.count - 1].segment }

    var capture: CaptureInput { capture(named: "capture.pcap") }

    func capture(named file: String) -> CaptureInput {
        var input = CaptureInput(
            file: file, packets: segments.count, interfaces: ["eth0"],
            resets: segments.filter { $0.segment.flags.contains(.rst) })
        input.connections = CapturedConnections(ConnectionTable(segments))
        return input
    }

    var resets: ResetList { correlate(captures: [capture], recordings: []).resets }
}

extension CaptureInput {
    /// - Parameter filter: of each interface.
    init(
        file: String, packets: Int, interfaces: [String?], filter: String? = nil,
        container: CaptureFormat.Container = .pcapng,
        resets: [CapturedSegment]
    ) {
        var summary = CaptureSummary(
            format: CaptureFormat(container: container, byteOrder: .little, fractionalDigits: 9))
        summary.packets = packets
        summary.interfaces = interfaces.map { name in
            var interface = CaptureInterface(linkType: LinkType.ethernet)
            interface.name = name
            interface.filter = filter
            return interface
        }
        self.init(file: file, summary: summary, resets: resets)
    }
}

/// A report of the segments, with what `InputLoader` looks for in a capture.
func resetList(ofCapture segments: [CapturedSegment]) -> ResetList {
    var input = CaptureInput(
        file: "capture.pcap", packets: segments.count, interfaces: ["eth0"],
        resets: segments.filter { $0.segment.flags.contains(.rst) })
    let filter = ConnectionFilter(input.resets.map(\.segment.tuple))
    input.connections = CapturedConnections(ConnectionTable(segments.filter { filter.contains($0.segment.tuple) }))
    var search = input.connections.table.translationSearch
    if case .sources(let sources)? = search.selection {
        var batch = TranslationSearch.emptyBatch
        for segment in segments {
            let tuple = segment.segment.tuple
            if sources.contains(SegmentSelection.Source(address: tuple.source, port: tuple.sourcePort)) {
                TranslationSearch.add(segment, to: &batch)
            }
        }
        search.take([(batch, 0)])
    }
    input.connections.translationGaps = search.gaps
    input.connections.listeners = search.listeners
    return correlate(captures: [input], recordings: []).resets
}

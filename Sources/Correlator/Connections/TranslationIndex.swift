import NetworkTypes
import PcapReader

/// What the ends of a capture that is read once have said lately, to be asked what `TranslationSearch` asks of a file: which
/// connection of a client a refused segment belongs to.
struct TranslationIndex: Sendable {
    /// In buckets: an entry is in that of its hash.
    private var entries: [Entry] = []
    private(set) var gaps: [Int: TranslationGap] = [:]
    private var questions = 0
    /// Of ports that accepted a SYN, the first SYN+ACK.
    private(set) var listeners: [SegmentSelection.Source: Listeners.Listener] = [:]

    fileprivate struct Entry: Sendable {
        /// 0 for none.
        var hash: UInt64 = 0
        var number = 0
        var destination = IPAddress(ipv4: 0)
        var port: UInt16 = 0
        var isSyn = false
    }

    private static let bucket = 8
    /// Of 8 entries each, 48 bytes an entry: the segments of a few rounds of a scan, and a RST follows what it refuses soon.
    private static let buckets = 1 << 16

    /// A capture with SYN+ACKs of more ports is one of forged ones.
    private static let keptListeners = 65_536

    /// What some segments say.
    struct Batch: Sendable {
        fileprivate var entries: [Entry] = []
        fileprivate var answers: [(place: SegmentSelection.Source, answer: Listeners.Listener)] = []

        mutating func add(_ captured: CapturedSegment, _ hash: ConnectionHash) {
            let segment = captured.segment
            let isSyn = segment.flags.isPlainSyn
            if segment.flags.isSynAck {
                answers.append(
                    (segment.tuple.sourcePlace, Listeners.Listener(packet: captured.number, ttl: segment.ttl)))
            }
            guard isSyn || segment.flags.contains(.ack) && segment.flags.isDisjoint(with: [.syn, .rst]) else { return }
            let next = segment.seq &+ segment.payloadLength
            entries.append(
                Entry(
                    hash: isSyn
                        ? TranslationIndex.hash(hash.source, next: next &+ 1, ack: nil)
                        : TranslationIndex.hash(hash.source, next: next, ack: segment.ack),
                    number: captured.number, destination: segment.tuple.destination,
                    port: segment.tuple.destinationPort, isSyn: isSyn))
        }
    }

    /// - Parameters:
    ///   - source: the hash of the client's address and port.
    ///   - next: the client's next sequence number.
    ///   - ack: what it has acknowledged; nil for a SYN.
    private static func hash(_ source: UInt64, next: UInt32, ack: UInt32?) -> UInt64 {
        let numbers = UInt64(next) << 32 | UInt64(ack ?? 0)
        let hash = ConnectionHash.secret.add(numbers, to: ack == nil ? ~source : source)
        return SecretHash.finish(hash) | 1
    }

    mutating func take(_ batches: [(batch: Batch, precedingPackets: Int)]) {
        if entries.isEmpty { entries = [Entry](repeating: Entry(), count: Self.buckets * Self.bucket) }
        for (batch, preceding) in batches {
            for (place, entry) in batch.entries.enumerated() {
                let ahead = place + 16
                if ahead < batch.entries.count { entries.prefetch(Self.place(batch.entries[ahead].hash)) }
                insert(entry, preceding)
            }
            for (place, answer) in batch.answers
            where listeners.count < Self.keptListeners && listeners[place] == nil {
                listeners[place] = Listeners.Listener(packet: answer.packet + preceding, ttl: answer.ttl)
            }
        }
    }

    private static func place(_ hash: UInt64) -> Int {
        Int(truncatingIfNeeded: hash >> 32) & (buckets - 1) * bucket
    }

    /// Of equal segments, which were sent again, the first three are kept and the latest. A full bucket loses its oldest entry.
    private mutating func insert(_ entry: Entry, _ preceding: Int) {
        let start = Self.place(entry.hash)
        var oldest = start
        var latestEqual = start
        var equals = 0
        for place in start..<start + Self.bucket {
            if entries[place].hash == entry.hash {
                equals += 1
                if equals == 1 || entries[place].number > entries[latestEqual].number { latestEqual = place }
            }
            if entries[place].number < entries[oldest].number { oldest = place }
        }
        let place = equals < Self.keptEquals ? oldest : latestEqual
        entries[place] = entry
        entries[place].number += preceding
    }

    private static let keptEquals = 4

    mutating func answer(_ question: TranslationSearch.Question) {
        questions += 1
        // With more of them the capture is one of floods or scans.
        guard questions <= TranslationSearch.mostQuestions, !entries.isEmpty else { return gaps = [:] }
        let source = ConnectionHash.end(question.client.address, question.client.port)
        let hash =
            question.isSynAck
            ? Self.hash(source, next: question.ack, ack: nil)
            : Self.hash(source, next: question.ack, ack: question.seq)
        let start = Self.place(hash)
        let fitting = entries[start..<start + Self.bucket].filter {
            $0.hash == hash && $0.number < question.number
                && ($0.destination != question.stranger.address || $0.port != question.stranger.port)
        }
        guard let entry = fitting.max(by: { $0.number < $1.number }) else { return }
        gaps[question.packet] = TranslationGap(
            packet: entry.number, destination: entry.destination, port: entry.port, isSyn: entry.isSyn)
    }
}

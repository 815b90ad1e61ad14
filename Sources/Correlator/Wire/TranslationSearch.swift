public import NetworkTypes
public import PcapReader

/// A packet of the client of a refused segment, to another address: the segment belongs to that connection, and came from an
/// address that the client does not know.
public struct TranslationGap: Sendable, Equatable {
    public var packet: Int
    public var destination: IPAddress
    public var port: UInt16
    /// Its SYN; or else what the client had acknowledged.
    public var isSyn: Bool
}

/// Looks through a capture for the connections that refused segments belong to.
///
/// A segment that was to be translated and was not (conntrack calls it INVALID; or the answer took another way back) comes
/// from the address of the backend, where the client knows that of the service. What it acknowledges and where it begins are
/// numbers of 32 bits that the client has in its other connection.
public struct TranslationSearch: SegmentSink {
    /// What the refused segment asks for.
    struct Question: Sendable {
        /// The RST.
        let packet: Int
        let client: SegmentSelection.Source
        let stranger: SegmentSelection.Source
        /// The refused segment.
        let number: Int
        let seq: UInt32
        let ack: UInt32
        let isSynAck: Bool

        /// - Parameters:
        ///   - tuple: the connection of the RST.
        ///   - isReversed: the RST goes against it.
        ///   - segment: the one that it refuses.
        init(reset: Int, tuple: FourTuple, isReversed: Bool, _ segment: SegmentNote) {
            packet = reset
            let tuple = isReversed ? tuple.reversed : tuple
            client = SegmentSelection.Source(address: tuple.source, port: tuple.sourcePort)
            stranger = SegmentSelection.Source(address: tuple.destination, port: tuple.destinationPort)
            number = segment.number
            seq = segment.seq
            ack = segment.ack
            isSynAck = segment.isSynAck
        }
    }

    private let questions: [Question]
    private let bySource: [SegmentSelection.Source: [Int]]
    private var answers: [TranslationGap?]
    /// Who listens, as far as it is known.
    public private(set) var listeners: Listeners

    /// With more of them the capture is one of floods or scans, and nothing is looked for.
    static let mostQuestions = 4096

    init(_ questions: [Question], _ listeners: Listeners = Listeners()) {
        self.listeners = listeners
        self.questions = questions.count > Self.mostQuestions ? [] : questions
        bySource = Dictionary(grouping: self.questions.indices) { [questions = self.questions] in questions[$0].client }
        answers = Array(repeating: nil, count: self.questions.count)
    }

    /// Nil if there is nothing to look for.
    public var selection: SegmentSelection? {
        let sources = Set(bySource.keys).union(listeners.sought)
        return sources.isEmpty ? nil : .sources(sources)
    }

    /// What a question can be compared with.
    public struct Candidate: Sendable {
        let number: Int
        let tuple: FourTuple
        let seq: UInt32
        let ack: UInt32
        let isSyn: Bool
        let isSynAck: Bool
        let ttl: UInt8
    }

    public static var emptyBatch: [Candidate] { [] }

    public static func add(_ segment: CapturedSegment, to batch: inout [Candidate]) {
        let flags = segment.segment.flags
        guard flags.isPlainSyn || flags.contains(.ack) && !flags.contains(.rst) else { return }
        batch.append(
            Candidate(
                number: segment.number, tuple: segment.segment.tuple,
                seq: segment.segment.seq &+ segment.segment.payloadLength, ack: segment.segment.ack,
                isSyn: flags.isPlainSyn, isSynAck: flags.isSynAck, ttl: segment.segment.ttl))
    }

    public mutating func take(_ batches: [(batch: [Candidate], precedingPackets: Int)]) {
        for (batch, preceding) in batches {
            for candidate in batch {
                let source = candidate.tuple.sourcePlace
                guard !candidate.isSynAck else {
                    if listeners.sought.contains(source) {
                        listeners.add(source, packet: candidate.number + preceding, ttl: candidate.ttl)
                    }
                    continue
                }
                for place in bySource[source] ?? [] { compare(candidate, candidate.number + preceding, place) }
            }
        }
    }

    private mutating func compare(_ candidate: Candidate, _ number: Int, _ place: Int) {
        let question = questions[place]
        let destination = SegmentSelection.Source(
            address: candidate.tuple.destination, port: candidate.tuple.destinationPort)
        guard number < question.number, destination != question.stranger else { return }
        let fits =
            question.isSynAck
            ? candidate.isSyn && candidate.seq &+ 1 == question.ack
            : !candidate.isSyn && candidate.ack == question.seq && candidate.seq == question.ack
        guard fits else { return }
        answers[place] = TranslationGap(
            packet: number, destination: candidate.tuple.destination, port: candidate.tuple.destinationPort,
            isSyn: candidate.isSyn)
    }

    /// By the packets of the RSTs.
    public var gaps: [Int: TranslationGap] {
        var gaps: [Int: TranslationGap] = [:]
        for (question, answer) in zip(questions, answers) { gaps[question.packet] = answer }
        return gaps
    }
}

extension ConnectionTable {
    /// For the connections that segments belong to which an end refused that had not been in connection with their sender; and
    /// for listeners of connections without a handshake.
    public var translationSearch: TranslationSearch {
        TranslationSearch(questions(atMost: TranslationSearch.mostQuestions + 1), listeners)
    }
}

extension FollowedConnections {
    /// - Parameter limit: the maximum number that is needed.
    func questions(_ names: ConnectionNames, atMost limit: Int) -> [TranslationSearch.Question] {
        var questions: [TranslationSearch.Question] = []
        for place in packets.lazy.map(\.place) {
            guard let refused = refusedByStranger(Int(place)) else { continue }
            questions.append(
                TranslationSearch.Question(
                    reset: refused.reset, tuple: names.tuple(refused.connection), isReversed: refused.isReversed,
                    refused.segment))
            if questions.count == limit { break }
        }
        return questions
    }
}

public import KernelEvents
import NetworkTypes
public import PcapReader

/// What one capture contributes.
public struct CaptureInput: Sendable {
    /// As the user named it.
    public var file: String
    /// What the file says of itself, and what its packets are.
    public var summary: CaptureSummary
    /// Segments with RST, in the order of the file.
    public var resets: [CapturedSegment]
    /// What these RSTs carry, and what was written about them.
    public var remarks: ResetRemarks
    /// What else the capture has of the connections of these RSTs, and of those of the other captures.
    public var connections = CapturedConnections()

    /// - Parameter resets: segments with RST, in the order of the file.
    public init(file: String, summary: CaptureSummary, resets: [CapturedSegment]) {
        self.file = file
        self.summary = summary
        self.resets = resets
        remarks = ResetRemarks(bytes: summary.resetBytes, comments: summary.resetComments)
    }
}

/// What RSTs carry, and what was written about them into the file, by packet number.
public struct ResetRemarks: Sendable {
    /// The beginning of their payloads.
    public var payloads: [Int: [UInt8]] = [:]
    /// Comments on their packets.
    public var comments: [Int: [String]] = [:]

    var isEmpty: Bool { payloads.isEmpty && comments.isEmpty }

    init(bytes: [ResetBytes], comments: [CaptureComment]) {
        for comment in comments {
            if case .packet(let number) = comment.subject { self.comments[number, default: []].append(comment.text) }
        }
        // A device that gives its reason gives the same one to thousands: each is kept once.
        var distinct: Set<[UInt8]> = []
        for carried in bytes { payloads[carried.packet] = distinct.insert(carried.bytes).memberAfterInsert }
    }

    mutating func add(_ later: ResetRemarks) {
        payloads.merge(later.payloads) { _, new in new }
        comments.merge(later.comments) { _, new in new }
    }

    mutating func keep(_ packets: Set<Int>) {
        payloads = payloads.filter { packets.contains($0.key) }
        comments = comments.filter { packets.contains($0.key) }
    }
}

/// What a capture has of connections.
public struct CapturedConnections: Sendable {
    public var table: ConnectionTable
    /// Whether the capture was read for them: what `table` lacks, the capture does not have.
    public var isRead: Bool
    /// For RSTs that refuse a segment of another connection of their sender: that connection, by packet number.
    public var translationGaps: [Int: TranslationGap]
    /// Listeners, for ends that answer without a handshake in the capture.
    public var listeners: Listeners
    /// Connections without a RST that were evicted because the memory was needed for others.
    public var evicted: Int
    /// How they ended, if the capture has no RST; nil if that was not examined.
    public var unfinished: UnfinishedConnections?
    /// Why the capture could not be read for them.
    public var failure: String?

    /// Not read.
    public init() {
        table = ConnectionTable()
        isRead = false
        translationGaps = [:]
        listeners = Listeners()
        evicted = 0
    }

    /// Read.
    public init(
        _ table: ConnectionTable, translationGaps: [Int: TranslationGap] = [:], listeners: Listeners? = nil,
        evicted: Int = 0
    ) {
        self.table = table
        isRead = true
        self.translationGaps = translationGaps
        self.listeners = listeners ?? Listeners()
        self.evicted = evicted
    }
}

/// What a report says of a capture.
extension CaptureInput {
    /// Whether the file names a filter.
    public var isFiltered: Bool { summary.interfaces.contains { $0.filter != nil } }

    /// Packets that the capture itself says were dropped: what an interface counts in all, its packets may have counted one
    /// by one.
    var dropped: Int { Int(clamping: max(summary.dropped ?? 0, summary.droppedBetweenPackets)) }

    /// One sentence for each of the first damaged places.
    var damage: [String] {
        summary.damage.map { "offset \($0.offset): \($0.problem)" } + [connections.failure].compactMap(\.self)
    }

    var damageCount: Int { summary.damageCount + (connections.failure == nil ? 0 : 1) }

    /// Packets that may have contained a RST but could not be decoded.
    var undecoded: [UndecodedPackets] {
        summary.undecoded.map {
            UndecodedPackets(reason: words($0.reason), packets: $0.count, isLoss: $0.reason.isLoss)
        }
    }

    private func words(_ reason: Undecoded) -> String {
        guard reason == .linkType else { return reason.rawValue }
        let types = summary.unsupportedLinkTypes.keys.sorted().map { "\($0), \(LinkType.name($0))" }
        return "\(reason.rawValue) (\(types.prefix(Self.namedLinkTypes).joined(separator: "; ")))"
    }

    private static let namedLinkTypes = 3

    /// The file's comments on itself and its interfaces. dumpcap writes of each interface who counted: that is none.
    var comments: [String] {
        summary.comments.compactMap { comment in
            switch comment.subject {
            case .section, .interface: comment.text
            case .statistics, .packet: nil
            }
        }
    }

    /// Sentences about what was not kept of the file, other than packets.
    var notes: [String] {
        var notes: [String] = []
        let namesLeft = summary.nameCount - CaptureSummary.keptNames
        if namesLeft > 0 { notes.append("\(namesLeft) of its \(summary.nameCount) names of addresses are not kept") }
        if summary.comments.count == CaptureSummary.keptRemarks, summary.commentCount > CaptureSummary.keptRemarks {
            notes.append("of its comments on itself and its interfaces not all are kept")
        }
        if connections.evicted > 0 {
            notes.append(
                "\(connections.evicted) connections without a RST were dropped to stay within --memory: if one was reset later, what came before is unknown"
            )
        }
        return notes
    }
}

/// Why packets could not be decoded, in words, and how many.
public struct UndecodedPackets: Sendable, Equatable {
    public var reason: String
    public var packets: Int
    /// Whether they may include a RST that another program would have seen: not if a packet is encrypted, or is one that no
    /// host would accept.
    public var isLoss: Bool
    public init(reason: String, packets: Int, isLoss: Bool) {
        self.reason = reason
        self.packets = packets
        self.isLoss = isLoss
    }
}

/// One file of kernel events.
public struct EventInput: Sendable {
    /// As the user named it.
    public var file: String
    public var recording: Recording

    public init(file: String, recording: Recording) {
        self.file = file
        self.recording = recording
    }
}

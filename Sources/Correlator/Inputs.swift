public import KernelEvents
import NetworkTypes
public import PcapReader

/// What one capture contributes: its RSTs, and whatever else it has of their connections.
public struct CaptureInput: Sendable {
    /// As the user named it.
    public var file: String
    public var packets: Int
    /// TCP segments among them.
    public var segments = 0
    /// Names by interface index of the file; nil where it has none.
    public var interfaces: [String?]
    /// Segments with RST, in the order of the file.
    public var resets: [CapturedSegment]
    /// What else the capture has of the connections of these RSTs, and of those of the other captures.
    public var flows: ConnectionTable
    /// Whether `flows` was filled: what it lacks, the capture does not have.
    public var hasFlows: Bool
    /// For RSTs that refuse a segment of another connection of their sender: that connection, by packet number.
    public var translationGaps: [Int: TranslationGap]
    /// Listeners, for ends that answer without a handshake in the capture.
    public var listeners: Listeners
    /// Connections without a RST that were evicted because the memory was needed for others.
    public var connectionsEvicted: Int
    /// The beginning of what RSTs carry, by packet number.
    public var payloads: [Int: [UInt8]]
    /// How its connections ended, if it has no RST; nil if that was not examined.
    public var unfinished: UnfinishedConnections?
    /// The file's comments on its packets with RSTs, by packet number.
    public var comments: [Int: [String]]
    /// The file's comments on itself and its interfaces.
    public var remarks: [String]
    /// The names that the file has for addresses, by their texts.
    public var names: [String: [String]]
    /// The pcap-filter expression of each interface, if the file gives one.
    public var filters: [String?]
    /// Whether the format can name filters: if it names none, there was none.
    public var tellsOfFilters: Bool
    /// Packets that the capture itself says were dropped (pcapng interface statistics).
    public var dropped: Int
    public var bytesSkipped: Int
    /// One sentence for each of the first damaged places.
    public var damage: [String]
    public var damageCount: Int
    /// Packets that may have contained a RST but could not be decoded.
    public var undecoded: [Undecoded]
    /// Sentences about what was not kept of the file, other than packets.
    public var notes: [String]

    /// Why, in words, and how many.
    public struct Undecoded: Sendable, Equatable {
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

    public init(file: String, packets: Int, interfaces: [String?], resets: [CapturedSegment]) {
        self.file = file
        self.packets = packets
        self.interfaces = interfaces
        self.resets = resets
        flows = ConnectionTable()
        hasFlows = false
        translationGaps = [:]
        listeners = Listeners()
        connectionsEvicted = 0
        payloads = [:]
        unfinished = nil
        comments = [:]
        remarks = []
        names = [:]
        filters = []
        tellsOfFilters = false
        dropped = 0
        bytesSkipped = 0
        damage = []
        damageCount = 0
        undecoded = []
        notes = []
    }
}

extension CaptureInput {
    /// Takes over what was found while the capture was read once.
    public mutating func take(_ followed: FollowedCapture) {
        flows = followed.flows
        hasFlows = true
        translationGaps = followed.translationGaps
        listeners = followed.listeners
        connectionsEvicted = followed.connectionsEvicted
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

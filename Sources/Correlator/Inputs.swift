public import KernelEvents
import NetworkTypes
public import PcapReader

/// What one capture contributes: its RSTs, and of their connections whatever else it has.
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
    /// `flows` was filled: what it lacks the capture does not have.
    public var hasFlows: Bool
    /// Of RSTs that refuse what belongs to another connection of their sender: that one, by packet number.
    public var translationGaps: [Int: TranslationGap]
    /// Who listens, of those that answer without a handshake in the capture.
    public var listeners: Listeners
    /// Connections without a RST of which nothing is known any more: the memory was needed for others.
    public var connectionsLetGo: Int
    /// The beginning of what RSTs carry, by packet number.
    public var payloads: [Int: [UInt8]]
    /// How its connections ended, where it has no RST; nil if that was not looked for.
    public var unfinished: UnfinishedConnections?
    /// What somebody wrote into the file about its packets with RSTs, by their numbers.
    public var comments: [Int: [String]]
    /// What somebody wrote into it about the file and its interfaces.
    public var remarks: [String]
    /// The names that the file has for addresses, by their texts.
    public var names: [String: [String]]
    /// The pcap-filter expression of each interface, where the file says that there was one.
    public var filters: [String?]
    /// The format has a place for filters: where it names none there was none.
    public var tellsOfFilters: Bool
    /// Packets that the capture itself says were dropped (pcapng interface statistics).
    public var dropped: Int
    public var bytesSkipped: Int
    /// One sentence a damaged place, of the first ones.
    public var damage: [String]
    public var damageCount: Int
    /// Packets that may have held a RST and could not be looked into.
    public var undecoded: [Undecoded]
    /// What of the file is not kept, and is no loss of packets: sentences.
    public var notes: [String]

    /// Why, in words, and how many.
    public struct Undecoded: Sendable, Equatable {
        public var reason: String
        public var packets: Int
        /// A RST may be among them that anybody else would have seen: not so where a packet is encrypted, or is none that a
        /// host would take.
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
        connectionsLetGo = 0
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
    /// Takes over what was found out while the capture was read, once.
    public mutating func take(_ followed: FollowedCapture) {
        flows = followed.flows
        hasFlows = true
        translationGaps = followed.translationGaps
        listeners = followed.listeners
        connectionsLetGo = followed.connectionsEvicted
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

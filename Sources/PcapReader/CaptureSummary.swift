import NetworkTypes

/// The container a capture is kept in.
public struct CaptureFormat: Sendable, Equatable {
    public enum Container: String, Sendable {
        case pcap
        /// pcap with the longer record header of patched libpcap versions of 1999 and 2000.
        case modifiedPcap = "modified pcap"
        case pcapng
    }

    public var container: Container
    /// Of the file, or of the first section of a pcapng file.
    public var byteOrder: ByteOrder
    /// Fractional digits of a time stamp: 6 or 9 in pcap; of the first interface in pcapng, where each has its own.
    public var fractionalDigits: Int

    public init(container: Container, byteOrder: ByteOrder, fractionalDigits: Int) {
        self.container = container
        self.byteOrder = byteOrder
        self.fractionalDigits = fractionalDigits
    }
}

extension CaptureFormat: CustomStringConvertible {
    public var description: String {
        "\(container.rawValue), \(byteOrder == .little ? "little" : "big")-endian, "
            + (fractionalDigits == 6
                ? "microseconds" : fractionalDigits == 9 ? "nanoseconds" : "10^-\(fractionalDigits) s")
    }
}

/// An interface that packets were captured on; pcap has exactly one.
public struct CaptureInterface: Sendable, Equatable {
    public var name: String?
    public var description: String?
    /// A LINKTYPE_ value of <https://www.tcpdump.org/linktypes.html>, without the bits above it.
    public var linkType: UInt16
    public var resolution: TimestampResolution
    /// Seconds to add to each time stamp (if_tsoffset).
    public var offsetSeconds: Int64
    /// Bytes kept of each packet; 0 is no limit.
    public var snaplen: UInt32
    /// The pcap-filter expression the capture was restricted to.
    public var filter: String?
    /// 0-based number of the section it belongs to; always 0 in pcap.
    public var section: Int
    /// The last interface statistics block that speaks of it.
    public var statistics: InterfaceStatistics?

    public init(linkType: UInt16, resolution: TimestampResolution = .microseconds) {
        self.linkType = linkType
        self.resolution = resolution
        offsetSeconds = 0
        snaplen = 0
        section = 0
    }
}

/// What the capturing program counted on one interface (draft-ietf-opsawg-pcapng, section 4.6); nil where it did not say.
public struct InterfaceStatistics: Sendable, Equatable {
    /// Nanoseconds since 1970-01-01 UTC.
    public var started: Int64?
    public var ended: Int64?
    /// Packets the interface received (isb_ifrecv).
    public var received: UInt64?
    /// Packets dropped by the interface for lack of resources (isb_ifdrop).
    public var interfaceDropped: UInt64?
    /// Packets the filter accepted (isb_filteraccept).
    public var filterAccepted: UInt64?
    /// Packets dropped by the operating system (isb_osdrop).
    public var systemDropped: UInt64?
    /// Packets delivered to the capturing program (isb_usrdeliv).
    public var delivered: UInt64?
    public init() {}
}

extension CaptureInterface {
    /// Takes over what a later block says. It need not say all, and drops do not become fewer.
    mutating func add(_ later: InterfaceStatistics) {
        var all = statistics ?? InterfaceStatistics()
        all.started = later.started ?? all.started
        all.ended = later.ended ?? all.ended
        all.received = later.received ?? all.received
        all.filterAccepted = later.filterAccepted ?? all.filterAccepted
        all.delivered = later.delivered ?? all.delivered
        all.interfaceDropped = [all.interfaceDropped, later.interfaceDropped].compactMap(\.self).max()
        all.systemDropped = [all.systemDropped, later.systemDropped].compactMap(\.self).max()
        statistics = all
    }
}

/// A place in a capture that could not be read.
public struct CaptureDamage: Sendable, Equatable {
    /// Bytes from the beginning of the (decompressed) file.
    public var offset: Int
    /// One sentence, with the bytes needed and available where a length is wrong.
    public var problem: String
    public init(offset: Int, problem: String) {
        self.offset = offset
        self.problem = problem
    }
}

/// Why a packet that may have carried a TCP segment could not be decoded.
public enum Undecoded: String, Sendable, CaseIterable {
    case linkType = "link type not supported"
    case truncatedLink = "cut short in the link layer"
    case truncatedNetwork = "cut short in the IP header"
    case truncatedTCP = "cut short in the TCP header"
    case truncatedTunnel = "cut short in a tunnel header"
    case invalidNetwork = "invalid IP header"
    case invalidTCP = "invalid TCP header"
    case invalidTunnel = "invalid tunnel header"
    case laterFragment = "later fragment of a TCP segment, without a TCP header"
    case encrypted = "encrypted"
    case compressed = "compressed"
    case tooManyLayers = "too many layers"

    /// Whether a packet of this kind may be a RST that a host took: not one that is no valid segment, and not a fragment
    /// without a TCP header. What is encrypted or compressed nobody can look into on the wire.
    public var isLoss: Bool {
        switch self {
        case .linkType, .truncatedLink, .truncatedNetwork, .truncatedTCP, .truncatedTunnel, .tooManyLayers: true
        case .invalidNetwork, .invalidTCP, .invalidTunnel, .laterFragment, .encrypted, .compressed: false
        }
    }

    /// Position in `CaptureSummary.undecodedCounts`.
    @inline(__always)
    var index: Int {
        switch self {
        case .linkType: 0
        case .truncatedLink: 1
        case .truncatedNetwork: 2
        case .truncatedTCP: 3
        case .truncatedTunnel: 4
        case .invalidNetwork: 5
        case .invalidTCP: 6
        case .invalidTunnel: 7
        case .laterFragment: 8
        case .encrypted: 9
        case .compressed: 10
        case .tooManyLayers: 11
        }
    }
}

/// A comment that somebody wrote into a pcapng file.
public struct CaptureComment: Sendable, Equatable {
    public enum Subject: Sendable, Equatable {
        case section(Int)
        /// Index into `CaptureSummary.interfaces`.
        case interface(Int)
        /// What was counted at an interface.
        case statistics(Int)
        /// 1-based number of the packet.
        case packet(Int)
    }
    public var subject: Subject
    public var text: String
    public init(subject: Subject, text: String) {
        self.subject = subject
        self.text = text
    }
}

/// The beginning of what a RST carries: devices say in it why they sent it (RFC 9293, section 3.5.3).
public struct ResetBytes: Sendable, Equatable {
    /// So many bytes are kept at most.
    public static let kept = 256
    /// 1-based number of the packet.
    public var packet: Int
    public var bytes: [UInt8]
    public init(packet: Int, bytes: [UInt8]) {
        self.packet = packet
        self.bytes = bytes
    }
}

/// Everything about a capture but its packets.
public struct CaptureSummary: Sendable, Equatable {
    /// At most this many are kept of damage, comments on packets and names; the counts go on.
    public static let keptDamage = 100
    public static let keptComments = 1000
    /// With those on the file and its interfaces.
    public static let keptRemarks = 2 * keptComments
    public static let keptNames = 10_000
    public static let keptICMPErrors = 10_000

    public var format: CaptureFormat
    /// Packets in the file, whatever they are.
    public var packets = 0
    /// What tshark counts as frames: packets and the few other blocks that it numbers with them.
    public var frames = 0
    public var tcpSegments = 0
    /// TCP segments with RST, whatever was selected.
    public var resets = 0
    /// The earliest and the latest time of a packet, nanoseconds since 1970-01-01 UTC; nil without packets.
    public var firstTime: Int64?
    public var lastTime: Int64?
    public var interfaces: [CaptureInterface] = []
    public var damage: [CaptureDamage] = []
    public var damageCount = 0
    /// Bytes that were not read because of damage.
    public var bytesSkipped = 0
    /// How many packets could not be decoded, by `Undecoded`.
    public var undecodedCounts = [Int](repeating: 0, count: Undecoded.allCases.count)
    /// How many packets there are of each link type that is not supported.
    public var unsupportedLinkTypes: [UInt16: Int] = [:]
    /// Packets lost between packets that the capture holds, as epb_dropcount says.
    public var droppedBetweenPackets: UInt64 = 0
    public var comments: [CaptureComment] = []
    public var commentCount = 0
    /// Of packets with a RST: all of them, whatever the number of the others.
    public var resetComments: [CaptureComment] = []
    /// The beginning of what RSTs carry, in the order of the file; see `ResetBytes`.
    public var resetBytes: [ResetBytes] = []
    /// ICMP messages about TCP segments, in the order of the file.
    public var icmpErrors: [ICMPError] = []
    public var icmpErrorCount = 0
    /// The name resolution blocks: names by textual address.
    public var names: [String: [String]] = [:]
    /// Of all names, also of those that are not in `names`.
    public var nameCount = 0
    /// What wrote the file: hardware, operating system and application of the first section that says.
    public var hardware: String?
    public var operatingSystem: String?
    public var application: String?

    public init(format: CaptureFormat) {
        self.format = format
    }

    /// How many packets could not be decoded for that reason.
    public subscript(_ reason: Undecoded) -> Int { undecodedCounts[reason.index] }

    /// The reasons that occurred, in the order of `Undecoded.allCases`.
    public var undecoded: [(reason: Undecoded, count: Int)] {
        Undecoded.allCases.compactMap { self[$0] > 0 ? ($0, self[$0]) : nil }
    }

    /// Packets that never came into the file, as its interface statistics tell; nil if they tell nothing.
    public var dropped: UInt64? {
        var sum: UInt64?
        for statistics in interfaces.lazy.compactMap(\.statistics) {
            for count in [statistics.interfaceDropped, statistics.systemDropped].lazy.compactMap({ $0 }) {
                sum = (sum ?? 0).saturatingAdd(count)
            }
        }
        return sum
    }

    mutating func noteDrops(_ count: UInt64) {
        droppedBetweenPackets = droppedBetweenPackets.saturatingAdd(count)
    }

    mutating func note(_ problem: String, at offset: Int) {
        damageCount += 1
        if damage.count < Self.keptDamage { damage.append(CaptureDamage(offset: offset, problem: problem)) }
    }

    mutating func note(_ comment: String, on subject: CaptureComment.Subject) {
        commentCount += 1
        // A tool may write a comment to each packet: those about the file are kept beside them.
        let limit = if case .packet = subject { Self.keptComments } else { Self.keptRemarks }
        if comments.count < limit {
            comments.append(CaptureComment(subject: subject, text: comment))
        }
    }

    mutating func note(name: String, of address: String) {
        nameCount += 1
        if nameCount <= Self.keptNames { names[address, default: []].append(name) }
    }
}

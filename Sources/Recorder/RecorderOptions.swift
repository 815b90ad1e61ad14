import HostFiles
public import KernelEvents
public import PcapReader

/// What to record, and where to.
public struct RecorderOptions: Sendable {
    /// An interface, `any` included.
    public struct Interface: Sendable, Equatable {
        public var name: String
        /// Nil is the caller's own.
        public var namespace: NetworkNamespace?
        public init(name: String, namespace: NetworkNamespace? = nil) {
            self.name = name
            self.namespace = namespace
        }
    }

    public var interfaces: [Interface]
    /// The packets, as pcapng.
    public var capture: RecordingOutput
    /// The kernel's events, as rst-events/1.
    public var events: RecordingOutput
    /// How the recording is divided into files; nil if it is one. `capture` and `events` are the first two.
    public var series: FileSeries? {
        didSet {
            guard let series else { return }
            capture = .file(series.path(.capture, series.current))
            events = .file(series.path(.events, series.current))
        }
    }
    /// Whose the files are to be; nil for who records.
    public var owner: FileOwner?
    /// Write the events as zstd.
    public var compressesEvents = false
    /// Wait for interfaces that are not there, or come back.
    public var waits = false
    /// A pcap-filter(7) expression; empty for every packet.
    public var filter = Self.defaultFilter
    /// Bytes kept of each packet.
    public var snaplen: Int32 = 262_144
    /// How much payload is recorded; nil for all that `snaplen` leaves.
    public var payload: PayloadLimit?
    /// Of libpcap, for each interface.
    public var captureBuffer: Int32 = 16 << 20
    /// Of the BPF programs' ring buffer.
    public var ringBuffer: UInt32 = 32 << 20
    /// Attach hooks that not every kernel has, where they tell what the others do not; without them, less is proven.
    public var optionalHooks = true
    /// Record RSTs that come and have no effect (Linux 5.19 and later): a hook then runs for every packet that the kernel drops.
    public var ignoredResets = false
    /// Record the arguments of the processes that events name: they may hold secrets.
    public var arguments = true
    /// Ask the container runtimes for the names of containers.
    public var containerNames = true
    /// Stop after so many packets; nil is no limit.
    public var packetLimit: Int?
    /// Which kernel events to record; those of the whole host if it is empty.
    public var scope = RecordingScope()
    /// The name and version of the program, for both files.
    public var tool = "rst-analyze"

    public init(interfaces: [Interface], capture: RecordingOutput, events: RecordingOutput) {
        self.interfaces = interfaces
        self.capture = capture
        self.events = events
    }

    /// A pcap-filter(7) expression that also asks for what the events are restricted to.
    ///
    /// - Parameter filter: such an expression; empty for every packet.
    public static func narrowed(_ filter: String, to scope: RecordingScope) -> String {
        func anyOf(_ terms: [String]) -> String? { terms.isEmpty ? nil : "(\(terms.joined(separator: " or ")))" }
        var ports = scope.ports.map { "port \($0)" }
        // Behind these headers the kernel's filter sees no ports.
        if !ports.isEmpty { ports.append("(ip6 and (ip6[6] = 43 or ip6[6] = 44 or ip6[6] = 60))") }
        return [
            filter.isEmpty ? nil : "(\(filter))", anyOf(scope.hosts.map { "net \($0)" }), anyOf(ports),
        ].compactMap(\.self).joined(separator: " and ")
    }

    /// A pcap-filter(7) expression.
    public static let defaultFilter = RecordingFilter.standard
}

/// What became of a recording.
public struct RecordingSummary: Sendable, Equatable {
    public var packets = 0
    public var events = 0
    /// Dropped by the kernel or the device before libpcap saw them.
    public var packetsDropped = 0
    public var eventsLost = 0
    /// Of those that were dropped and lost: the packets and events that were in files that somebody deleted or truncated.
    public var packetsDeleted = 0
    public var eventsDeleted = 0
    /// Where the files are by now.
    public var capturePath = ""
    public var eventsPath = ""
    /// Interfaces that were gone, or had not come yet, when the recording ended.
    public var interfacesMissing: [String] = []
    /// Nanoseconds.
    public var duration: Int64 = 0
    /// What broke it off, if something did.
    public var failure: String?
}

import KernelEvents
public import NetworkTypes
import PcapReader

/// A connection, or an attempt to connect, that an ICMP error ended: no RST, and the program may see the same error.
public struct ICMPRefusal: Sendable, Equatable {
    /// What reports call it, beside the causes of RSTs.
    public static let word = "icmp-refused"

    /// Nanoseconds since 1970-01-01 UTC.
    public var time: Int64
    /// False if the wall clock is not known: then the time is that of the kernel's monotonic clock.
    public var hasWallClock = true
    /// The source is the end that failed.
    public var tuple: FourTuple
    /// Proven by the kernel's event; without one, a message about a SYN is inferred to have ended the attempt.
    public var certainty: Certainty
    /// What the program gets; nil without an event.
    public var errno: UInt16?
    /// Of the end that failed, before.
    public var state: TCPState?
    public var process: Reset.Process?
    public var location: Reset.Location?
    /// The message; nil if no capture has it.
    public var message: Message?
    /// How many messages about the connection were captured, each once.
    public var messages = 0

    public init(time: Int64, tuple: FourTuple, certainty: Certainty) {
        self.time = time
        self.tuple = tuple
        self.certainty = certainty
    }

    /// An ICMP error message, by RFC 792 or RFC 4443.
    public struct Message: Sendable, Equatable {
        public var file: String
        /// 1-based number of the packet.
        public var packet: Int
        /// Who sent it: the destination itself, a router, or the own host.
        public var sender: IPAddress
        public var isVersion6: Bool
        public var type: UInt8
        public var code: UInt8

        public init(file: String, packet: Int, sender: IPAddress, isVersion6: Bool, type: UInt8, code: UInt8) {
            self.file = file
            self.packet = packet
            self.sender = sender
            self.isVersion6 = isVersion6
            self.type = type
            self.code = code
        }

        /// The error that the kernel makes of it (icmp_err_convert[] in net/ipv4/icmp.c, icmpv6_err_convert() in
        /// net/ipv6/icmp.c); nil for one of which it makes none.
        static func errno(isVersion6: Bool, type: UInt8, code: UInt8) -> UInt16? {
            isVersion6 ? errno6(type, code) : errno4(type, code)
        }

        private static func errno4(_ type: UInt8, _ code: UInt8) -> UInt16? {
            switch (type, code) {
            case (3, 0), (3, 6), (3, 9), (3, 11): 101
            case (3, 1), (3, 10), (3, 12...15), (11, _): 113
            case (3, 2): 92
            case (3, 3): 111
            case (3, 4): 90
            case (3, 5): 95
            case (3, 7): 112
            case (3, 8): 64
            case (12, _): 71
            default: nil
            }
        }

        private static func errno6(_ type: UInt8, _ code: UInt8) -> UInt16? {
            switch (type, code) {
            case (1, 0): 101
            case (1, 1), (1, 5), (1, 6): 13
            case (1, 2), (1, 3), (3, _): 113
            case (1, 4): 111
            case (1, _), (4, _): 71
            case (2, _): 90
            default: nil
            }
        }

        /// In the words of the RFCs.
        public var meaning: String {
            isVersion6 ? Self.meaning6(type, code) : Self.meaning4(type, code)
        }

        /// RFC 792, RFC 1122 (section 3.2.2.1), RFC 1812 (section 5.2.7.1).
        private static func meaning4(_ type: UInt8, _ code: UInt8) -> String {
            switch (type, code) {
            case (3, 0): "network unreachable"
            case (3, 1): "host unreachable"
            case (3, 2): "protocol unreachable"
            case (3, 3): "port unreachable"
            case (3, 5): "source route failed"
            case (3, 6): "network unknown"
            case (3, 7): "host unknown"
            case (3, 9): "network administratively prohibited"
            case (3, 10): "host administratively prohibited"
            case (3, 11): "network unreachable for this type of service"
            case (3, 12): "host unreachable for this type of service"
            case (3, 13): "administratively prohibited"
            case (11, 0): "TTL exceeded in transit"
            case (11, 1): "reassembly time exceeded"
            case (12, _): "parameter problem"
            default: "destination unreachable"
            }
        }

        /// RFC 4443.
        private static func meaning6(_ type: UInt8, _ code: UInt8) -> String {
            switch (type, code) {
            case (1, 0): "no route to destination"
            case (1, 1): "administratively prohibited"
            case (1, 2): "beyond the scope of the source address"
            case (1, 3): "address unreachable"
            case (1, 4): "port unreachable"
            case (1, 5): "source address failed policy"
            case (1, 6): "reject route to destination"
            case (3, 0): "hop limit exceeded in transit"
            case (3, 1): "reassembly time exceeded"
            case (4, _): "parameter problem"
            default: "destination unreachable"
            }
        }
    }

    /// Errors of ICMP. No other segment or timer ends a connection with them, but for those of a route.
    static let errors: Set<UInt16> = [13, 64, 71, 90, 92, 95, 101, 111, 112, 113]

    /// Whether a connection ends with this error as well when its timer has run out and this host had no route for its
    /// retransmissions (inet_sk_rebuild_header() in net/ipv4/af_inet.c).
    static func mayBeOfRoute(_ errno: UInt16?) -> Bool { errno.map { [13, 101, 113].contains($0) } ?? false }

    /// The name of the error that the program gets.
    public var error: String? { errno.map(ResetEvent.Reception.name(ofError:)) }

    /// `ECONNREFUSED for curl (pid 4711) in SYN_SENT: 10.0.0.1 answered with ICMP port unreachable (type 3, code 3)`.
    public var sentence: String {
        var words: [String] = []
        if let error {
            let who = process.flatMap { process in process.comm.map { "\($0) (pid \(process.pid ?? 0))" } }
            words.append(
                "\(error) for \(who ?? "a process that is not known")" + (state.map { " in \($0.name)" } ?? ""))
        }
        if let message {
            let whose =
                message.sender == tuple.destination ? "" : message.sender == tuple.source ? ", this end itself," : ""
            words.append(
                "\(message.sender)\(whose) sent ICMP \(message.meaning) (type \(message.type), code \(message.code))"
                    + (messages > 1 ? ", \(messages) times" : ""))
        } else {
            words.append(
                Self.mayBeOfRoute(errno)
                    ? "no ICMP message with that error was captured: it may also be that this host had no route"
                    : "the ICMP message was not captured")
        }
        return words.joined(separator: ": ")
    }
}

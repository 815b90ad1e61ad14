public import KernelEvents
public import NetworkTypes

/// What is known about one RST when its cause is judged: only facts, from the kernel's events and from the wire.
public struct Evidence: Sendable {
    /// The stack to judge by: that of the packet that left, or else that of the decision.
    public var path: KernelPath?
    /// Whether functions are missing from the path, without knowing which.
    public var isPathPartial = false
    public var socket: SocketKind = .notRecorded
    /// At the hook.
    public var state: TCPState?
    /// Before its last change.
    public var previousState: TCPState?
    public var trigger: Trigger?
    public var reason: String?
    /// `SOCK_DEAD`.
    public var dead: Bool?
    /// Milliseconds; 0 is off.
    public var userTimeout: UInt32?
    /// Negative: TCP_LINGER2 is off.
    public var linger2: Int32?
    /// SO_LINGER is on.
    public var linger: Bool?
    /// Of the listener that a segment met.
    public var acceptQueue: ResetEvent.AcceptQueue?
    /// How a listener on the port fits, although the kernel found no socket; nil without one, or for other segments.
    public var listener: ListenerFit?
    /// Of the RST.
    public var flags: TCPFlags?
    /// Addresses and ports of the RST as TCP decided on it, where this host translated them on the way out: those of the
    /// socket, or of the port that had none.
    public var untranslated: FourTuple?
    /// The addresses and ports with which the RST left.
    public var tuple: FourTuple?
    /// Connection tracking, of the segment that provoked a reset.
    public var conntrack: ResetEvent.Conntrack?
    /// Of a RST that a firewall sent.
    public var firewall: RuleFinding?
    /// Of a segment that a program wrote.
    public var repeats: Repetition?
    /// Of a trigger that only a capture shows: whether it may have met a time-wait socket.
    public var timeWait: TimeWaitChance?

    public init() {}

    /// Whether a segment was for a listener, by its address, IP version and device.
    public enum ListenerFit: Sendable, Equatable {
        case fits
        /// The recording does not say.
        case mayFit
    }

    /// Whether the same segment had been seen before a program wrote it.
    public enum Repetition: Sendable, Equatable {
        /// It was captured before.
        case seen
        /// One with equal numbers was, but with other addresses, or on a path that was not recorded.
        case possible
        /// It comes from another host, and not everything that reaches this one was captured.
        case unwatched
    }

    /// What the kernel's socket tables had for a reset.
    public enum SocketKind: Sendable, Equatable {
        /// The recording does not say.
        case notRecorded
        /// The kernel found no socket for the segment.
        case absent
        /// No full socket, and the kernel does not say more: none, or one in TIME_WAIT.
        case noneOrTimeWait
        case listener
        /// A request socket, one in TIME_WAIT, or a full one: `state` says which.
        case connection
    }

    /// The segment that provoked a reset.
    public struct Trigger: Sendable, Equatable {
        public var flags: TCPFlags
        /// TCP payload, bytes.
        public var length: UInt32
        public var seq: UInt32
        public var ack: UInt32
        public init(flags: TCPFlags, length: UInt32, seq: UInt32, ack: UInt32) {
            self.flags = flags
            self.length = length
            self.seq = seq
            self.ack = ack
        }
    }

    func calledFrom(_ callers: KernelPath.Callers) -> Bool { path?.callers.isSuperset(of: callers) == true }

    var origin: KernelPath.Origin? { path?.origin }

    /// A passive reset that is sent straight from segment lookup: no socket took the segment in.
    var isSocketlessReply: Bool { path?.isSocketlessReply == true }
}

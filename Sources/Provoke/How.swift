/// The way in which a connection is reset.
public enum How: String, Sendable, CaseIterable {
    /// close(2) with data that was not read.
    case abortOnClose = "abort-on-close"
    /// SO_LINGER of 0 seconds, then close(2).
    case lingerZero = "linger-zero"
    /// connect(2) with AF_UNSPEC.
    case disconnect
    /// close(2), and a socket that waits in FIN_WAIT2 for the data that it resets.
    case dataAfterClose = "data-after-close"
    /// shutdown(2) of both directions; the process keeps the socket.
    case dataAfterShutdown = "data-after-shutdown"
    /// An orderly close(2) of an idle connection: only a TIME_WAIT entry is left to meet the next request.
    case keepaliveRace = "keepalive-race"
    /// Nothing of the peer is heard any more, and keepalive probes go unanswered.
    case keepaliveTimeout = "keepalive-timeout"
    /// The same, and TCP_USER_TIMEOUT ends it.
    case userTimeout = "user-timeout"
    /// close(2), and the wait for the peer's FIN ends with a RST.
    case finWait2 = "fin-wait2"
    /// The handshake ends at a full accept queue.
    case acceptQueueOverflow = "accept-queue-overflow"
    /// The listener is closed with connections that nobody accepted.
    case listenerClosed = "listener-closed"
    /// For some time nobody listens.
    case closedPort = "closed-port"

    /// The word in a report of a recording made beside.
    public var cause: String {
        switch self {
        case .keepaliveRace: "data-after-full-close"
        case .finWait2: "fin-wait2-timeout"
        default: rawValue
        }
    }

    /// Whether it happens to a listener, and not to a connection that was accepted.
    public var isOfListener: Bool {
        switch self {
        case .acceptQueueOverflow, .listenerClosed, .closedPort: true
        default: false
        }
    }

    /// When the RST leaves, seen from the line of the log.
    var sending: Sending {
        switch self {
        case .dataAfterClose, .keepaliveRace: .withNextData
        case .finWait2: .byTimer
        default: .atOnce
        }
    }

    enum Sending: String {
        /// It has left.
        case atOnce = "at-once"
        /// The peer's next data is answered with it, if there is any.
        case withNextData = "with-next-data"
        /// The kernel sends it about a second later.
        case byTimer = "by-timer"
    }

    /// For a person, with its name on one line of a terminal.
    public var summary: String {
        switch self {
        case .abortOnClose: "closes with unread data, as soon as there is some"
        case .lingerZero: "sets SO_LINGER to 0 seconds and closes"
        case .disconnect: "disconnects the socket with connect(AF_UNSPEC)"
        case .dataAfterClose: "closes; the peer's next data is answered with a RST"
        case .dataAfterShutdown: "shuts down both directions and keeps the socket"
        case .keepaliveRace: "closes when idle; the next request meets TIME_WAIT"
        case .keepaliveTimeout: "drops all segments until TCP_KEEPCNT is reached"
        case .userTimeout: "drops all segments until TCP_USER_TIMEOUT expires"
        case .finWait2: "closes, and times out waiting for the peer's FIN (root)"
        case .acceptQueueOverflow: "completes handshakes at a full accept queue"
        case .listenerClosed: "closes the listener with connections in its queue"
        case .closedPort: "stops listening for --pause, then listens again"
        }
    }
}

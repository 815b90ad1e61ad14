/// The way in which a connection is reset.
public enum How: String, Sendable, CaseIterable {
    /// close(2) with unread data.
    case abortOnClose = "abort-on-close"
    /// SO_LINGER of 0 seconds, then close(2).
    case lingerZero = "linger-zero"
    /// connect(2) with AF_UNSPEC.
    case disconnect
    /// close(2); the socket waits in FIN_WAIT2 for data, which it answers with a RST.
    case dataAfterClose = "data-after-close"
    /// shutdown(2) of both directions; the process keeps the socket.
    case dataAfterShutdown = "data-after-shutdown"
    /// An orderly close(2) of an idle connection: only a TIME_WAIT entry is left to meet the next request.
    case keepaliveRace = "keepalive-race"
    /// Nothing from the peer is received any more, and keepalive probes go unanswered.
    case keepaliveTimeout = "keepalive-timeout"
    /// The same, but TCP_USER_TIMEOUT expires first.
    case userTimeout = "user-timeout"
    /// close(2); the wait for the peer's FIN ends with a RST.
    case finWait2 = "fin-wait2"
    /// The handshake completes at a full accept queue.
    case acceptQueueOverflow = "accept-queue-overflow"
    /// The listener is closed with connections that were not accepted.
    case listenerClosed = "listener-closed"
    /// Nobody listens for some time.
    case closedPort = "closed-port"

    /// The cause in a report of a recording made at the same time.
    public var cause: String {
        switch self {
        case .keepaliveRace: "data-after-full-close"
        case .finWait2: "fin-wait2-timeout"
        default: rawValue
        }
    }

    /// Whether it concerns a listener instead of an accepted connection.
    public var isOfListener: Bool {
        switch self {
        case .acceptQueueOverflow, .listenerClosed, .closedPort: true
        default: false
        }
    }

    /// When the RST is sent, relative to the line in the log.
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

    /// For people; with the name it fits on one line of a terminal.
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

/// The words for why a RST was sent.
public enum Cause: String, Sendable, CaseIterable {
    case closedPort = "closed-port"
    case acceptQueueOverflow = "accept-queue-overflow"
    case netfilterReject = "netfilter-reject"
    case connectionRefused = "connection-refused"
    case staleConnection = "stale-connection"
    case staleConnectionAtListener = "stale-connection-at-listener"
    case unexpectedSynAck = "unexpected-syn-ack"
    case straySegment = "stray-segment"
    case dataAfterFullClose = "data-after-full-close"
    case badSynInHandshake = "bad-syn-in-handshake"
    case badAckInHandshake = "bad-ack-in-handshake"
    case abortOnClose = "abort-on-close"
    case lingerZero = "linger-zero"
    case disconnect
    case listenerClosed = "listener-closed"
    case linger2Expired = "linger2-expired"
    case dataAfterClose = "data-after-close"
    case dataAfterShutdown = "data-after-shutdown"
    case finWait2Timeout = "fin-wait2-timeout"
    case keepaliveTimeout = "keepalive-timeout"
    case userTimeout = "user-timeout"
    case idleTimeout = "idle-timeout"
    case abortOnMemory = "abort-on-memory"
    case socketDestroyed = "socket-destroyed"
    case bpfSockDestroy = "bpf-sock-destroy"
    case mptcpFastclose = "mptcp-fastclose"
    case mptcpSubflowReset = "mptcp-subflow-reset"
    case mptcpJoinRefused = "mptcp-join-refused"
    case smcAbort = "smc-abort"
    case forwarded
    case userSpace = "user-space"
    case injected
    case received
    case unknown
}

public enum Category: String, Sendable, CaseIterable {
    case refused, stale, handshake, close, timeout, pressure, admin, mptcp, smc, elsewhere, unknown
}

/// How sure a verdict is.
public enum Certainty: String, Sendable, CaseIterable {
    /// A kernel event of the sending host says so.
    case proven
    /// The evidence suggests it, but does not exclude everything else.
    case inferred
    /// Not enough evidence; the report says what is missing.
    case unknown
}

/// Whether the RST was seen by the kernel, on the wire, or both.
public enum Outcome: String, Sendable, CaseIterable {
    /// A kernel event and a packet are the same RST.
    case matched
    /// The kernel decided on it or emitted it, and no capture has it.
    case kernelOnly = "kernel-only"
    /// Captured, and no kernel event belongs to it.
    case wireOnly = "wire-only"
}

/// The direction of a RST, as the recorded hosts see it.
public enum Direction: String, Sendable, CaseIterable {
    /// By a host that was recorded.
    case sent
    /// By another one, to a host that was recorded.
    case received
    /// Neither by such a host nor to it: it passed through.
    case forwarded
    case unknown
}

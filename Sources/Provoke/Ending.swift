import CLaboratory
import Glibc
import Laboratory
import NetworkTypes

/// Resets one connection in the requested way, which may take some time.
///
/// It takes over the socket, waits in the event loop for whatever that way needs, and has closed the socket by the time it
/// reports the result.
final class Ending: EventHandler {
    enum Result {
        case reset
        /// With the reason.
        case missed(String)
    }

    private let loop: EventLoop
    private let socket: Socket
    private let how: How
    private let local: Endpoint
    private let remote: Endpoint
    private var report: ((Result) -> Void)?
    private let deadline = Deadline(milliseconds: Deadline.patience)

    /// - Parameter how: one that does not concern a listener.
    init(
        _ loop: EventLoop, _ socket: Socket, _ how: How, local: Endpoint, remote: Endpoint,
        report: @escaping (Result) -> Void
    ) {
        self.loop = loop
        self.socket = socket
        self.how = how
        self.local = local
        self.remote = remote
        self.report = report
    }

    func begin() {
        loop.remove(socket.number)
        whenAcknowledged()
    }

    /// Continues once the peer has everything that was sent: linger-zero would discard the rest, and the keepalive timer does
    /// not run while the retransmission timer does.
    private func whenAcknowledged() {
        if unacknowledged > 0, !deadline.hasPassed {
            loop.after(500_000) { [self] in whenAcknowledged() }
            return
        }
        do {
            try act()
        } catch {
            finish(.missed("\(error)"))
        }
    }

    private func act() throws {
        let state = try socket.state()
        let needsOpenPeer = how != .lingerZero && how != .abortOnClose && how != .disconnect
        guard state == .established || !needsOpenPeer && state == .closeWait else {
            return finish(.missed("the peer ended the connection first"))
        }
        switch how {
        case .abortOnClose: try whenUnread()
        case .lingerZero:
            // close(2) checks for unread data before SO_LINGER.
            try? socket.hear(only: .nothing)
            try socket.setLinger(seconds: 0)
            drain()
            finish(.reset)
        case .disconnect:
            try socket.disconnect()
            finish(.reset)
        case .dataAfterClose:
            // A FIN_WAIT2 of up to 60 seconds is left to a timewait socket, which resets for another cause.
            try socket.setTCP(TCP_LINGER2, 100)
            drain()
            finish(.reset)
        case .keepaliveRace:
            // Data that crosses the FIN would meet the socket itself, so it has to be sent again.
            try? socket.hear(only: .noData)
            try socket.setTCP(TCP_LINGER2, 60)
            drain()
            try socket.shutdown(SHUT_WR)
            whenAcknowledgedFIN()
        case .dataAfterShutdown:
            drain()
            try socket.shutdown(SHUT_RDWR)
            try watch()
        case .keepaliveTimeout, .userTimeout:
            try socket.hear(only: .nothing)
            if how == .userTimeout { try socket.setTCP(TCP_USER_TIMEOUT, 1500) }
            try socket.startKeepalive(count: how == .userTimeout ? 9 : 1)
            try watch()
        case .finWait2:
            drain()
            try OldFIN(socket, local: local, remote: remote).close()
            finish(.reset)
        case .acceptQueueOverflow, .listenerClosed, .closedPort:
            finish(.missed("\(how.rawValue) is not of a connection"))
        }
    }

    // MARK: Waiting

    /// Closes in FIN_WAIT2, which immediately leaves only a timewait socket.
    private func whenAcknowledgedFIN() {
        let state = try? socket.state()
        if state == .finWait2 { return finish(.reset) }
        guard state == .finWait1, !deadline.hasPassed else {
            return finish(.missed("the peer ended the connection first"))
        }
        loop.after(500_000) { [self] in whenAcknowledgedFIN() }
    }

    private func watch() throws { try loop.add(socket.number, EventLoop.edge, self) }

    /// Closes as soon as there is something to leave unread.
    private func whenUnread() throws {
        if unread > 0 { return finish(.reset) }
        try loop.add(socket.number, EventLoop.readable, self)
    }

    func ready(_ descriptor: Int32, _ events: UInt32) {
        switch how {
        case .abortOnClose:
            // Readable without data: the peer sent a FIN or a RST.
            finish(unread > 0 ? .reset : .missed("the peer sent nothing to leave unread"))
        case .dataAfterShutdown:
            let error = (try? socket.pendingError()) ?? 0
            if error == ECONNRESET {
                finish(.reset)
            } else if (try? socket.state()) == .close {
                finish(.missed("the peer sent nothing after the shutdown"))
            }
        default:
            guard (try? socket.state()) == .close else { return }
            let error = (try? socket.pendingError()) ?? 0
            finish(error == ETIMEDOUT ? .reset : .missed("the connection ended with error \(error)"))
        }
    }

    private func finish(_ outcome: Result) {
        guard let report else { return }
        self.report = nil
        loop.remove(socket.number)
        socket.close()
        report(outcome)
    }

    // MARK: The socket's queues

    private var unread: Int32 { queue(0x541b /* FIONREAD */) }
    private var unacknowledged: Int32 { queue(0x5411 /* SIOCOUTQ */) }

    private func queue(_ request: UInt) -> Int32 {
        var count: Int32 = 0
        return ioctl(socket.number, request, &count) < 0 ? 0 : count
    }

    /// Reads what is there, up to a limit: a peer can send faster than this reads.
    private func drain() {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        for _ in 0..<64 where recv(socket.number, &bytes, bytes.count, Int32(MSG_DONTWAIT)) <= 0 { return }
    }
}

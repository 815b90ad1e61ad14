import Glibc
public import Laboratory

/// A client that opens connections one after the other and resets them, or lets itself be reset.
public final class ResetClient {
    /// The ways in which a client can cause a reset.
    public enum Way: Sendable, Equatable {
        case reset(How)
        /// Half-open: the socket vanishes silently (TCP_REPAIR), and the server's next segment meets none. Root.
        case vanish
        /// Neither receives nor sends anything for some time.
        case silence
        /// Waits for the server's FIN and then sends data.
        case sendAfterClose

        /// The server's way to reset that corresponds to it, if any.
        public var how: How? {
            if case .reset(let how) = self { how } else { nil }
        }
    }

    private let loop: EventLoop
    private let settings: Settings
    private let way: Way
    private let name: String
    private let log: ResetLog
    private let target: Endpoint
    /// Nanoseconds between two connections.
    private let interval: Int64
    private var left: Int

    /// - Parameter perSecond: maximum rate of connections.
    public init(
        _ settings: Settings, _ way: Way, name: String, to target: Endpoint, perSecond: Double, loop: EventLoop,
        log: ResetLog
    ) {
        self.loop = loop
        self.settings = settings
        self.way = way
        self.name = name
        self.log = log
        self.target = target
        interval = Int64(1e9 / max(perSecond, 0.001))
        left = settings.count ?? 1
        log.begin(
            "client", settings.tool, listen: nil, to: target, how: name, when: settings.when.description)
    }

    public func begin() { open() }

    private func open() {
        do {
            let socket = try Socket.connecting(to: target)
            try ClientConnection(self, loop, socket, settings, way).begin()
        } catch {
            missed(nil, "\(error)")
        }
    }

    // MARK: What a connection tells

    fileprivate func act(_ connection: ClientConnection) {
        let socket = connection.socket
        guard let local = try? socket.local(), let remote = try? socket.remote() else {
            socket.close()
            return missed(target, "the connection was gone")
        }
        switch way {
        case .reset(let how):
            Ending(loop, socket, how, local: local, remote: remote) { [self] outcome in
                switch outcome {
                case .reset:
                    log.reset(from: local, to: remote, how: name, cause: how.cause, sent: how.sending)
                    next()
                case .missed(let why): missed(remote, why)
                }
            }.begin()
        case .vanish:
            socket.closeSilently()
            log.reset(from: local, to: remote, how: name, cause: "stale-connection", sent: .withNextData)
            next()
        case .silence:
            guard (try? socket.hear(only: .nothing)) != nil else { return missed(remote, "SO_ATTACH_FILTER failed") }
            log.begun(name)
            loop.after(settings.pause) { [self] in
                socket.close()
                next()
            }
        case .sendAfterClose:
            // The server's kernel answers, and the state it was in decides the cause.
            var byte = UInt8(ascii: "x")
            _ = send(socket.number, &byte, 1, Int32(MSG_NOSIGNAL))
            log.reset(from: remote, to: local, how: name, cause: nil, sent: .withNextData)
            loop.after(10_000_000) { [self] in
                socket.close()
                next()
            }
        }
    }

    fileprivate func missed(_ peer: Endpoint?, _ why: String) {
        log.missed(how: name, peer: peer, why: why)
        next()
    }

    private func next() {
        log.countConnection()
        left -= 1
        if left > 0, !log.hasFailed { return loop.after(interval) { [self] in open() } }
        loop.stop()
    }
}

/// Connects, sends a request, and notifies its client at the chosen moment.
private final class ClientConnection: EventHandler {
    let socket: Socket
    private let client: ResetClient
    private let loop: EventLoop
    private let settings: Settings
    private let way: ResetClient.Way
    private let message: [UInt8]
    private var isConnected = false
    private var isDone = false
    private var sent = 0
    private var received = 0

    init(
        _ client: ResetClient, _ loop: EventLoop, _ socket: Socket, _ settings: Settings, _ way: ResetClient.Way
    ) throws {
        self.client = client
        self.loop = loop
        self.socket = socket
        self.settings = settings
        self.way = way
        message = settings.message ?? Array("GET / HTTP/1.1\r\nHost: provoke\r\n\r\n".utf8)
    }

    func begin() throws {
        try loop.add(socket.number, EventLoop.all, self)
        loop.after(10_000_000_000) { [self] in end("nothing happened in 10 seconds") }
    }

    func ready(_ descriptor: Int32, _ events: UInt32) {
        guard !isDone else { return }
        if !isConnected {
            let error = (try? socket.pendingError()) ?? 0
            guard error == 0 else { return end(String(cString: strerror(error))) }
            guard events & EventLoop.writable != 0 else { return }
            isConnected = true
            if case .elapsed(let time) = settings.when.moment { loop.after(time) { [self] in act() } }
            if settings.when.moment == .connected, way != .sendAfterClose { return leave() }
        }
        sendMore()
        receive()
    }

    /// On connect: ways that leave data unread must first have some.
    private func leave() {
        if way == .reset(.abortOnClose) { sendMore() }
        act()
    }

    private func sendMore() {
        var limit = message.count
        // A part of a request.
        if case .sent(let count) = settings.when.moment { limit = min(limit, count) }
        while !isDone, sent < limit {
            let count = message[sent..<limit].withUnsafeBytes {
                send(socket.number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count <= 0 { return }
            sent += count
            if case .sent = settings.when.moment, sent == limit { return act() }
        }
    }

    private func receive() {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        while !isDone {
            var room = bytes.count
            if case .received(let count) = settings.when.moment {
                room = min(room, count - received)
                // Anything beyond that stays unread.
                if room == 0 { return act() }
            } else if way == .reset(.abortOnClose) {
                return
            }
            let count = recv(socket.number, &bytes, room, Int32(MSG_DONTWAIT))
            if count < 0 {
                if errno != EAGAIN, errno != EINTR { end(String(cString: strerror(errno))) }
                return
            }
            if count == 0 { return way == .sendAfterClose ? act() : end("the server ended the connection first") }
            received += count
            if case .received(let limit) = settings.when.moment, received >= limit { return act() }
        }
    }

    private func act() {
        guard !isDone else { return }
        isDone = true
        loop.remove(socket.number)
        client.act(self)
    }

    private func end(_ why: String) {
        guard !isDone else { return }
        isDone = true
        loop.remove(socket.number)
        let peer = try? socket.remote()
        socket.close()
        client.missed(peer, why)
    }
}

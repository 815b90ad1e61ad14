import Glibc
public import Laboratory
import NetworkTypes

/// A server whose listener causes resets: it closes with connections in its queue, lets the queue overflow, or is absent.
public final class ListenerServer: EventHandler {
    private let loop: EventLoop
    private let settings: Settings
    private let log: ResetLog
    private let how: How
    private var listener: Socket
    /// Where it listens; if port 0 was requested, with the port that the kernel chose.
    public let endpoint: Endpoint
    private var left: Int?
    /// A cycle is running, and whatever becomes readable belongs to it.
    private var isBusy = false
    /// The requested resets have happened: all connections are served from now on.
    private var isDone = false
    private var refused: RefusedConnections?
    /// Fills the queue.
    private var filler: Socket?
    /// Serves the connections that are not reset.
    private let server: ResetServer

    /// - Parameter settings: with a `how` that concerns a listener.
    public init(_ settings: Settings, how: How, listen: Endpoint, loop: EventLoop, log: ResetLog) throws {
        self.loop = loop
        self.settings = settings
        self.log = log
        self.how = how
        left = settings.count
        listener = try Self.listener(how, listen)
        endpoint = try listener.local()
        var unharmed = settings
        unharmed.how = nil
        server = try ResetServer(unharmed, listen: nil, loop: loop, log: log)
        log.begin(
            "server", settings.tool, listen: endpoint, to: nil, how: how.rawValue, when: settings.when.description)
        switch how {
        case .closedPort:
            watchRefusals()
            try watchListener()
            open()
        case .acceptQueueOverflow: awaitRequest()
        default: try watchListener()
        }
    }

    private static func listener(_ how: How, _ endpoint: Endpoint) throws -> Socket {
        // A queue of one.
        guard how == .acceptQueueOverflow else { return try Socket(listening: endpoint) }
        let listener = try Socket(listening: endpoint, backlog: 0)
        try listener.hear(only: .syn(orFrom: 0))
        return listener
    }

    /// How long to listen, and how long to let connections wait.
    private var delay: Int64 {
        if case .elapsed(let time) = settings.when.moment { return time }
        return how == .closedPort ? settings.pause : 0
    }

    private func watchListener() throws { try loop.add(listener.number, EventLoop.readable, self) }

    func ready(_ descriptor: Int32, _ events: UInt32) {
        guard how == .listenerClosed, !isDone else { return serveAll() }
        guard !isBusy else { return }
        isBusy = true
        loop.remove(listener.number)
        loop.after(delay) { [self] in silence { [self] in closeListener() } }
    }

    /// Serves the connections that wait to be accepted, as any server does.
    ///
    /// - Parameter isSilenced: the listener hears nothing, and a connection that another processor was just making may have
    ///   taken that over: its client would wait forever.
    private func serveAll(isSilenced: Bool = false) {
        do {
            while let socket = try listener.acceptNonBlocking() {
                if isSilenced { try? socket.hearEverything() }
                log.countConnection()
                server.serve(socket)
            }
        } catch {
            // No descriptor is left for another connection.
            loop.remove(listener.number)
            loop.after(50_000_000) { [self] in try? watchListener() }
        }
    }

    private func failed(_ error: any Error) {
        log.givenUp(how: how.rawValue, why: "\(error)")
        loop.stop()
    }

    private func reset(from local: Endpoint, to remote: Endpoint) {
        log.reset(from: local, to: remote, how: how.rawValue, cause: how.cause, sent: .atOnce)
        if let some = left { left = max(0, some - 1) }
    }

    /// Whether there is more to reset; if not, and COMMAND is served to its end, nothing more is reset.
    private var goesOn: Bool {
        guard left == 0 || log.hasFailed else { return true }
        isDone = true
        if settings.stopsAtCount || log.hasFailed { loop.stop() }
        return false
    }

    // MARK: listener-closed

    /// Keeps new connections out of the queue, as far as this process may, and then runs the closure, which closes the listener:
    /// clients that come meanwhile repeat their SYN.
    private func silence(_ body: @escaping () -> Void) {
        loop.remove(listener.number)
        try? listener.hear(only: .nothing)
        // By then, a segment that another processor let pass a moment earlier is in the queue.
        loop.after(1_000_000, body)
    }

    private func closeListener() {
        let waiting = TCPTable.sockets(port: endpoint.port).filter {
            $0.inode == 0 && !$0.isTimeWait && ($0.state == .established || $0.state == .closeWait)
        }
        listener.close()
        for entry in waiting {
            log.countConnection()
            reset(from: entry.local, to: entry.remote)
        }
        _ = goesOn
        listenAgain()
        isBusy = false
    }

    private func listenAgain() {
        do {
            listener = try Socket(listening: endpoint)
            try watchListener()
        } catch {
            failed(error)
        }
    }

    // MARK: closed-port

    private func open() {
        loop.after(delay) { [self] in
            silence { [self] in
                serveAll(isSilenced: true)
                listener.close()
                log.port(isOpen: false)
                loop.after(settings.pause) { [self] in endClosing() }
            }
        }
    }

    /// Watches from the start, since a connection may be refused before the log says that the port is closed.
    private func watchRefusals() {
        refused = try? RefusedConnections(endpoint) { [self] local, remote in
            log.countConnection()
            reset(from: local, to: remote)
        }
        guard let refused else { return }
        try? loop.add(refused.number, EventLoop.readable, refused)
        log.finish = { [self] in
            refused.reportWaiting(atMost: 65_536)
            reportLosses()
        }
    }

    private func reportLosses() {
        let losses = refused?.losses ?? 0
        if losses > 0 { log.missed(how: how.rawValue, peer: nil, why: "\(losses) refusals were not seen") }
    }

    private func endClosing() {
        reportLosses()
        if refused == nil, let some = left {
            // Without permission to see what arrives at a closed port, the periods in which it was closed are counted.
            left = max(0, some - 1)
        }
        listenAgain()
        log.port(isOpen: true)
        if goesOn { open() }
    }

    // MARK: accept-queue-overflow

    /// Stops handshakes before their last segment: the listener receives nothing but SYNs.
    private func awaitRequest() {
        loop.after(2_000_000) { [self] in
            let requests = self.requests
            guard !requests.isEmpty else { return awaitRequest() }
            do {
                try fillQueue()
                try listener.hearAll()
                loop.after(1_000_000) { [self] in awaitEnd(of: requests) }
            } catch {
                failed(error)
            }
        }
    }

    /// Connection requests that wait for the last segment of their handshake.
    private var requests: [TCPTable.Entry] {
        TCPTable.sockets(port: endpoint.port).filter { $0.state == .synReceived }
    }

    /// Puts one of this process's own connections into the queue, which has room for one.
    private func fillQueue() throws {
        let target = endpoint.reachable
        let filler = try Socket(family: listener.family)
        try filler.bind(Endpoint(target.address, 0))
        try listener.hear(only: .syn(orFrom: try filler.local().port))
        try filler.connect(to: target)
        try wait(for: "connection in the queue") { try listener.queueLength() > 0 }
        self.filler = filler
    }

    /// Now that the queue is full, the peers' next segments, or their answers to a repeated SYN+ACK, are answered with RSTs.
    private func awaitEnd(of requests: [TCPTable.Entry]) {
        let open = Set(self.requests)
        for entry in requests where !open.contains(entry) {
            log.countConnection()
            reset(from: entry.local, to: entry.remote)
        }
        let rest = requests.filter(open.contains)
        guard rest.isEmpty else {
            loop.after(2_000_000) { [self] in awaitEnd(of: rest) }
            return
        }
        do {
            try listener.hear(only: .syn(orFrom: 0))
            filler?.close()
            filler = nil
            while let socket = try listener.acceptNonBlocking() { socket.close() }
            if goesOn { return awaitRequest() }
            try listener.hearAll()
            try listener.listen(backlog: 4096)
            try watchListener()
        } catch {
            failed(error)
        }
    }
}

extension Endpoint {
    /// Whether it stands for any address of this host: 0.0.0.0 or ::.
    var isUnspecified: Bool { address.bytes.allSatisfy { $0 == 0 } }

    /// An address at which a listener on this one can be reached from this host: the loopback address for the unspecified one.
    public var reachable: Endpoint {
        guard isUnspecified else { return self }
        return Endpoint(address.isIPv4 ? IPAddress(ipv4: 0x7f00_0001) : IPAddress(high: 0, low: 1), port)
    }
}

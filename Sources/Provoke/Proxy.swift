import Glibc
public import Laboratory

/// Sits between clients and a server, passes everything through, and resets either side in the way asked for.
public final class Proxy: EventHandler {
    /// Which of its two peers a proxy resets.
    public enum Side: String, Sendable, CaseIterable { case client, server, both }

    let loop: EventLoop
    let settings: Settings
    let side: Side
    let log: ResetLog
    private let target: Endpoint
    private let listener: Socket
    /// Where it listens: with the port that the kernel chose, if that was 0.
    public let endpoint: Endpoint
    private var selection: Selection
    private var pending = 0
    /// What all connections read into.
    var buffer = [UInt8](repeating: 0, count: 262_144)

    public init(
        _ settings: Settings, listen: Endpoint, to target: Endpoint, side: Side, loop: EventLoop, log: ResetLog
    ) throws {
        self.loop = loop
        self.settings = settings
        self.side = side
        self.log = log
        self.target = target
        listener = try Socket(listening: listen)
        endpoint = try listener.local()
        selection = settings.selection
        try loop.add(listener.number, EventLoop.readable, self)
        log.begin(
            "proxy", settings.tool, listen: endpoint, to: target, how: settings.how?.rawValue,
            when: settings.when.description)
    }

    func ready(_ descriptor: Int32, _ events: UInt32) {
        do {
            for _ in 0..<64 {
                guard let socket = try listener.acceptNonBlocking() else { return }
                try accept(socket)
            }
        } catch {
            // No descriptor is left for another connection.
            loop.remove(listener.number)
            loop.after(50_000_000) { [self] in try? loop.add(listener.number, EventLoop.readable, self) }
        }
    }

    private func accept(_ client: Socket) throws {
        log.countConnection()
        let server: Socket
        do {
            server = try Socket.connecting(to: target)
        } catch {
            abort(client, side: .client)
            if case LabError.system("socket", _, _) = error { throw error }
            return
        }
        let isChosen = settings.how != nil && selection.next()
        if isChosen { pending += 1 }
        ProxyConnection(self, client: client, server: server, isChosen: isChosen).begin()
    }

    /// Ends one side with a RST, as the other one ended.
    func abort(_ socket: Socket, side: Side) {
        log.passedOn(from: try? socket.local(), to: try? socket.remote(), side: side.rawValue)
        try? socket.setLinger(seconds: 0)
        loop.forget(socket.number)
        socket.close()
    }

    /// Resets the connection's sides that are to be, and ends the others in an orderly way.
    func reset(_ connection: ProxyConnection, _ how: How) {
        var open = side == .both ? 2 : 1
        var didReset = false
        for (socket, name) in [(connection.client, Side.client), (connection.server, .server)] {
            guard side == name || side == .both else {
                Farewell(loop, socket).begin()
                continue
            }
            guard let local = try? socket.local(), let remote = try? socket.remote() else {
                log.missed(how: how.rawValue, peer: nil, why: "the \(name.rawValue) was gone")
                loop.remove(socket.number)
                socket.close()
                open -= 1
                continue
            }
            Ending(loop, socket, how, local: local, remote: remote) { [self] outcome in
                switch outcome {
                case .reset:
                    didReset = true
                    log.reset(
                        from: local, to: remote, how: how.rawValue, cause: how.cause, sent: how.sending,
                        side: name.rawValue)
                case .missed(let why): log.missed(how: how.rawValue, peer: remote, why: why)
                }
                open -= 1
                if open == 0 { settle(didReset) }
            }.begin()
        }
        if open == 0 { settle(didReset) }
    }

    /// A connection that was chosen came to its end.
    func settle(_ didReset: Bool) {
        pending -= 1
        if !didReset { selection.giveBack() }
        if log.hasFailed || settings.stopsAtCount && selection.left == 0 && pending == 0 { loop.stop() }
    }
}

/// Ends a connection in an orderly way: sends a FIN, and reads over what still comes, so that no RST does.
private final class Farewell: EventHandler {
    private let loop: EventLoop
    private let socket: Socket

    init(_ loop: EventLoop, _ socket: Socket) {
        self.loop = loop
        self.socket = socket
    }

    func begin() {
        loop.remove(socket.number)
        guard (try? socket.shutdown(SHUT_WR)) != nil, (try? loop.add(socket.number, EventLoop.readable, self)) != nil
        else { return socket.close() }
        loop.after(5_000_000_000) { [self] in end() }
    }

    func ready(_ descriptor: Int32, _ events: UInt32) {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        if count == 0 || count < 0 && errno != EAGAIN && errno != EINTR { end() }
    }

    private func end() {
        loop.remove(socket.number)
        socket.close()
    }
}

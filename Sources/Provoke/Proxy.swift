import Glibc
public import Laboratory

/// Sits between clients and a server, passes everything through, and resets either side in the requested way.
public final class Proxy {
    /// Which of its two peers a proxy resets.
    public enum Side: String, Sendable, CaseIterable { case client, server, both }

    let loop: EventLoop
    let settings: Settings
    let side: Side
    let log: ResetLog
    private let target: Endpoint
    private let acceptor: Acceptor
    /// The buffer into which all connections read.
    var buffer = [UInt8](repeating: 0, count: 262_144)

    /// Where it listens; if port 0 was requested, with the port that the kernel chose.
    public var endpoint: Endpoint { acceptor.endpoint }

    public init(
        _ settings: Settings, listen: Endpoint, to target: Endpoint, side: Side, loop: EventLoop, log: ResetLog
    ) throws {
        self.loop = loop
        self.settings = settings
        self.side = side
        self.log = log
        self.target = target
        acceptor = try Acceptor(settings, listen: listen, role: "proxy", to: target, loop: loop, log: log)
        acceptor.accept = { [unowned self] in try accept($0) }
    }

    private func accept(_ client: Socket) throws {
        let server: Socket
        do {
            server = try Socket.connecting(to: target)
        } catch LabError.system("socket", let subject, let code) {
            // The connection waits until a descriptor is free for its other side.
            loop.after(50_000_000) { [weak self] in try? self?.accept(client) }
            throw LabError.system(call: "socket", subject: subject, errno: code)
        } catch {
            return abort(client, side: .client)
        }
        ProxyConnection(self, client: client, server: server, isChosen: acceptor.choose()).begin()
    }

    /// Ends one side with a RST, because the other one ended with a RST.
    func abort(_ socket: Socket, side: Side) {
        log.passedOn(from: try? socket.local(), to: try? socket.remote(), side: side.rawValue)
        try? socket.setLinger(seconds: 0)
        loop.forget(socket.number)
        socket.close()
    }

    /// Resets the sides of the connection that are to be reset, and closes the others in order.
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

    /// Notes that a connection that was chosen has ended.
    func settle(_ didReset: Bool) { acceptor.settle(didReset: didReset) }
}

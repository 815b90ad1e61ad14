import Glibc
public import Laboratory

/// A server that answers requests and resets its clients in the way asked for.
public final class ResetServer {
    let loop: EventLoop
    let settings: Settings
    let answer: [UInt8]
    private let log: ResetLog
    private let acceptor: Acceptor?
    /// What all connections read into.
    var buffer = [UInt8](repeating: 0, count: 65_536)

    /// Where it listens: with the port that the kernel chose, if that was 0.
    public var endpoint: Endpoint? { acceptor?.endpoint }

    /// - Parameter listen: nil for one that answers on connections that others accept, and resets none.
    public init(_ settings: Settings, listen: Endpoint?, loop: EventLoop, log: ResetLog) throws {
        self.loop = loop
        self.settings = settings
        self.log = log
        answer = settings.answer
        acceptor = try listen.map { try Acceptor(settings, listen: $0, role: "server", loop: loop, log: log) }
        acceptor?.accept = { [unowned self] in serve($0) }
    }

    func serve(_ socket: Socket) {
        // A client that is gone already has no name.
        guard let remote = try? socket.remote(), let local = try? socket.local() else { return socket.close() }
        let isChosen = acceptor?.choose() ?? false
        ServerConnection(self, socket, local: local, remote: remote, isChosen: isChosen).begin()
    }

    func reset(_ connection: ServerConnection, _ how: How) {
        let (local, remote) = (connection.local, connection.remote)
        Ending(loop, connection.socket, how, local: local, remote: remote) { [self] outcome in
            switch outcome {
            case .reset:
                log.reset(from: local, to: remote, how: how.rawValue, cause: how.cause, sent: how.sending)
                acceptor?.settle(didReset: true)
            case .missed(let why): missed(remote, why)
            }
        }.begin()
    }

    /// The client of a chosen connection did not let it come to the reset.
    func missed(_ remote: Endpoint, _ why: String) {
        log.missed(how: settings.how?.rawValue ?? "", peer: remote, why: why)
        acceptor?.settle(didReset: false)
    }
}

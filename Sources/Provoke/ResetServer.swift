import Glibc
public import Laboratory

/// A server that answers requests and resets its clients in the requested way.
public final class ResetServer {
    let loop: EventLoop
    let settings: Settings
    let answer: [UInt8]
    private let log: ResetLog
    private let acceptor: Acceptor?
    /// The buffer into which all connections read.
    var buffer = [UInt8](repeating: 0, count: 65_536)

    /// Where it listens; if port 0 was requested, with the port that the kernel chose.
    public var endpoint: Endpoint? { acceptor?.endpoint }

    /// - Parameter listen: nil for a server that only serves connections that others accept, and resets none.
    public init(_ settings: Settings, listen: Endpoint?, loop: EventLoop, log: ResetLog) throws {
        self.loop = loop
        self.settings = settings
        self.log = log
        answer = settings.answer
        acceptor = try listen.map { try Acceptor(settings, listen: $0, role: "server", loop: loop, log: log) }
        acceptor?.accept = { [unowned self] in serve($0) }
    }

    func serve(_ socket: Socket) {
        // A client that is already gone has no address.
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

    /// The client of a chosen connection ended it before the reset.
    func missed(_ remote: Endpoint, _ why: String) {
        log.missed(how: settings.how?.rawValue ?? "", peer: remote, why: why)
        acceptor?.settle(didReset: false)
    }
}

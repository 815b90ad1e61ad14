import Glibc
public import Laboratory
import NetworkTypes

/// A server that answers requests and resets its clients in the way asked for.
public final class ResetServer: EventHandler {
    let loop: EventLoop
    let settings: Settings
    let answer: [UInt8]
    private let log: ResetLog
    private let listener: Socket
    /// Where it listens: with the port that the kernel chose, if that was 0.
    public let endpoint: Endpoint
    private var selection: Selection
    /// Connections that were chosen and not yet reset.
    private var pending = 0
    /// What all connections read into.
    var buffer = [UInt8](repeating: 0, count: 65_536)

    public init(_ settings: Settings, listen: Endpoint, loop: EventLoop, log: ResetLog) throws {
        self.loop = loop
        self.settings = settings
        self.log = log
        answer = settings.answer
        listener = try Socket(listening: listen)
        endpoint = try listener.local()
        selection = settings.selection
        try loop.add(listener.number, EventLoop.readable, self)
        log.begin(
            "server", settings.tool, listen: endpoint, to: nil, how: settings.how?.rawValue,
            when: settings.when.description)
    }

    func ready(_ descriptor: Int32, _ events: UInt32) {
        do {
            // Not all at once: those that are connected have their turn, too.
            for _ in 0..<64 {
                guard let socket = try listener.acceptNonBlocking() else { return }
                accept(socket)
            }
        } catch {
            pauseAccepting()
        }
    }

    /// There is no descriptor left for another connection.
    private func pauseAccepting() {
        loop.remove(listener.number)
        loop.after(50_000_000) { [self] in try? loop.add(listener.number, EventLoop.readable, self) }
    }

    private func accept(_ socket: Socket) {
        log.countConnection()
        // A client that is gone already has no name.
        guard let remote = try? socket.remote(), let local = try? socket.local() else { return socket.close() }
        let isChosen = selection.next()
        if isChosen { pending += 1 }
        let connection = ServerConnection(self, socket, local: local, remote: remote, isChosen: isChosen)
        connection.begin()
    }

    func reset(_ connection: ServerConnection, _ how: How) {
        let (local, remote) = (connection.local, connection.remote)
        Ending(loop, connection.socket, how, local: local, remote: remote) { [self] outcome in
            switch outcome {
            case .reset:
                log.reset(from: local, to: remote, how: how.rawValue, cause: how.cause, sent: how.sending)
                settle()
            case .missed(let why): missed(remote, why)
            }
        }.begin()
    }

    /// The client of a chosen connection did not let it come to the reset.
    func missed(_ remote: Endpoint, _ why: String) {
        log.missed(how: settings.how?.rawValue ?? "", peer: remote, why: why)
        selection.giveBack()
        settle()
    }

    private func settle() {
        pending -= 1
        if log.hasFailed || settings.stopsAtCount && selection.left == 0 && pending == 0 { loop.stop() }
    }
}

extension Socket {
    /// A listener that does not block, with the longest queue that the kernel gives.
    convenience init(listening endpoint: Endpoint, backlog: Int32 = 4096) throws {
        try self.init(family: endpoint.address.isIPv4 ? AF_INET : AF_INET6)
        try bind(endpoint)
        try listen(backlog: backlog)
        try setBlocking(false)
    }
}

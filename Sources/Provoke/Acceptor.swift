import Glibc
import Laboratory
import NetworkTypes

/// Accepts the connections of a server or a proxy and chooses those to be reset.
final class Acceptor: EventHandler {
    private let loop: EventLoop
    private let settings: Settings
    private let log: ResetLog
    private let listener: Socket
    /// Where it listens; if port 0 was requested, with the port that the kernel chose.
    let endpoint: Endpoint
    private var selection: Selection
    /// Connections that were chosen and not yet reset.
    private var pending = 0
    /// Takes over a connection. Throws if no descriptor is left for it.
    var accept: (_ socket: Socket) throws -> Void = { $0.close() }

    /// - Parameters:
    ///   - role: as in the log.
    ///   - target: where a proxy connects to.
    init(
        _ settings: Settings, listen: Endpoint, role: String, to target: Endpoint? = nil, loop: EventLoop, log: ResetLog
    ) throws {
        self.loop = loop
        self.settings = settings
        self.log = log
        listener = try Socket(listening: listen)
        endpoint = try listener.local()
        selection = Selection(
            every: settings.when.every, rate: settings.how == nil ? 0 : settings.rate, count: settings.count)
        try loop.add(listener.number, EventLoop.readable, self)
        log.begin(
            role, settings.tool, listen: endpoint, to: target, how: settings.how?.rawValue,
            when: settings.when.description)
    }

    func ready(_ descriptor: Int32, _ events: UInt32) {
        do {
            // Not all at once, so that established connections get their turn, too.
            for _ in 0..<64 {
                guard let socket = try listener.acceptNonBlocking() else { return }
                log.countConnection()
                try accept(socket)
            }
        } catch {
            // The waiting ones are accepted when others have ended.
            loop.remove(listener.number)
            loop.after(50_000_000) { [self] in try? loop.add(listener.number, EventLoop.readable, self) }
        }
    }

    /// Whether the next connection is to be reset; if so, it must be settled later.
    func choose() -> Bool {
        guard selection.next() else { return false }
        pending += 1
        return true
    }

    /// Notes that a connection that was chosen has ended.
    func settle(didReset: Bool) {
        pending -= 1
        if !didReset { selection.giveBack() }
        if log.hasFailed || settings.stopsAtCount && selection.left == 0 && pending == 0 { loop.stop() }
    }
}

extension Socket {
    /// A non-blocking listener, with the longest queue that the kernel allows.
    convenience init(listening endpoint: Endpoint, backlog: Int32 = 4096) throws {
        try self.init(family: endpoint.address.isIPv4 ? AF_INET : AF_INET6)
        do {
            try bind(endpoint)
            try listen(backlog: backlog)
            try setBlocking(false)
        } catch {
            close()
            throw error
        }
    }
}

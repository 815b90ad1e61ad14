import Glibc
import Laboratory

/// A connection of a `Proxy`: whatever comes from either side goes to the other, including ends of file and resets.
final class ProxyConnection: EventHandler {
    let client: Socket
    let server: Socket
    private unowned let proxy: Proxy
    private let isChosen: Bool
    private var isOpen = true
    private var isEnding = false
    fileprivate var up = Direction()
    fileprivate var down = Direction()
    /// Only for a connection that may be reset after a request.
    private var framer = RequestFramer()

    fileprivate struct Direction {
        /// Bytes for which the receiving socket had no room.
        var waiting: [UInt8] = []
        var passed = 0
        var hasEnded = false
        var isShut = false
    }

    init(_ proxy: Proxy, client: Socket, server: Socket, isChosen: Bool) {
        self.proxy = proxy
        self.client = client
        self.server = server
        self.isChosen = isChosen
    }

    private var moment: When.Moment { proxy.settings.when.moment }

    func begin() {
        try? client.setTCP(TCP_NODELAY, 1)
        try? server.setTCP(TCP_NODELAY, 1)
        do {
            try proxy.loop.add(server.number, EventLoop.all, self)
            try proxy.loop.add(client.number, EventLoop.all, self)
        } catch {
            return finish()
        }
        if isChosen, case .elapsed(let time) = moment {
            proxy.loop.after(time) { [self] in reset() }
        }
    }

    func ready(_ descriptor: Int32, _ events: UInt32) {
        if isChosen, isOpen, moment == .connected {
            // Not before both ends are connected.
            guard descriptor == server.number, events & EventLoop.writable != 0, events & EventLoop.peerEnded == 0
            else {
                if descriptor == server.number, events & EventLoop.peerEnded != 0 { abort(client, .client) }
                return
            }
            return reset()
        }
        // A readable descriptor may also mean that the other one can be written to again.
        pump(from: client, to: server, \.up, .server)
        pump(from: server, to: client, \.down, .client)
        if isOpen, up.isShut, down.isShut { finish() }
    }

    // MARK: Passing on

    /// Passes data on until one end has none or the other has no room, or until other connections must get their turn.
    private func pump(
        from source: Socket, to sink: Socket, _ way: ReferenceWritableKeyPath<ProxyConnection, Direction>,
        _ sinkSide: Proxy.Side
    ) {
        for _ in 0..<16 {
            guard isOpen, !self[keyPath: way].isShut else { return }
            if !self[keyPath: way].waiting.isEmpty {
                let count = self[keyPath: way].waiting.withUnsafeBytes { send(sink, $0) }
                if count < 0 { return ended(sink, source, otherSide(sinkSide)) }
                self[keyPath: way].waiting.removeFirst(count)
                if !self[keyPath: way].waiting.isEmpty { return }
            }
            if self[keyPath: way].hasEnded {
                self[keyPath: way].isShut = true
                try? sink.shutdown(SHUT_WR)
                return
            }
            let room = isChosen ? allowance(source, self[keyPath: way].passed) : proxy.buffer.count
            if room <= 0 || isChosen && wouldReset(source) { return }
            let count = proxy.buffer.withUnsafeMutableBytes {
                recv(source.number, $0.baseAddress, min(room, $0.count), Int32(MSG_DONTWAIT))
            }
            if count < 0 {
                if errno == EAGAIN { return }
                if errno == EINTR { continue }
                return abort(sink, sinkSide)
            }
            if count == 0 {
                self[keyPath: way].hasEnded = true
                continue
            }
            self[keyPath: way].passed &+= count
            let sent = proxy.buffer.withUnsafeBytes { send(sink, UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            if sent < 0 { return ended(sink, source, otherSide(sinkSide)) }
            if sent < count { self[keyPath: way].waiting = Array(proxy.buffer[sent..<count]) }
            if isChosen, isTime(afterPassing: count, from: source) { return reset() }
        }
        // The descriptor reports only new events.
        proxy.loop.after(0) { [self] in ready(source.number, 0) }
    }

    /// How many bytes were sent; -1 if the receiver cannot be sent to any more.
    private func send(_ socket: Socket, _ bytes: UnsafeRawBufferPointer) -> Int {
        let count = Glibc.send(
            socket.number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        if count < 0 { return errno == EAGAIN || errno == EINTR ? 0 : -1 }
        return count
    }

    private func otherSide(_ side: Proxy.Side) -> Proxy.Side { side == .client ? .server : .client }

    // MARK: When to reset

    private var leavesUnread: Bool { proxy.settings.how == .abortOnClose }

    /// How many more bytes may be read from this side; one less for a close that is to leave data unread.
    private func allowance(_ source: Socket, _ passed: Int) -> Int {
        let limit: Int
        switch moment {
        case .received(let count) where source === client: limit = count
        case .sent(let count) where source === server: limit = count
        default: return proxy.buffer.count
        }
        let room = limit - passed - (leavesUnread ? 1 : 0)
        if room <= 0, leavesUnread {
            var byte: UInt8 = 0
            if recv(source.number, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) == 1 {
                reset()
                return 0
            }
            // This may be the end of file.
            return 1
        }
        return room
    }

    private func isTime(afterPassing count: Int, from source: Socket) -> Bool {
        switch moment {
        case .received(let limit): return source === client && up.passed >= limit
        case .sent(let limit): return source === server && down.passed >= limit
        case .request, .hello:
            guard source === client else { return false }
            framer.append(proxy.buffer[..<count])
            return isTimeByFramer(framer)
        case .connected, .elapsed: return false
        }
    }

    private func isTimeByFramer(_ framer: RequestFramer) -> Bool {
        switch moment {
        case .request(let number): framer.requests >= number
        case .hello: framer.hasHello
        default: false
        }
    }

    /// Resets if what the client sent completes the awaited amount, and leaves it unread.
    private func wouldReset(_ source: Socket) -> Bool {
        guard leavesUnread, source === client, proxy.side != .server else { return false }
        switch moment {
        case .request, .hello: break
        default: return false
        }
        let count = proxy.buffer.withUnsafeMutableBytes {
            recv(source.number, $0.baseAddress, $0.count, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        }
        guard count > 0 else { return false }
        var ahead = framer
        ahead.append(proxy.buffer[..<count])
        guard isTimeByFramer(ahead) else { return false }
        reset()
        return true
    }

    private func reset() {
        guard isOpen, let how = proxy.settings.how else { return }
        isOpen = false
        proxy.reset(self, how)
    }

    // MARK: The end

    /// One side can no longer be written to: what it had sent goes to the other one, which then learns of its end.
    private func ended(_ socket: Socket, _ other: Socket, _ side: Proxy.Side) {
        if !isEnding {
            isEnding = true
            if socket === server {
                pump(from: server, to: client, \.down, .client)
            } else {
                pump(from: client, to: server, \.up, .server)
            }
        }
        abort(other, side)
    }

    /// One side ended with an error, so the other one does, too.
    private func abort(_ other: Socket, _ side: Proxy.Side) {
        guard isOpen else { return }
        proxy.abort(other, side: side)
        finish()
    }

    private func finish() {
        guard isOpen else { return }
        isOpen = false
        for socket in [client, server] {
            proxy.loop.forget(socket.number)
            socket.close()
        }
        if isChosen { proxy.settle(false) }
    }
}

import Glibc
import Laboratory

/// A connection of a `ResetServer`: answers each request, until it is time to reset.
final class ServerConnection: EventHandler {
    let socket: Socket
    let local: Endpoint
    let remote: Endpoint
    private unowned let server: ResetServer
    private let isChosen: Bool
    private var isServing = true
    private var framer = RequestFramer()
    private var received = 0
    private var answered = 0
    private var sent = 0
    /// How much of the current answer has been sent; nil between answers.
    private var progress: Int?
    /// A byte that was seen but left unread, for a close with unread data.
    private var heldBytes = 0
    private var peerHasEnded = false

    init(_ server: ResetServer, _ socket: Socket, local: Endpoint, remote: Endpoint, isChosen: Bool) {
        self.server = server
        self.socket = socket
        self.local = local
        self.remote = remote
        self.isChosen = isChosen
    }

    private var how: How? { isChosen ? server.settings.how : nil }
    private var moment: When.Moment { server.settings.when.moment }

    func begin() {
        if isChosen, moment == .connected, how != .keepaliveRace { return reset() }
        do {
            try server.loop.add(socket.number, EventLoop.all, self)
        } catch {
            return end()
        }
        if isChosen, case .elapsed(let time) = moment {
            server.loop.after(time) { [self] in if isServing { reset() } }
        }
    }

    func ready(_ descriptor: Int32, _ events: UInt32) {
        // While a request waits to be answered, nothing more is read: a client that does not read answers gets no more.
        if events & EventLoop.peerEnded != 0, heldBytes > 0 { peerHasEnded = true }
        repeat { send() } while isServing && progress == nil && receive()
        if isServing, peerHasEnded, progress == nil { end() }
    }

    // MARK: Receiving

    /// Whether there is something to answer now.
    private func receive() -> Bool {
        while isServing, answered == framer.requests || awaitsHello, !peerHasEnded {
            let bytes = read()
            guard !bytes.isEmpty else { return false }
            received &+= bytes.count
            framer.append(bytes)
            if isChosen, isTimeAfterReceiving { reset() }
        }
        return isServing && answered < framer.requests && !awaitsHello
    }

    /// While waiting for a TLS record, which may arrive in pieces, no piece is answered.
    private var awaitsHello: Bool { isChosen && moment == .hello }

    private var isTimeAfterReceiving: Bool {
        switch moment {
        case .received(let count): return received >= count
        case .request(let number): return framer.requests >= number
        case .hello:
            guard framer.hasHello else { return false }
            // The first 11 bytes of a record of 122.
            let part: [UInt8] = [22, 3, 3, 0, 122, 2, 0, 0, 118, 3, 3]
            _ = Glibc.send(socket.number, part, part.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
            return true
        case .connected, .sent, .elapsed: return false
        }
    }

    /// New bytes; empty if there are none at the moment, or no more at all.
    private func read() -> ArraySlice<UInt8> {
        let number = socket.number
        let holds = how == .abortOnClose
        let peek = Int32(holds ? MSG_PEEK : 0) | Int32(MSG_DONTWAIT)
        let count = server.buffer.withUnsafeMutableBytes { recv(number, $0.baseAddress, $0.count, peek) }
        if count < 0, errno == EAGAIN || errno == EINTR { return [] }
        guard count > 0 else {
            peerHasEnded = true
            if count < 0 { end() }
            return []
        }
        let bytes = server.buffer[heldBytes..<max(heldBytes, count)]
        if holds, count > 1 {
            // All but the last one.
            _ = server.buffer.withUnsafeMutableBytes { raw in
                var discarded = [UInt8](repeating: 0, count: count - 1)
                return recv(number, &discarded, count - 1, Int32(MSG_DONTWAIT))
            }
        }
        if holds { heldBytes = 1 }
        return bytes
    }

    // MARK: Sending

    /// Sends as much of the due answers as possible.
    private func send() {
        let limit: Int? = if isChosen, case .sent(let count) = moment { count } else { nil }
        while isServing, !awaitsHello, progress != nil || answered < framer.requests {
            let done = progress ?? 0
            let end = min(server.answer.count, limit.map { done + $0 - sent } ?? Int.max)
            let count = server.answer[done..<max(done, end)].withUnsafeBytes {
                Glibc.send(socket.number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count < 0 {
                progress = done
                if errno == EINTR { continue }
                if errno != EAGAIN { self.end() }
                return
            }
            sent &+= count
            progress = done + count
            let isAnswered = done + count >= server.answer.count
            if let limit, sent >= limit || isAnswered { return reset() }
            if isAnswered {
                answered += 1
                progress = nil
                if how == .keepaliveRace { awaitIdleness() }
            }
        }
    }

    private func awaitIdleness() {
        let number = answered
        server.loop.after(server.settings.pause) { [self] in
            if isServing, answered == number, framer.requests == number { reset() }
        }
    }

    // MARK: The end

    private func reset() {
        guard isServing, let how else { return }
        isServing = false
        server.reset(self, how)
    }

    private func end() {
        guard isServing else { return }
        isServing = false
        server.loop.remove(socket.number)
        // Bytes held back would turn this into a reset.
        if heldBytes > 0 {
            var byte: UInt8 = 0
            recv(socket.number, &byte, 1, Int32(MSG_DONTWAIT))
        }
        socket.close()
        if isChosen { server.missed(remote, "the peer ended the connection first") }
    }
}

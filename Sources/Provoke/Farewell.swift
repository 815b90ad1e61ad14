import Glibc
import Laboratory

/// Closes a connection in order: sends a FIN, and discards what still arrives, so that no RST is sent.
final class Farewell: EventHandler {
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

import Glibc
import Laboratory
import NetworkTypes

/// Closes a socket so that its wait in FIN_WAIT2 ends with a RST instead of a timewait socket.
///
/// tcp_rcv_state_process keeps the whole socket in FIN_WAIT2, with a timer, when the ACK of its FIN carries an old FIN:
/// no Linux sends such a segment, so it is forged. What the peer really sends is ignored. Needs CAP_NET_ADMIN for the
/// sequence numbers (TCP_REPAIR) and CAP_NET_RAW; the segment never leaves this host.
struct OldFIN {
    private let socket: Socket
    private var segment: RawSegment
    private let sender: RawSocket

    init(_ socket: Socket, local: Endpoint, remote: Endpoint) throws {
        self.socket = socket
        sender = try RawSocket(version: local.address.isIPv4 ? .v4 : .v6)
        segment = RawSegment(from: remote, to: local, [.fin, .ack])
        try socket.hear(only: .fin)
        try socket.setTCP(TCP_REPAIR, 1)
        defer { try? socket.setTCP(TCP_REPAIR, -1 /* TCP_REPAIR_OFF_NO_WP */) }
        // The FIN of close(2) counts as one; that of the peer lies within what was received.
        segment.ack = try sequence(of: 2 /* TCP_SEND_QUEUE */) &+ 1
        segment.seq = try sequence(of: 1 /* TCP_RECV_QUEUE */) &- 1
    }

    private func sequence(of queue: Int32) throws -> UInt32 {
        try socket.setTCP(TCP_REPAIR_QUEUE, queue)
        var value: UInt32 = 0
        var size = socklen_t(4)
        try check(
            getsockopt(socket.number, Int32(IPPROTO_TCP), TCP_QUEUE_SEQ, &value, &size), "getsockopt", "TCP_QUEUE_SEQ")
        return value
    }

    func close() throws {
        try socket.setTCP(TCP_LINGER2, 1)
        socket.close()
        try sender.send(segment)
    }
}

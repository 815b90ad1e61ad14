import Glibc
import Laboratory
import NetworkTypes

/// Destroys another process's TCP socket, as `ss -K` does (SOCK_DESTROY of sock_diag(7)).
enum SocketDestroyer {
    /// Needs CAP_NET_ADMIN in the namespace of the calling thread. Throws ENOENT if there is no such socket, EOPNOTSUPP if
    /// the kernel was built without CONFIG_INET_DIAG_DESTROY.
    static func destroy(local: Endpoint, remote: Endpoint) throws {
        let type = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let socket = Descriptor(
            try check(Glibc.socket(AF_NETLINK, type, 4 /* NETLINK_SOCK_DIAG */), "socket", "sock_diag"))
        // struct inet_diag_req_v2
        let family = local.address.version.family
        var request: [UInt8] = [UInt8(family), UInt8(IPPROTO_TCP), 0, 0] + UInt32.max.nativeBytes
        request += local.port.bigEndianBytes + remote.port.bigEndianBytes
        request += (local.address.bytes + zeros(16)).prefix(16) + (remote.address.bytes + zeros(16)).prefix(16)
        request += UInt32(0).nativeBytes + UInt32.max.nativeBytes + UInt32.max.nativeBytes
        // struct nlmsghdr: SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK
        let header =
            UInt32(16 + request.count).nativeBytes + UInt16(21).nativeBytes + UInt16(5).nativeBytes
            + UInt32(1).nativeBytes + UInt32(0).nativeBytes
        let message = header + request
        try check(send(socket.number, message, message.count, 0), "send", "sock_diag")
        guard try socket.poll(POLLIN, until: Deadline(milliseconds: Deadline.patience)) != 0 else {
            throw LabError.timeout("answer of sock_diag")
        }
        var answer = zeros(256)
        let count = try check(recv(socket.number, &answer, answer.count, 0), "recv", "sock_diag")
        guard count >= 20 else { throw LabError.timeout("whole answer of sock_diag") }
        let error = answer[16..<20].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let code = -Int32(bitPattern: UInt32(littleEndian: error))
        if code == EOPNOTSUPP { throw LabError.unsupported("this kernel cannot destroy sockets (SOCK_DESTROY)") }
        guard code == 0 else { throw LabError.system(call: "SOCK_DESTROY", subject: "\(local)", errno: code) }
    }

    private static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }
}

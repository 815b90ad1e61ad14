import Glibc
import Laboratory

/// A netlink socket to netfilter in the network namespace of the calling thread. CAP_NET_ADMIN.
struct NetfilterSocket {
    let descriptor: Descriptor

    init() throws {
        let type = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        descriptor = Descriptor(
            try check(Glibc.socket(AF_NETLINK, type, 12 /* NETLINK_NETFILTER */), "socket", "NETLINK_NETFILTER"))
    }

    /// Sends a request and waits for its acknowledgment; throws the error that it contains.
    ///
    /// - Parameters:
    ///   - type: the subsystem and its message (`struct nfgenmsg` follows).
    ///   - resource: `res_id` of `struct nfgenmsg`.
    func request(_ type: UInt16, resource: UInt16 = 0, _ attributes: [UInt8] = [], _ title: String) throws {
        // struct nlmsghdr with NLM_F_REQUEST | NLM_F_ACK.
        var message = UInt32(20 + attributes.count).nativeBytes + type.nativeBytes + UInt16(5).nativeBytes
        message += UInt32(1).nativeBytes + UInt32(0).nativeBytes + [0, 0] + resource.bigEndianBytes + attributes
        try check(send(descriptor.number, message, message.count, 0), "send", title)
        guard try descriptor.poll(POLLIN, until: Deadline(milliseconds: Deadline.patience)) != 0 else {
            throw LabError.timeout("answer to \(title)")
        }
        var answer = [UInt8](repeating: 0, count: 4096)
        let count = try check(recv(descriptor.number, &answer, answer.count, 0), "recv", title)
        guard count >= 20 else { throw LabError.timeout("whole answer to \(title)") }
        let error = answer.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 16, as: Int32.self) }
        if error != 0 { throw LabError.system(call: title, subject: "netfilter", errno: 0 &- error) }
    }

    /// An attribute, padded to 4 bytes.
    static func attribute(_ type: UInt16, _ value: [UInt8]) -> [UInt8] {
        UInt16(4 + value.count).nativeBytes + type.nativeBytes + value
            + [UInt8](repeating: 0, count: (4 - value.count % 4) % 4)
    }
}

/// The kernel's connection tracking in a namespace.
enum ConnectionTracking {
    /// Forgets all connections of the calling thread's namespace, as `conntrack -F` does. CAP_NET_ADMIN.
    static func flush() throws {
        // IPCTNL_MSG_CT_DELETE of NFNL_SUBSYS_CTNETLINK.
        try NetfilterSocket().request(1 << 8 | 2, [], "flush of connections")
    }
}

/// The packets that netfilter rules log to a group (NFLOG) in the network namespace of the calling thread. CAP_NET_ADMIN.
final class NetfilterLog {
    private let socket: NetfilterSocket
    let group: UInt16
    var number: Int32 { socket.descriptor.number }

    /// Takes a group to which no other process listens.
    init() throws {
        socket = try NetfilterSocket()
        var group = UInt16(truncatingIfNeeded: getpid()) | 1
        var left = 16
        let config: UInt16 = 4 << 8 | 1  // NFULNL_MSG_CONFIG of NFNL_SUBSYS_ULOG
        while true {
            do {
                // NFULNL_CFG_CMD_BIND.
                try socket.request(config, resource: group, NetfilterSocket.attribute(1, [1]), "NFLOG group \(group)")
                break
            } catch LabError.system(_, _, EBUSY) where left > 0 {
                group &+= 2
                left -= 1
            }
        }
        self.group = group
        // NFULNL_COPY_PACKET with this many bytes; each packet is delivered at once.
        let mode = NetfilterSocket.attribute(2, UInt32(256).bigEndianBytes + [2, 0])
        let threshold = NetfilterSocket.attribute(5, UInt32(1).bigEndianBytes)
        try socket.request(config, resource: group, mode + threshold, "NFLOG group \(group)")
    }

    /// What is waiting to be read: the first bytes of packets, beginning with the IP header; nil if there is nothing more.
    ///
    /// Throws ENOBUFS if packets were lost.
    func next() throws -> [ArraySlice<UInt8>]? {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(number, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        if count < 0, errno == EAGAIN || errno == EINTR { return nil }
        try check(count, "recv", "NFLOG")
        return Self.packets(bytes[..<count])
    }

    /// The payloads in netlink messages.
    static func packets(_ bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        var packets: [ArraySlice<UInt8>] = []
        var rest = bytes
        while rest.count >= 16 {
            let length = Int(rest.native(at: 0)) | Int(rest.native(at: 2)) << 16
            guard length >= 16, length <= rest.count else { break }
            // NFULNL_MSG_PACKET of NFNL_SUBSYS_ULOG; struct nfgenmsg is 4 bytes.
            if rest.native(at: 4) == 4 << 8, length >= 20,
                let payload = payload(rest.dropFirst(20).prefix(length - 20))
            {
                packets.append(payload)
            }
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return packets
    }

    /// NFULA_PAYLOAD among the attributes.
    private static func payload(_ attributes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        var rest = attributes
        while rest.count >= 4 {
            let length = Int(rest.native(at: 0))
            guard length >= 4, length <= rest.count else { return nil }
            if rest.native(at: 2) & 0x3fff == 9 { return rest.dropFirst(4).prefix(length - 4) }
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return nil
    }
}

extension ArraySlice<UInt8> {
    /// Two bytes at an offset, in machine byte order; the slice must contain them.
    fileprivate func native(at offset: Int) -> UInt16 {
        withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt16.self) }
    }
}

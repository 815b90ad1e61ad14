import Glibc
import Laboratory

extension Socket {
    /// Leaves the only reference to the socket in a UNIX socket that is in flight to itself: garbage, which the kernel
    /// finds (unix_gc) and drops after this process has closed it.
    func abandonInFlight() throws {
        var pair: [Int32] = [-1, -1]
        let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        try check(socketpair(AF_UNIX, type, 0, &pair), "socketpair")
        let sender = Descriptor(pair[0])
        let receiver = Descriptor(pair[1])
        // struct cmsghdr: length, SOL_SOCKET, SCM_RIGHTS; then the descriptors.
        var control = UInt64(24).nativeBytes + Int32(1).nativeBytes + Int32(1).nativeBytes
        control += number.nativeBytes + receiver.number.nativeBytes
        var byte: UInt8 = 0
        let sent = control.withUnsafeMutableBytes { control in
            withUnsafeMutablePointer(to: &byte) { byte in
                var vector = iovec(iov_base: byte, iov_len: 1)
                return withUnsafeMutablePointer(to: &vector) { vector in
                    var message = msghdr()
                    message.msg_iov = vector
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = control.count
                    return sendmsg(sender.number, &message, 0)
                }
            }
        }
        try check(sent, "sendmsg", "SCM_RIGHTS")
        close()
        sender.close()
        receiver.close()
        // The kernel collects garbage when a UNIX socket is released; those above, being in flight, are not.
        for _ in 0..<3 {
            try check(socketpair(AF_UNIX, type, 0, &pair), "socketpair")
            for number in pair { Glibc.close(number) }
            usleep(2000)
        }
    }
}

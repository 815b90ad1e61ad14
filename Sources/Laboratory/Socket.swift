import CLaboratory
import Glibc
package import NetworkTypes

/// A TCP socket; UDP and raw sockets use what they share with it.
///
/// Every wait is bounded. A socket that is dropped without `close()` vanishes silently, with neither FIN nor RST.
package final class Socket {
    package let descriptor: Descriptor
    package let family: Int32
    package var number: Int32 { descriptor.number }

    /// Makes the socket in the network namespace of the calling thread.
    package init(family: Int32, type: Int32 = Int32(SOCK_STREAM.rawValue), protocolNumber: Int32 = 0) throws {
        self.family = family
        let closeOnExec = Int32(SOCK_CLOEXEC.rawValue)
        descriptor = Descriptor(try check(socket(family, type | closeOnExec, protocolNumber), "socket"))
    }

    /// A socket that this process inherited.
    package init(adopting number: Int32, family: Int32) {
        descriptor = Descriptor(number)
        self.family = family
    }

    private init(_ descriptor: Descriptor, family: Int32) {
        self.descriptor = descriptor
        self.family = family
    }

    deinit { closeSilently() }

    // MARK: Making a connection

    /// Binds the address, or only the port where the address is nil.
    package func bind(_ endpoint: Endpoint) throws {
        try? set(SOL_SOCKET, SO_REUSEADDR, 1)
        let address = endpoint.sockaddr(family: family)
        try address.withUnsafeBytes { raw in
            let pointer = raw.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            try check(Glibc.bind(number, pointer, socklen_t(raw.count)), "bind", endpoint.description)
        }
    }

    package func listen(backlog: Int32 = 16) throws {
        try check(Glibc.listen(number, backlog), "listen")
    }

    /// Starts connecting without waiting for the outcome.
    package func startConnecting(to endpoint: Endpoint) throws {
        try setBlocking(false)
        defer { try? setBlocking(true) }
        try callConnect(endpoint.sockaddr(family: family), endpoint.description)
    }

    /// A non-blocking TCP socket that has started to connect.
    package static func connecting(to endpoint: Endpoint) throws -> Socket {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let socket = try Socket(family: endpoint.address.version.family, type: type)
        do {
            try socket.callConnect(endpoint.sockaddr(family: socket.family), endpoint.description)
        } catch {
            socket.close()
            throw error
        }
        return socket
    }

    /// Connects and waits; throws the connection's error, such as ECONNREFUSED.
    package func connect(to endpoint: Endpoint) throws {
        try startConnecting(to: endpoint)
        let deadline = Deadline(milliseconds: Deadline.patience)
        guard try descriptor.poll(POLLOUT, until: deadline) != 0 else {
            throw LabError.timeout("connection to \(endpoint)")
        }
        let error = try pendingError()
        guard error == 0 else { throw LabError.system(call: "connect", subject: "\(endpoint)", errno: error) }
    }

    /// `connect(AF_UNSPEC)`: tcp_disconnect.
    package func disconnect() throws {
        try callConnect(UInt16(AF_UNSPEC).nativeBytes + [UInt8](repeating: 0, count: 14), "AF_UNSPEC")
    }

    private func callConnect(_ address: [UInt8], _ subject: String) throws {
        try address.withUnsafeBytes { raw in
            let pointer = raw.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            let status = Glibc.connect(number, pointer, socklen_t(raw.count))
            if status < 0, errno == EINPROGRESS { return }
            try check(status, "connect", subject)
        }
    }

    package func accept() throws -> Socket {
        try waitUntilReadable("connection to accept")
        return Socket(Descriptor(try check(laboratory_accept(number), "accept4")), family: family)
    }

    /// The next connection in the queue, without blocking; nil if there is none.
    package func acceptNonBlocking() throws -> Socket? {
        let accepted = laboratory_accept_nonblocking(number)
        if accepted < 0, errno == EAGAIN || errno == EINTR || errno == ECONNABORTED { return nil }
        return Socket(Descriptor(try check(accepted, "accept4")), family: family)
    }

    // MARK: Using it

    package func send(_ count: Int) throws {
        let bytes = [UInt8](repeating: UInt8(ascii: "x"), count: count)
        let sent = try check(Glibc.send(number, bytes, count, Int32(MSG_NOSIGNAL)), "send")
        guard sent == count else { throw LabError.timeout("room for \(count) bytes") }
    }

    /// Reads what is there, up to `count` bytes; 0 after the peer's FIN.
    @discardableResult
    package func receive(_ count: Int) throws -> Int {
        try waitUntilReadable("data")
        var bytes = [UInt8](repeating: 0, count: count)
        return try check(recv(number, &bytes, count, 0), "recv")
    }

    /// Waits in recv(2), and returns its error; 0 if it had none.
    package func errorOfReading() throws -> Int32 {
        var byte: UInt8 = 0
        return recv(number, &byte, 1, 0) < 0 ? errno : 0
    }

    /// Writes a byte, and returns the error of that; 0 if it had none.
    package func errorOfWriting() throws -> Int32 {
        var byte = UInt8(ascii: "x")
        return Glibc.send(number, &byte, 1, Int32(MSG_NOSIGNAL)) < 0 ? errno : 0
    }

    /// Waits in connect(2), and returns its error; 0 if it had none.
    package func errorOfConnecting(to endpoint: Endpoint) -> Int32 {
        let address = endpoint.sockaddr(family: family)
        return address.withUnsafeBytes { raw in
            let pointer = raw.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            return Glibc.connect(number, pointer, socklen_t(raw.count)) < 0 ? errno : 0
        }
    }

    package func waitUntilReadable(_ what: String = "data") throws {
        let deadline = Deadline(milliseconds: Deadline.patience)
        guard try descriptor.poll(POLLIN, until: deadline) != 0 else { throw LabError.timeout(what) }
    }

    package func shutdown(_ how: Int) throws {
        try check(Glibc.shutdown(number, Int32(how)), "shutdown")
    }

    /// close(2), with all its effects on TCP.
    package func close() { descriptor.close() }

    /// Removes a TCP socket without a segment: TCP_REPAIR, then close(2) (tcp_disconnect sends nothing then).
    package func closeSilently() {
        guard number >= 0 else { return }
        try? set(Int32(IPPROTO_TCP), TCP_REPAIR, 1)
        descriptor.close()
    }

    // MARK: Options and state

    package func set(_ level: Int32, _ option: Int32, _ value: Int32) throws {
        var value = value
        try check(setsockopt(number, level, option, &value, 4), "setsockopt", "\(level) \(option)")
    }

    package func setTCP(_ option: Int32, _ value: Int32) throws { try set(Int32(IPPROTO_TCP), option, value) }

    package func setLinger(seconds: Int32) throws {
        var value = linger(l_onoff: 1, l_linger: seconds)
        try check(setsockopt(number, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size)), "SO_LINGER")
    }

    /// TCP_MD5SIG (RFC 2385) with a fixed key for the peer; throws `.unsupported` if the kernel lacks it.
    package func setSignature(for peer: IPAddress) throws {
        // struct tcp_md5sig: the address in 128 bytes, flags, prefix length, key length, interface, 80 bytes of key.
        var value = Endpoint(peer, 0).sockaddr(family: family)
        value += [UInt8](repeating: 0, count: 128 - value.count)
        value += [0, 0] + UInt16(4).nativeBytes + UInt32(0).nativeBytes + Array("rst!".utf8)
        value += [UInt8](repeating: 0, count: 76)
        let status = setsockopt(number, Int32(IPPROTO_TCP), 14, &value, socklen_t(value.count))
        if status < 0, errno == ENOPROTOOPT { throw LabError.unsupported("this kernel has no TCP_MD5SIG") }
        try check(status, "TCP_MD5SIG")
    }

    /// Probes after a second without traffic, a second apart: the shortest times that the kernel accepts.
    package func startKeepalive(count: Int32) throws {
        try setTCP(TCP_KEEPIDLE, 1)
        try setTCP(TCP_KEEPINTVL, 1)
        try setTCP(TCP_KEEPCNT, count)
        try set(SOL_SOCKET, SO_KEEPALIVE, 1)
    }

    /// Lets the socket receive only some segments (SO_ATTACH_FILTER): the others are dropped before TCP sees them.
    package func hear(only hearing: Hearing) throws {
        let status =
            switch hearing {
            case .nothing: laboratory_set_hearing(number, LABORATORY_HEARS_NOTHING, 0)
            case .fin: laboratory_set_hearing(number, LABORATORY_HEARS_FIN, 0)
            case .noData: laboratory_set_hearing(number, LABORATORY_HEARS_NO_DATA, 0)
            case .syn(let port): laboratory_set_hearing(number, LABORATORY_HEARS_SYN, port)
            }
        try check(status, "SO_ATTACH_FILTER")
    }

    /// Lets the socket receive everything again. One that was accepted has the filter of its listener (sk_clone()).
    package func hearEverything() throws { try set(SOL_SOCKET, SO_DETACH_FILTER, 0) }

    package enum Hearing {
        case nothing
        /// Segments with FIN.
        case fin
        /// Segments without data.
        case noData
        /// For a listener: SYNs, and everything from one port.
        case syn(orFrom: UInt16)
    }

    /// Undoes `hear(only:)`.
    package func hearAll() throws { try set(SOL_SOCKET, SO_DETACH_FILTER, 0) }

    package func setBlocking(_ blocking: Bool) throws {
        let flags = try check(fcntl(number, F_GETFL), "fcntl")
        try check(fcntl(number, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK), "fcntl")
    }

    /// SO_ERROR, which reading clears.
    package func pendingError() throws -> Int32 {
        var value: Int32 = 0
        var size = socklen_t(4)
        try check(getsockopt(number, SOL_SOCKET, SO_ERROR, &value, &size), "SO_ERROR")
        return value
    }

    /// The socket's state, from TCP_INFO.
    package func state() throws -> TCPState? {
        var info = [UInt8](repeating: 0, count: 104)
        var size = socklen_t(info.count)
        try check(getsockopt(number, Int32(IPPROTO_TCP), TCP_INFO, &info, &size), "TCP_INFO")
        return TCPState(rawValue: info[0])
    }

    /// How many connections wait to be accepted from this listener (`tcpi_unacked` of TCP_INFO).
    package func queueLength() throws -> Int {
        var info = tcp_info()
        var size = socklen_t(MemoryLayout<tcp_info>.size)
        try check(getsockopt(number, Int32(IPPROTO_TCP), TCP_INFO, &info, &size), "TCP_INFO")
        return Int(info.tcpi_unacked)
    }

    package func waitFor(_ state: TCPState) throws {
        try wait(for: "state \(state.name)") { try self.state() == state }
    }

    package func local() throws -> Endpoint { try name(getsockname, "getsockname") }
    package func remote() throws -> Endpoint { try name(getpeername, "getpeername") }

    private func name(
        _ call: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32, _ title: String
    ) throws -> Endpoint {
        var bytes = [UInt8](repeating: 0, count: 28)
        var size = socklen_t(bytes.count)
        try bytes.withUnsafeMutableBytes { raw in
            let pointer = raw.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            _ = try check(call(number, pointer, &size), title)
        }
        guard let endpoint = Endpoint(sockaddr: bytes) else {
            throw LabError.unsupported("not an Internet socket")
        }
        return endpoint
    }
}

import Glibc
package import NetworkTypes

/// One namespace of a lab.
package final class Node {
    package let role: Role
    package let thread: NamespaceThread
    package let version: IPVersion
    /// The interfaces that carry the lab's traffic, without `lo` where others do.
    package let interfaces: [String]
    /// The node's address on each of `interfaces`, of the lab's IP version.
    package let addresses: [IPAddress]

    package init(role: Role, thread: NamespaceThread, version: IPVersion, interfaces: [String], addresses: [IPAddress])
    {
        self.role = role
        self.thread = thread
        self.version = version
        self.interfaces = interfaces
        self.addresses = addresses
    }

    package var address: IPAddress { addresses[0] }
    package var netns: UInt32 { thread.inode }

    package func endpoint(_ port: UInt16) -> Endpoint { Endpoint(address, port) }

    /// Runs the closure in the namespace.
    package func run<Result>(_ body: () throws -> Result) throws -> Result { try thread.run(body) }

    @discardableResult
    package func command(_ words: String...) throws -> String { try run { try Command.run(words) } }

    /// Sets a sysctl of the namespace, such as `net.ipv4.tcp_syncookies`; throws `.unsupported` if the kernel lacks it.
    package func sysctl(_ name: String, _ value: String) throws {
        let path = "/proc/sys/" + name.replacingDots()
        try run {
            guard File.exists(path) else { throw LabError.unsupported("this kernel has no sysctl \(name)") }
            try File.write(value, to: path)
        }
    }

    /// Gives the first interface another address, and returns once packets to it are delivered.
    package func addAddress(_ address: IPAddress, prefixLength: Int) throws {
        let option = address.isIPv4 ? [] : ["nodad"]
        try run {
            try Command.run(["ip", "addr", "add", "\(address)/\(prefixLength)", "dev", interfaces[0]] + option)
            guard !address.isIPv4 else { return }
            // The local route of an IPv6 address is added later than the address (addrconf_dad_work).
            let digits = address.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            try wait(for: "route to \(address)") {
                let routes = (File.read("/proc/thread-self/net/ipv6_route") ?? "").split(separator: "\n")
                return routes.contains { route in
                    let fields = route.split(separator: " ")
                    let flags = fields.count > 8 ? UInt32(fields[8], radix: 16) ?? 0 : 0
                    return route.hasPrefix("\(digits) 80 ") && flags & 0x8000_0000 /* RTF_LOCAL */ != 0
                }
            }
        }
    }

    /// This node's address on its link with another node.
    package func addressFacing(_ other: Node) throws -> IPAddress {
        let length = other.version == .v4 ? 26 : 64
        func link(_ address: IPAddress) -> [Bool] {
            address.bytes.flatMap { byte in (0..<8).map { byte >> (7 - $0) & 1 == 1 } }.prefix(length).map(\.self)
        }
        guard let address = addresses.first(where: { link($0) == link(other.address) }) else {
            throw LabError.unsupported("the nodes have no link in common")
        }
        return address
    }

    package func tap(_ interface: String? = nil) throws -> PacketTap {
        try run { try PacketTap(interface: interface ?? interfaces[0]) }
    }

    package func hardwareAddress(_ interface: String? = nil) throws -> [UInt8] {
        let request = try interfaceRequest(0x8927 /* SIOCGIFHWADDR */, interface ?? interfaces[0])
        return Array(request[18..<24])
    }

    /// IFF_UP and the rest, as SIOCGIFFLAGS gives them.
    package func flags(_ interface: String) throws -> Int32 {
        let request = try interfaceRequest(0x8913 /* SIOCGIFFLAGS */, interface)
        return Int32(request[16]) | Int32(request[17]) << 8
    }

    /// An ioctl on `struct ifreq`: the name in 16 bytes, then a union.
    private func interfaceRequest(_ code: UInt, _ interface: String) throws -> [UInt8] {
        try run {
            let socket = Descriptor(
                try check(Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0), "socket")
            )
            let name = Array(interface.utf8.prefix(15))
            var request = name + [UInt8](repeating: 0, count: 40 - name.count)
            try check(ioctl(socket.number, code, &request), "ioctl", interface)
            return request
        }
    }
}

extension Node {
    // MARK: Sockets of the lab's IP version

    package func socket() throws -> Socket { try run { try Socket(family: version.family) } }

    /// A listener on the port of this node's address.
    package func listen(_ port: UInt16, backlog: Int32 = 16, prepare: (Socket) throws -> Void = { _ in }) throws
        -> Socket
    {
        let listener = try socket()
        try prepare(listener)
        try listener.bind(endpoint(port))
        try listener.listen(backlog: backlog)
        return listener
    }

    package func connect(to endpoint: Endpoint, prepare: (Socket) throws -> Void = { _ in }) throws -> Socket {
        let socket = try socket()
        try prepare(socket)
        try socket.connect(to: endpoint)
        return socket
    }
}

extension String {
    fileprivate func replacingDots() -> String { String(map { $0 == "." ? "/" : $0 }) }
}

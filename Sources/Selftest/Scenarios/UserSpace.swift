import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// Resets that this host's TCP did not make: written by a program, or passing through.
    static let elsewhere: [Scenario] = [
        Scenario("raw-socket", "A program on the client writes a RST through a raw socket.") { lab in
            let tap = try lab.client.tap()
            let segment = forged(from: lab.client, to: lab.server)
            try lab.client.run { try RawSocket(version: lab.ipVersion).send(segment) }
            try tap.awaitReset(segment.tuple)
            return [written(segment, lab, by: lab.client)]
        },
        Scenario("packet-socket", "A program on the client writes a RST through a packet socket.") { lab in
            let tap = try lab.client.tap()
            let watch = try lab.client.tap()
            let segment = forged(from: lab.client, to: lab.server)
            try tap.send(segment.packet, to: lab.server.hardwareAddress())
            try watch.awaitReset(segment.tuple)
            return [written(segment, lab, by: lab.client)]
        },
        Scenario(
            "tun-device",
            "A program, as a VPN does, writes a RST into a tun device, and the client's host forwards it.",
            needs: [.file("/dev/net/tun")]
        ) { lab in
            let watch = try lab.client.tap()
            let inside = lab.plan.address(lab.ipVersion, link: 2, host: 2)
            let tun = try TunDevice(
                in: lab.client, address: lab.plan.address(lab.ipVersion, link: 2, host: 1), lab: lab)
            var segment = forged(from: lab.client, to: lab.server)
            segment.source.address = inside
            try tun.write(segment.packet)
            try watch.awaitReset(segment.tuple)
            // A program that merely carries segments of other hosts writes them in the same way.
            var reset = written(segment, lab, by: lab.client)
            reset.isNeverProven = true
            return [reset]
        },
        Scenario(
            "received", "A RST from a peer whose host is not recorded ends a connection: nothing more can be said."
        ) { lab in
            let watch = try lab.server.tap()
            let listener = try lab.server.listen(Lab.port)
            let connection = try Phantom(in: lab).connect(to: lab.serverEnd)
            let socket = try listener.accept()
            try connection.phantom.send(connection.segment(.rst), hidden: true)
            try watch.awaitReset(connection.fromLocal)
            try socket.waitFor(.close)
            return [
                ExpectedReset(connection.fromLocal, "received", at: lab.client) { $0.outcome = .wireOnly }
            ]
        },
        Scenario("forwarded", "A RST from a host that is not recorded passes the router.", on: .routed) {
            [try forwarded($0)]
        },
        Scenario("forwarded-bridge", "The same through a bridge: no IP layer takes part.", on: .bridged) {
            [try forwarded($0)]
        },
    ]

    private static func forged(from: Node, to: Node) -> RawSegment {
        RawSegment(from: from.endpoint(40001), to: to.endpoint(Lab.port), [.rst, .ack], seq: 1000, ack: 77)
    }

    private static func written(_ segment: RawSegment, _ lab: Lab, by node: Node) -> ExpectedReset {
        ExpectedReset(segment.tuple, "user-space", at: node) { $0.ownedBy(lab.ownPID) }
    }

    private static func forwarded(_ lab: Lab) throws -> ExpectedReset {
        let watch = try lab.server.tap()
        let phantom = try Phantom(in: lab)
        let segment = RawSegment(
            from: phantom.endpoint(40001), to: lab.serverEnd, [.rst, .ack], seq: 1000, ack: 77)
        try phantom.send(segment, hidden: true)
        try watch.awaitReset(segment.tuple)
        return ExpectedReset(segment.tuple, "forwarded", at: lab.router!)
    }
}

/// A tun device of a node, which is set up to forward what is written to it.
final class TunDevice {
    private let descriptor: Descriptor

    init(in node: Node, address: IPAddress, lab: Lab) throws {
        descriptor = try node.run {
            let descriptor = Descriptor(open("/dev/net/tun", O_RDWR | O_CLOEXEC))
            guard descriptor.number >= 0 else { throw LabError.unsupported("/dev/net/tun cannot be opened") }
            // struct ifreq with IFF_TUN | IFF_NO_PI; TUNSETIFF.
            var request = Array("tun0".utf8) + [UInt8](repeating: 0, count: 12) + UInt16(0x1001).nativeBytes
            request += [UInt8](repeating: 0, count: 22)
            try check(ioctl(descriptor.number, 0x4004_54ca, &request), "TUNSETIFF")
            return descriptor
        }
        let option = lab.ipVersion == .v6 ? ["nodad"] : []
        let prefix = lab.plan.prefixLength(lab.ipVersion)
        try node.run {
            try Command.run(["ip", "addr", "add", "\(address)/\(prefix)", "dev", "tun0"] + option)
            _ = try Command.run(["ip", "link", "set", "tun0", "up"])
        }
        try node.sysctl(lab.ipVersion == .v4 ? "net.ipv4.conf.all.forwarding" : "net.ipv6.conf.all.forwarding", "1")
    }

    func write(_ packet: [UInt8]) throws {
        try check(Glibc.write(descriptor.number, packet, packet.count), "write", "tun0")
    }
}

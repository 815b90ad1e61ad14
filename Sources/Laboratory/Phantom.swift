import Glibc
package import NetworkTypes

/// A TCP peer without a kernel: a host on the client's link whose segments are built by hand.
///
/// No host has its address, so no stack interferes; the neighbour that routes to it is told its hardware address.
package final class Phantom {
    package let address: IPAddress
    private let tap: PacketTap
    private let gateway: [UInt8]

    /// By default the address belongs to the client's link. With another address it is a host to which there is no route.
    package init(in lab: Lab, address: IPAddress? = nil) throws {
        self.address = address ?? lab.plan.address(lab.ipVersion, link: 0, host: 9)
        tap = try lab.client.tap()
        // On the link with the client: the server, or the router's inner side.
        let neighbour: (node: Node, interface: String) =
            switch lab.topology {
            case .routed: (lab.router!, "eth0")
            case .masqueraded: (lab.router!, "br0")
            case .pair, .bridged, .loopback: (lab.server, "eth0")
            }
        gateway = try neighbour.node.hardwareAddress(neighbour.interface)
        if address == nil {
            let hardware = try lab.client.hardwareAddress().map { byte in
                (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
            try neighbour.node.command(
                "ip", "neigh", "replace", self.address.description, "lladdr", hardware.joined(separator: ":"), "dev",
                neighbour.interface, "nud", "permanent")
        }
    }

    package func endpoint(_ port: UInt16) -> Endpoint { Endpoint(address, port) }

    /// If hidden, no hook and no tap of this host sees it leave (`PacketTap.send`).
    package func send(_ segment: RawSegment, hidden: Bool = false) throws {
        try tap.send(segment.packet, to: gateway, hidden: hidden)
    }

    /// The next segment to this host that the predicate accepts.
    package func receive(_ what: String, where accepts: (RawSegment) -> Bool) throws -> RawSegment {
        try tap.next(what) { $0.destination.address == address && accepts($0) }
    }

    /// Sends a SYN and returns the connection once the SYN+ACK was received, without answering it.
    package func open(_ port: UInt16 = 40001, to remote: Endpoint, options: [UInt8] = []) throws -> PhantomConnection {
        var connection = PhantomConnection(phantom: self, local: endpoint(port), remote: remote)
        try connection.send(.syn, options: options)
        let answer = try connection.receive("SYN+ACK") { $0.flags.isSuperset(of: [.syn, .ack]) }
        connection.ack = answer.nextSeq
        connection.answer = answer
        return connection
    }

    /// Completes the handshake.
    package func connect(_ port: UInt16 = 40001, to remote: Endpoint) throws -> PhantomConnection {
        var connection = try open(port, to: remote)
        try connection.send(.ack)
        return connection
    }
}

/// A phantom's connection, which consists of its sequence numbers only.
package struct PhantomConnection {
    package let phantom: Phantom
    package let local: Endpoint
    package let remote: Endpoint
    /// The next sequence number to send.
    package var seq: UInt32 = 1_000_000
    /// The next sequence number that is expected.
    package var ack: UInt32 = 0
    /// The SYN+ACK that opened it.
    package var answer: RawSegment?

    package init(phantom: Phantom, local: Endpoint, remote: Endpoint) {
        self.phantom = phantom
        self.local = local
        self.remote = remote
    }

    /// The direction in which the other end sends.
    package var fromRemote: FourTuple { FourTuple(from: remote, to: local) }
    package var fromLocal: FourTuple { FourTuple(from: local, to: remote) }

    /// A segment with the connection's sequence numbers.
    package func segment(_ flags: TCPFlags, payload: Int = 0, options: [UInt8] = []) -> RawSegment {
        var segment = RawSegment(from: local, to: remote, flags, seq: seq, ack: flags.contains(.ack) ? ack : 0)
        segment.payload = [UInt8](repeating: UInt8(ascii: "x"), count: payload)
        segment.options = options
        return segment
    }

    package mutating func send(_ flags: TCPFlags, payload: Int = 0, options: [UInt8] = []) throws {
        let segment = segment(flags, payload: payload, options: options)
        try phantom.send(segment)
        seq = segment.nextSeq
    }

    package func receive(_ what: String, where accepts: (RawSegment) -> Bool) throws -> RawSegment {
        try phantom.receive(what) { $0.tuple == fromRemote && accepts($0) }
    }

    /// Waits for the other end's FIN.
    package mutating func receiveFIN() throws {
        ack = try receive("FIN") { $0.flags.contains(.fin) }.nextSeq
    }
}

import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// Resets that a program on the path writes again, as a bridge over packet sockets or a tunnel daemon does: the copies are
    /// the same RSTs, and the program made none of them.
    static let relayed: [Scenario] = [
        Scenario(
            "relayed",
            "Three equal refusals of the server; a program on the router writes them again 30 ms later, one hop older.",
            on: .routed
        ) { lab in
            let relay = try Relay(in: lab)
            let socketless = FourTuple(from: lab.server.endpoint(Lab.closedPort), to: lab.client.endpoint(40001))
            try relay.refuse(socketless, times: 3)
            return Array(repeating: noSocket(socketless, "closed-port", at: lab.server), count: 3)
        },
        Scenario(
            "relayed-translated",
            "The same, and the program hides the client behind the router's address: each RST has two four-tuples.",
            on: .routed
        ) { lab in
            let hidden = Endpoint(lab.router!.addresses[lab.router!.interfaces.firstIndex(of: "eth1")!], 40001)
            let relay = try Relay(in: lab, hidingClientAs: hidden)
            let server = lab.server.endpoint(Lab.closedPort)
            let tuple = FourTuple(from: server, to: hidden)
            try relay.refuse(FourTuple(from: server, to: lab.client.endpoint(40001)), times: 3)
            return (0..<3).map { _ in
                ExpectedReset(tuple, "closed-port", at: lab.server) {
                    $0.withoutSocket()
                    $0.alsoSeenAs = [FourTuple(from: server, to: lab.client.endpoint(40001))]
                }
            }
        },
        Scenario(
            "relayed-received",
            "A program on the router passes on the RST of a host that is not recorded: it did not make it.",
            on: .routed
        ) { lab in
            let relay = try Relay(in: lab)
            let phantom = try Phantom(in: lab)
            let segment = RawSegment(
                from: phantom.endpoint(40001), to: lab.serverEnd, [.rst, .ack], seq: 1000, ack: 77)
            let watch = try lab.server.tap()
            try phantom.send(segment, hidden: true)
            try relay.carry(1) { $0.tuple == segment.tuple }
            try watch.awaitReset(segment.tuple)
            return [
                ExpectedReset(segment.tuple, "forwarded", at: lab.router!) {
                    $0.ownedBy(lab.ownPID)
                    $0.isNeverProven = true
                }
            ]
        },
    ]
}

/// A program on the router that reads segments from one packet socket and writes them to another; the router's kernel
/// forwards nothing.
private final class Relay {
    private let lab: Lab
    private let inside: PacketTap
    private let outside: PacketTap
    private let hidden: Endpoint?

    /// - Parameter hidden: the end that the server sees instead of the client; nil for the client's own address.
    init(in lab: Lab, hidingClientAs hidden: Endpoint? = nil) throws {
        self.lab = lab
        self.hidden = hidden
        let router = lab.router!
        try router.sysctl(lab.ipVersion == .v4 ? "net.ipv4.conf.all.forwarding" : "net.ipv6.conf.all.forwarding", "0")
        inside = try router.tap("eth0")
        outside = try router.tap("eth1")
    }

    /// How long a segment is held, microseconds.
    private static let delay: UInt32 = 30_000

    /// Carries this many segments from the client's side to the server.
    func carry(_ count: Int, where accepts: (RawSegment) -> Bool) throws {
        let segments = try (0..<count).map { _ in try inside.next("segment to the server", where: accepts) }
        usleep(Self.delay)
        for var segment in segments {
            segment.ttl -= 1
            if let hidden { segment.source = hidden }
            try outside.send(segment.packet, to: lab.server.hardwareAddress())
        }
    }

    /// Lets the client connect to a closed port of the server, and passes on the answers.
    ///
    /// - Parameter tuple: of the answers, as the client receives them.
    func refuse(_ tuple: FourTuple, times: Int) throws {
        let watch = try lab.client.tap()
        let wire = try lab.client.tap()
        let client = lab.client.endpoint(tuple.destinationPort)
        let asked = RawSegment(from: client, to: lab.server.endpoint(tuple.sourcePort), .syn, seq: 1_000_000)
        for _ in 0..<times {
            try wire.send(asked.packet, to: lab.router!.hardwareAddress("eth0"))
            usleep(Self.delay / 3)
        }
        try carry(times) { $0.tuple == asked.tuple }
        let answers = try (0..<times).map { _ in
            try outside.next("answer of the server") { $0.flags.contains(.rst) }
        }
        usleep(Self.delay)
        for var answer in answers {
            answer.ttl -= 1
            answer.destination = client
            try inside.send(answer.packet, to: lab.client.hardwareAddress())
        }
        for _ in 0..<times { try watch.awaitReset(tuple) }
    }
}

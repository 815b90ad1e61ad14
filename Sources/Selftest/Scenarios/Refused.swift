import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// Connections that are refused.
    static let refused: [Scenario] = [
        Scenario("closed-port", "A client connects to a port on which nobody listens.") { lab in
            [try closedPort(lab)]
        },
        Scenario(
            "closed-port-loopback",
            "The same over lo, where the kernel answers in the context of the connecting client, although that did not reset.",
            on: .loopback
        ) { lab in
            [try closedPort(lab)]
        },
        Scenario(
            "closed-port-mapped", "The same from an AF_INET6 socket that speaks IPv4 (mapped address).",
            ipVersions: [.v4]
        ) { lab in
            [try closedPort(lab, family: AF_INET6)]
        },
    ]

    private static func closedPort(_ lab: Lab, family: Int32? = nil) throws -> ExpectedReset {
        let tap = try lab.server.tap()
        let socket = try lab.client.run { try Socket(family: family ?? lab.ipVersion.family) }
        let target = lab.server.endpoint(Lab.closedPort)
        let source = lab.client.endpoint(40001)
        try socket.bind(source)
        try socket.expectRefusal(of: target)
        let tuple = FourTuple(from: target, to: source)
        try tap.awaitReset(tuple)
        return ExpectedReset(tuple, "closed-port", at: lab.server) { $0.withoutSocket() }
    }

    /// Makes this many connections to closed ports in one namespace, one after the other, as fast as one thread can.
    ///
    /// - Parameter count: at most 1,000,000. Every connection has its own four-tuple.
    public static func burst(count: Int) -> Scenario {
        Scenario("closed-port-burst", "\(count) connections to closed ports over lo.", on: .loopback) { lab in
            let node = lab.server
            let batch = 40_000
            return try node.run {
                try (0..<min(count, 1_000_000)).map { index in
                    let source = node.endpoint(UInt16(20_000 + index % batch))
                    let target = node.endpoint(UInt16(100 + index / batch))
                    let socket = try Socket(family: lab.ipVersion.family)
                    try socket.bind(source)
                    try socket.expectRefusal(of: target)
                    return ExpectedReset(FourTuple(from: target, to: source), "closed-port", at: node) {
                        $0.withoutSocket()
                    }
                }
            }
        }
    }
}

extension Socket {
    /// Connects, and returns once the peer has refused.
    func expectRefusal(of endpoint: Endpoint) throws {
        do {
            try connect(to: endpoint)
        } catch LabError.system(_, _, ECONNREFUSED) {
            return
        }
        throw LabError.timeout("refusal by \(endpoint)")
    }
}

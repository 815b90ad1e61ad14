import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    private static let needs: [Requirement] = [.sysctl("net.mptcp.enabled")]

    /// Resets of Multipath TCP (RFC 8684).
    static let multipath: [Scenario] = [
        Scenario(
            "mptcp-fastclose", "The server closes an MPTCP connection with data that it has not read.", needs: needs
        ) { lab in
            let tap = try lab.server.tap()
            let listener = try multipathListener(lab)
            let client = try multipathSocket(lab.client)
            try client.connect(to: lab.serverEnd)
            let server = try listener.accept()
            listener.close()
            try client.send(10)
            try server.waitUntilReadable()
            let tuple = FourTuple(from: lab.serverEnd, to: try client.local())
            server.close()
            try tap.awaitReset(tuple)
            return [
                ExpectedReset(tuple, "mptcp-fastclose", at: lab.server) {
                    // Up to 6.12 the stack is that of SO_LINGER.
                    $0.alternatives = ["linger-zero"]
                    $0.state = .established
                    $0.ownedBy(lab.ownPID, .close)
                }
            ]
        },
        Scenario(
            "mptcp-subflow-reset",
            "The peer asks for a fast close (MP_FASTCLOSE on an ACK); a kernel thread resets the subflow.", needs: needs
        ) { lab in
            let tap = try lab.server.tap()
            let listener = try multipathListener(lab)
            var connection = try multipathPhantom(lab)
            let server = try listener.accept()
            listener.close()
            // The connection counts as fully established with the first data acknowledgment.
            try connection.peer.send(.ack, options: [30, 8, 0x20, 0x01, 0, 0, 0, 1])
            try connection.peer.send(.ack, options: [30, 12, 0x70, 0] + connection.key)
            try tap.awaitReset(connection.peer.fromRemote)
            _ = server
            return [
                ExpectedReset(connection.peer.fromRemote, "mptcp-subflow-reset", at: lab.server) {
                    $0.state = .established
                    $0.ownedBy(lab.ownPID)
                    $0.processIsOptional = true
                }
            ]
        },
        Scenario("mptcp-join-refused", "A SYN asks to join an MPTCP connection that does not exist.", needs: needs) {
            lab in
            let tap = try lab.server.tap()
            let listener = try multipathListener(lab)
            defer { listener.close() }
            let phantom = try Phantom(in: lab)
            var join = RawSegment(from: phantom.endpoint(40001), to: lab.serverEnd, .syn, seq: 1)
            // MP_JOIN: address id, token, nonce.
            join.options = [30, 12, 0x10, 1, 1, 2, 3, 4, 5, 6, 7, 8]
            try phantom.send(join)
            try tap.awaitReset(join.tuple.reversed)
            return [joinRefused(join.tuple.reversed, lab)]
        },
        Scenario(
            "mptcp-join-limit",
            "A client tries to join with a second address, but the server's limits allow no subflow.",
            needs: needs
        ) { lab in
            let second = lab.plan.address(lab.ipVersion, link: 0, host: 7)
            try supported {
                try lab.server.command("ip", "mptcp", "limits", "set", "subflow", "0")
                try lab.client.command("ip", "mptcp", "limits", "set", "subflow", "2")
                try lab.client.addAddress(second, prefixLength: lab.plan.prefixLength(lab.ipVersion))
                try lab.client.command("ip", "mptcp", "endpoint", "add", "\(second)", "dev", "eth0", "subflow")
            }
            let tap = try lab.server.tap()
            let listener = try multipathListener(lab)
            let client = try multipathSocket(lab.client)
            try client.bind(lab.client.endpoint(40001))
            try client.connect(to: lab.serverEnd)
            let server = try listener.accept()
            try client.send(10)
            try server.receive(10)
            try server.send(10)
            try client.receive(10)
            let reset = try tap.next("RST to the second address") {
                $0.flags.contains(.rst) && $0.source == lab.serverEnd && $0.destination.address == second
            }
            listener.close()
            var resets = [joinRefused(reset.tuple, lab)]
            // A kernel that drops the subflow in a worker answers the RST with one of its own.
            if (try? tap.awaitReset(reset.tuple.reversed, milliseconds: 300)) != nil {
                resets.append(
                    ExpectedReset(reset.tuple.reversed, "mptcp-subflow-reset", at: lab.client) {
                        $0.ownedBy(lab.ownPID)
                        $0.processIsOptional = true
                    })
            }
            return resets
        },
    ]

    private static func joinRefused(_ tuple: FourTuple, _ lab: Lab) -> ExpectedReset {
        ExpectedReset(tuple, "mptcp-join-refused", at: lab.server) {
            $0.ownedBy(lab.ownPID)
            $0.processIsOptional = true
        }
    }

    private static func multipathSocket(_ node: Node) throws -> Socket {
        try node.sysctl("net.mptcp.enabled", "1")
        return try node.run {
            do {
                return try Socket(family: node.version.family, protocolNumber: 262 /* IPPROTO_MPTCP */)
            } catch LabError.system {
                throw LabError.unsupported("this kernel has no MPTCP over \(node.version)")
            }
        }
    }

    private static func multipathListener(_ lab: Lab) throws -> Socket {
        let listener = try multipathSocket(lab.server)
        try listener.bind(lab.serverEnd)
        try listener.listen()
        return listener
    }

    /// A phantom that speaks MPTCP up to the handshake, and the server's key.
    private static func multipathPhantom(_ lab: Lab) throws -> (peer: PhantomConnection, key: [UInt8]) {
        // MP_CAPABLE, version 1, HMAC-SHA256.
        var connection = try Phantom(in: lab).open(to: lab.serverEnd, options: [30, 4, 0x01, 0x01])
        let options = connection.answer?.options ?? []
        guard let start = options.indices.first(where: { options[$0...].starts(with: [30, 12, 0x01]) }),
            start + 12 <= options.count
        else { throw LabError.unsupported("the server does not answer MP_CAPABLE") }
        let key = Array(options[(start + 4)..<(start + 12)])
        try connection.send(.ack, options: [30, 20, 0x01, 0x01, 1, 2, 3, 4, 5, 6, 7, 8] + key)
        return (connection, key)
    }
}

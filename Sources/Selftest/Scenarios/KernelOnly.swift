import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// Resets that were decided and never reached a wire.
    static let kernelOnly: [Scenario] = [
        Scenario(
            "dropped-in-output", "The server aborts, and its own firewall drops the RST in OUTPUT.",
            needs: [.command("nft")]
        ) { lab in
            try lab.server.nft(
                """
                table inet lab {
                    chain discard { type filter hook output priority 0; tcp flags & rst == rst drop; }
                }
                """)
            return [try abort(lab)]
        },
        Scenario(
            "dropped-by-qdisc",
            "The server aborts, and the queueing discipline drops the RST after it was given to the device.",
            needs: [.command("tc")]
        ) { lab in
            let connection = try unread(lab)
            try supported {
                // The token bucket holds less than one segment, so nothing passes.
                try lab.server.command(
                    "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "1kbit", "burst", "10", "limit", "10")
            }
            return [try close(connection, lab)]
        },
        Scenario(
            "no-route", "A SYN arrives from an address to which the server has no route.",
            // Older kernels do not report a decision without a socket, and there is no packet.
            needs: [.kernel(KernelVersion(6, 10))]
        ) { lab in
            let strange =
                lab.ipVersion == .v4 ? IPAddress(ipv4: 0xc000_0209) : IPAddress(high: 0x2001_0db8 << 32, low: 9)
            let phantom = try Phantom(in: lab, address: strange)
            let before = try lab.server.run { TCPCounters.value("InSegs") } ?? 0
            let segment = RawSegment(
                from: phantom.endpoint(40001), to: lab.server.endpoint(Lab.closedPort), .syn, seq: 1)
            try phantom.send(segment)
            try wait(for: "arrival of the SYN") { try lab.server.run { TCPCounters.value("InSegs") } ?? 0 > before }
            // The counter increases a few microseconds before the decision, in the same softirq.
            usleep(2000)
            return [
                ExpectedReset(segment.tuple.reversed, "closed-port", at: lab.server) {
                    $0.withoutSocket()
                    $0.outcome = .kernelOnly
                }
            ]
        },
    ]

    private static func unread(_ lab: Lab) throws -> Connection {
        let connection = try lab.connect()
        try connection.client.send(10)
        try connection.server.waitUntilReadable()
        return connection
    }

    private static func abort(_ lab: Lab) throws -> ExpectedReset { try close(try unread(lab), lab) }

    private static func close(_ connection: Connection, _ lab: Lab) throws -> ExpectedReset {
        let before = try lab.server.run { TCPCounters.value("OutRsts") } ?? 0
        connection.server.close()
        try wait(for: "decision to reset") { try lab.server.run { TCPCounters.value("OutRsts") } ?? 0 > before }
        return ExpectedReset(connection.fromServer, "abort-on-close", at: lab.server) {
            $0.reason = "TCP_ABORT_ON_CLOSE"
            $0.state = .established
            $0.ownedBy(lab.ownPID, .close)
            $0.outcome = .kernelOnly
        }
    }
}

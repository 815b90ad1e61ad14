import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    private static let limit = "net.ipv4.tcp_max_orphans"

    /// Resets due to a lack of memory. The limits are host-wide: for a moment every connection on the host that is closed with
    /// unacknowledged data is reset too, so these run only on request.
    static let pressure: [Scenario] = [
        Scenario(
            "too-many-orphans", "A connection is closed while there are more orphans than tcp_max_orphans allows.",
            needs: [.hostWideSetting(limit)]
        ) { lab in
            let tap = try lab.server.tap()
            let victim = try lab.connect()
            let orphan = try orphan(lab)
            // An acknowledgment of the FIN that crosses the RST would be answered with a second one.
            try lab.silence(lab.client.address, for: lab.server)
            try withoutRoomForOrphans(lab) { victim.server.close() }
            try tap.awaitReset(victim.fromServer)
            _ = orphan
            return [
                ExpectedReset(victim.fromServer, "abort-on-memory", at: lab.server) {
                    $0.reason = "TCP_ABORT_ON_MEMORY"
                    $0.state = .finWait1
                    $0.ownedBy(lab.ownPID, .close)
                }
            ]
        },
        Scenario(
            "too-many-orphans-at-retransmit",
            "The retransmission timer gives up an orphan whose data is never acknowledged.",
            needs: [.hostWideSetting(limit)]
        ) { lab in
            let tap = try lab.server.tap()
            let connection = try lab.connect()
            try lab.silence(lab.client.address, for: lab.server)
            try connection.server.send(10)
            connection.server.close()
            try awaitOrphanCount(lab)
            try withoutRoomForOrphans(lab) { _ = try tap.awaitReset(connection.fromServer) }
            return [
                ExpectedReset(connection.fromServer, "abort-on-memory", at: lab.server) {
                    $0.reason = "TCP_ABORT_ON_MEMORY"
                    $0.state = .finWait1
                    $0.ownedBy(lab.ownPID)
                    $0.processIsOptional = true
                }
            ]
        },
    ]

    /// A connection that the server has closed and whose FIN the client never acknowledges; returns the client's end.
    private static func orphan(_ lab: Lab) throws -> Socket {
        let connection = try lab.connect(port: 82)
        try lab.server.nft(
            """
            table inet lab {
                chain hold { type filter hook output priority 0; tcp sport 82 drop; }
            }
            """)
        connection.server.close()
        try awaitOrphanCount(lab)
        return connection.client
    }

    /// Returns when the kernel has updated its count of orphans.
    ///
    /// It does so ten times a second, but with a deferrable timer (tcp_orphan_update, since Linux 5.16): while the timer's
    /// processor is idle, which may be for seconds, the count stays the same. Which processor that is is not known, so each
    /// is kept busy for twice that period.
    private static func awaitOrphanCount(_ lab: Lab) throws {
        var busy: [ActorProcess] = []
        for processor in 0..<sysconf(Int32(_SC_NPROCESSORS_CONF)) {
            let actor = try ActorProcess(in: nil, of: lab)
            guard try actor.bind(toProcessor: processor) else { continue }
            try actor.request("burn")
            busy.append(actor)
        }
        let before = try busy.map { try $0.processorTime() }
        try wait(for: "processor time for each processor") {
            try zip(busy, before).allSatisfy { try $0.processorTime() >= $1 + 200 }
        }
    }

    /// A separate process holds the limit down and restores it, even if the laboratory is gone in the meantime.
    private static func withoutRoomForOrphans(_ lab: Lab, _ body: () throws -> Void) throws {
        let guardian = try ActorProcess(in: nil, of: lab)
        try guardian.request("forbid-orphans")
        defer { _ = try? guardian.request("allow-orphans") }
        try body()
    }
}

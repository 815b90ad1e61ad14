import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// Connections that the kernel gives up because the peer is silent.
    static let timeouts: [Scenario] = [
        Scenario(
            "keepalive-timeout",
            "The client falls silent, and the server's keepalive probes are not answered. The timer runs in the context of whatever process is running."
        ) {
            try idle($0, "keepalive-timeout") { try $0.startKeepalive(count: 1) }
        },
        Scenario(
            "user-timeout",
            "The same with TCP_USER_TIMEOUT: the kernel gives up long before its last probe, with the reason of a keepalive timeout."
        ) {
            try idle($0, "user-timeout") {
                try $0.startKeepalive(count: 9)
                try $0.setTCP(TCP_USER_TIMEOUT, 1500)
            }
        },
        Scenario(
            "user-timeout-then-data",
            "TCP_USER_TIMEOUT expires with data in flight: nothing is sent. The RST comes when the client sends again, although the process still has the socket."
        ) { lab in
            let tap = try lab.server.tap()
            let connection = try lab.connect(prepareServer: { try $0.setTCP(TCP_USER_TIMEOUT, 100) })
            try lab.silence(lab.client.address, for: lab.server)
            try connection.server.send(10)
            try connection.server.waitFor(.close)
            try connection.client.send(10)
            try tap.awaitReset(connection.fromServer)
            return [
                ExpectedReset(connection.fromServer, "stale-connection", at: lab.server) {
                    $0.withoutSocket()
                    $0.role = .owner
                    $0.pid = lab.ownPID
                    $0.end = ExpectedReset.ConnectionEnd("timeout") {
                        $0.owner = lab.ownPID
                        $0.errno = UInt16(ETIMEDOUT)
                    }
                }
            ]
        },
    ]

    private static func idle(
        _ lab: Lab, _ cause: String, prepare: (Socket) throws -> Void
    ) throws -> [ExpectedReset] {
        let tap = try lab.server.tap()
        let connection = try lab.connect(prepareServer: prepare)
        try lab.silence(lab.client.address, for: lab.server)
        try tap.awaitReset(connection.fromServer)
        return [
            ExpectedReset(connection.fromServer, cause, at: lab.server) {
                $0.reason = "TCP_KEEPALIVE_TIMEOUT"
                $0.state = .established
                $0.ownedBy(lab.ownPID)
                $0.processIsOptional = true
            }
        ]
    }
}

import Glibc
import NetworkTypes

extension Scenarios {
    /// Connections that the kernel gives up because the peer is silent.
    static let timeouts: [Scenario] = [
        Scenario(
            "keepalive-timeout",
            "The client falls silent, and the server's keepalive probes are not answered. The timer runs in whatever process has the processor."
        ) { lab in
            let tap = try lab.server.tap()
            let connection = try lab.connect(prepareServer: { try $0.startKeepalive(count: 1) })
            try lab.silence(lab.client.address, for: lab.server)
            try tap.awaitReset(connection.fromServer)
            return [
                ExpectedReset(connection.fromServer, "keepalive-timeout", at: lab.server) {
                    $0.reason = "TCP_KEEPALIVE_TIMEOUT"
                    $0.state = .established
                    $0.ownedBy(lab.ownPID)
                    $0.processIsOptional = true
                }
            ]
        }
    ]
}

extension Socket {
    /// Probes after a second without traffic, a second apart: the shortest that the kernel takes.
    func startKeepalive(count: Int32) throws {
        try setTCP(TCP_KEEPIDLE, 1)
        try setTCP(TCP_KEEPINTVL, 1)
        try setTCP(TCP_KEEPCNT, count)
        try set(SOL_SOCKET, SO_KEEPALIVE, 1)
    }
}

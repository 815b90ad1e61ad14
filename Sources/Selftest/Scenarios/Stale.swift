import Glibc
import NetworkTypes

extension Scenarios {
    /// Segments of connections that the kernel does not know (any more).
    static let stale: [Scenario] = [
        Scenario(
            "stale-connection",
            "Data of a connection whose other end is gone without a word, as after a reboot; nobody listens any more."
        ) { lab in
            let tap = try lab.server.tap()
            let connection = try lab.connect()
            connection.server.closeSilently()
            try connection.client.send(10)
            try tap.awaitReset(connection.fromServer)
            return [
                ExpectedReset(connection.fromServer, "stale-connection", at: lab.server) { $0.reason = "NO_SOCKET" }
            ]
        },
        Scenario(
            "stale-connection-at-listener",
            "The same while the server listens on that port again: the listener gets a segment that belongs to nobody."
        ) { lab in
            let tap = try lab.server.tap()
            let listener = try lab.server.listen(Lab.port)
            let connection = try lab.connect(to: listener)
            connection.server.closeSilently()
            try connection.client.send(10)
            try tap.awaitReset(connection.fromServer)
            return [
                ExpectedReset(connection.fromServer, "stale-connection-at-listener", at: lab.server) {
                    $0.reason = "TCP_FLAGS"
                    $0.state = .listen
                }
            ]
        },
    ]
}

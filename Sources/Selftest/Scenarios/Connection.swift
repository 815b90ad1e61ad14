import Glibc
import Laboratory
import NetworkTypes

/// An established connection between the client's and the server's namespace, both ends in this process.
struct Connection {
    let client: Socket
    let server: Socket
    let clientEnd: Endpoint
    let serverEnd: Endpoint

    /// The direction of what the server sends.
    var fromServer: FourTuple { FourTuple(from: serverEnd, to: clientEnd) }
    var fromClient: FourTuple { FourTuple(from: clientEnd, to: serverEnd) }
}

extension Lab {
    /// The port that scenarios listen on.
    static let port: UInt16 = 80
    /// A port that nothing listens on.
    static let closedPort: UInt16 = 81

    var serverEnd: Endpoint { server.endpoint(Lab.port) }

    /// Connects to a listener of the server: `listener`, or one that is closed before this returns.
    func connect(
        to listener: Socket? = nil, port: UInt16 = Lab.port, prepareClient: (Socket) throws -> Void = { _ in },
        prepareServer: (Socket) throws -> Void = { _ in }
    ) throws -> Connection {
        let temporary = try listener ?? server.listen(port)
        let client = try client.connect(to: server.endpoint(port), prepare: prepareClient)
        let server = try temporary.accept()
        if listener == nil { temporary.close() }
        try prepareServer(server)
        return Connection(
            client: client, server: server, clientEnd: try client.local(), serverEnd: try client.remote())
    }

    /// From now on, what the node sends to the address goes to a hardware address that no interface has: it is on the wire,
    /// but never answered.
    func silence(_ address: IPAddress, for node: Node) throws {
        try node.command(
            "ip", "neigh", "replace", address.description, "lladdr", "02:00:00:00:00:99", "dev", node.interfaces[0],
            "nud", "permanent")
    }

    var ownPID: Int32 { getpid() }
}

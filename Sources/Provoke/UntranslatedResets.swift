import Glibc
import Laboratory
import NetworkTypes

/// The RSTs from a server to a client that it should know only by the router's address, as the router of a `RoutedRun`
/// receives them: the router has forgotten the connection, and passed the client's segments on untranslated.
final class UntranslatedResets: EventHandler {
    private let server: Endpoint
    private let client: IPAddress
    private let log: ResetLog
    private let tap: PacketTap

    /// Must be called in the router's network namespace.
    init(of server: Endpoint, to client: IPAddress, _ loop: EventLoop, _ log: ResetLog) throws {
        self.server = server
        self.client = client
        self.log = log
        tap = try PacketTap(interface: "eth1", port: server.port)
        try loop.add(tap.number, EventLoop.readable, self)
    }

    func ready(_ descriptor: Int32, _ events: UInt32) {
        for _ in 0..<64 {
            guard let segment = (try? tap.nextWaiting())?.segment else { return }
            guard segment.flags.contains(.rst), segment.source == server, segment.destination.address == client
            else { continue }
            let fault = RoutedRun.Fault.forgetNAT
            log.reset(from: segment.source, to: segment.destination, how: fault.rawValue, cause: fault.cause)
        }
    }
}

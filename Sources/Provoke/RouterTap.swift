import Glibc
import Laboratory
import NetworkTypes

/// Sees what passes the router of a `RoutedRun` on the client's side: logs the RSTs to the client, and forges some.
final class RouterTap: EventHandler {
    private let log: ResetLog
    private let fault: RoutedRun.Fault
    private let inside: PacketTap
    private let outside: PacketTap
    private let client: (address: IPAddress, hardware: [UInt8])
    private let server: [UInt8]
    private var ended: Set<FourTuple> = []
    private var second: Int64 = 0
    private var forged = 0
    var isInjecting = false

    init(_ lab: Lab, _ loop: EventLoop, _ log: ResetLog, _ fault: RoutedRun.Fault) throws {
        guard let router = lab.router else { throw LabError.unsupported("the lab has no router") }
        self.log = log
        self.fault = fault
        inside = try router.tap("eth0")
        outside = try router.tap("eth1")
        client = (lab.client.address, try lab.client.hardwareAddress())
        server = try lab.server.hardwareAddress()
        try loop.add(inside.number, EventLoop.readable, self)
    }

    func ready(_ descriptor: Int32, _ events: UInt32) {
        for _ in 0..<64 {
            guard let segment = try? inside.next(until: Deadline(milliseconds: 0)) else { return }
            if segment.flags.contains(.rst) {
                guard segment.destination.address == client.address else { continue }
                log.reset(
                    from: segment.source, to: segment.destination, how: fault.rawValue, cause: fault.cause)
            } else if isInjecting, segment.source.address == client.address, segment.flags.contains(.ack),
                !segment.flags.contains(.syn)
            {
                inject(segment)
            }
        }
    }

    /// A RST to each end, with the numbers that it expects (RFC 5961, section 3.2).
    private func inject(_ segment: RawSegment) {
        guard mayForge, ended.count < 100_000, ended.insert(segment.tuple).inserted else { return }
        let toClient = RawSegment(
            from: segment.destination, to: segment.source, [.rst, .ack], seq: segment.ack, ack: segment.nextSeq)
        let toServer = RawSegment(
            from: segment.source, to: segment.destination, [.rst, .ack], seq: segment.nextSeq, ack: segment.ack)
        send(toClient, inside, client.hardware)
        send(toServer, outside, server)
    }

    /// A packet socket does not see what it sends itself.
    private func send(_ segment: RawSegment, _ tap: PacketTap, _ hardware: [UInt8]) {
        guard (try? tap.send(segment.packet, to: hardware)) != nil else { return }
        log.reset(from: segment.source, to: segment.destination, how: fault.rawValue, cause: fault.cause)
    }

    private var mayForge: Bool {
        let now = Deadline.now() / 1_000_000_000
        if now != second { (second, forged) = (now, 0) }
        forged += 1
        return forged <= RoutedRun.perSecond / 2
    }
}

import Glibc
import Laboratory
import NetworkTypes

/// Forges a RST to each end of the connections to a service whose segments pass an interface. Root.
///
/// The RSTs have the sequence numbers that their receivers expect next (RFC 5961, section 3.2), judging by the last segment:
/// if more was in flight and the connection goes on, it tries again.
final class Injector: EventHandler {
    static let how = "inject"
    /// The cause in a report of a recording made at the same time.
    static let cause = "user-space"

    private let log: ResetLog
    private let target: Endpoint
    private let tap: PacketTap
    private let sender: RawSocket
    private var allowance: Allowance
    /// Keyed by the direction to the service.
    private var attempts: [FourTuple: Attempt] = [:]
    var isActive = false
    /// Called after the RSTs of a connection were sent, for the first time or again.
    var didReset: (_ isFirst: Bool) -> Void = { _ in }

    private struct Attempt {
        var count = 0
        /// Until then, what passes may have been sent before the RSTs arrived.
        var pause: Int64 = 0
    }

    /// Must be called in the network namespace of the interface.
    ///
    /// - Parameter perSecond: maximum rate of RSTs.
    init(_ target: Endpoint, interface: String, perSecond: Int, loop: EventLoop, log: ResetLog) throws {
        self.target = target
        self.log = log
        allowance = Allowance(perSecond: perSecond)
        tap = try PacketTap(interface: interface, port: target.port)
        sender = try RawSocket(version: target.address.version)
        try loop.add(tap.number, EventLoop.readable, self)
    }

    func ready(_ descriptor: Int32, _ events: UInt32) {
        // The last segment of each connection has the current numbers.
        var segments: [FourTuple: RawSegment] = [:]
        for _ in 0..<256 {
            guard let segment = (try? tap.nextWaiting())?.segment else { break }
            guard !segment.flags.contains(.rst) else { continue }
            let tuple: FourTuple
            if segment.destination == target {
                tuple = segment.tuple
            } else if segment.source == target {
                tuple = segment.tuple.reversed
            } else {
                continue
            }
            if segment.flags.contains(.syn) {
                // A new connection; the end that sent the SYN does not know its peer's numbers yet.
                attempts[tuple] = nil
                segments[tuple] = nil
            } else if segment.flags.contains(.ack) {
                segments[tuple] = segment
            }
        }
        guard isActive else { return }
        for (tuple, segment) in segments { answer(segment, tuple) }
    }

    private func answer(_ segment: RawSegment, _ tuple: FourTuple) {
        let now = Deadline.now()
        var attempt = attempts[tuple, default: Attempt()]
        guard isActive, attempt.count < 4, now >= attempt.pause, allowance.take(2) else { return }
        attempt = Attempt(count: attempt.count + 1, pause: now + 20_000_000)
        if attempts.count >= 65_536 { attempts = [:] }
        attempts[tuple] = attempt
        send(
            RawSegment(
                from: segment.source, to: segment.destination, [.rst, .ack], seq: segment.nextSeq, ack: segment.ack))
        send(
            RawSegment(
                from: segment.destination, to: segment.source, [.rst, .ack], seq: segment.ack, ack: segment.nextSeq))
        didReset(attempt.count == 1)
    }

    private func send(_ segment: RawSegment) {
        do {
            try sender.send(segment)
        } catch {
            return log.missed(how: Self.how, peer: segment.destination, why: "\(error)")
        }
        log.reset(from: segment.source, to: segment.destination, how: Self.how, cause: Self.cause)
    }
}

/// Limits the rate per second.
struct Allowance {
    let perSecond: Int
    private var second: Int64 = 0
    private var taken = 0

    init(perSecond: Int) { self.perSecond = perSecond }

    mutating func take(_ count: Int) -> Bool {
        let now = Deadline.now() / 1_000_000_000
        if now != second { (second, taken) = (now, 0) }
        guard taken + count <= perSecond else { return false }
        taken += count
        return true
    }
}

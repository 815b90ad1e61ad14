import Glibc
import Laboratory
import NetworkTypes

/// Netfilter rules that answer segments to a service with RSTs. Root.
///
/// The rules report each segment that they answer, since a RST on the wire may be the service's own.
final class Rejector: EventHandler {
    static let how = "reject"
    /// The cause in a report of a recording made at the same time.
    static let cause = "netfilter-reject"

    private let target: Endpoint
    private let perSecond: Int
    private let log: ResetLog
    private let loop: EventLoop
    private let packets: NetfilterLog
    private let table = "provoke_\(getpid())"
    /// The interface, if the namespace is not this program's own, and the process that removes the rules from it.
    private let interface: UInt32?
    private var janitor: ChildProcess?
    /// Called after each RST.
    var didReset: () -> Void = {}

    /// Must be called, like everything else here, in the network namespace of the rules.
    ///
    /// - Parameters:
    ///   - interface: where the client's segments arrive, or leave; nil for all that is forwarded in a namespace that
    ///     vanishes, rules and all.
    ///   - perSecond: maximum rate of RSTs; segments beyond it are dropped.
    init(_ target: Endpoint, interface: String?, perSecond: Int, loop: EventLoop, log: ResetLog) throws {
        self.target = target
        self.perSecond = perSecond
        self.log = log
        self.loop = loop
        self.interface = try interface.map { name in
            let index = if_nametoindex(name)
            guard index != 0 else { throw LabError.system(call: "if_nametoindex", subject: name, errno: errno) }
            return index
        }
        packets = try NetfilterLog()
        try loop.add(packets.number, EventLoop.readable, self)
        log.finish = { [self] in
            end()
            ready(packets.number, EventLoop.readable)
        }
    }

    func begin() throws {
        // However this process ends, the shell will then read an end of file.
        if interface != nil {
            let nft = Command.path(of: "nft") ?? "nft"
            janitor = try ChildProcess(
                path: "/bin/sh",
                arguments: [
                    "sh", "-c", "trap '' INT TERM HUP; read -r _; exec \"$0\" delete table inet \"$1\"", nft, table,
                ], mergingErrors: true)
        }
        do {
            try supported { try Command.run(["nft", "-f", "-"], input: rules) }
        } catch {
            end()
            throw error
        }
    }

    /// Removes the rules.
    func end() {
        guard let janitor else { return }
        self.janitor = nil
        janitor.input.close()
        _ = janitor.wait(until: Deadline(milliseconds: Deadline.patience))
    }

    var rules: String {
        let segments = "ip\(target.address.isIPv4 ? "" : "6") daddr \(target.address) tcp dport \(target.port) "
        // A RST is never answered with a RST.
        let answer =
            "\(segments) tcp flags & rst == 0 limit rate \(perSecond)/second burst \(perSecond) packets "
            + "log group \(packets.group) snaplen 256 queue-threshold 1 reject with tcp reset"
        var text = "table inet \(table) {\n"
        var hooks = [("forward", "")]
        if let interface {
            // On lo (1) a segment is rejected only once, when it arrives.
            hooks = [("input", "iif \(interface) "), ("forward", "iif \(interface) ")]
            if interface != 1 { hooks.append(("output", "oif \(interface) ")) }
        }
        for (hook, condition) in hooks {
            text += "chain \(hook) {\ntype filter hook \(hook) priority 0\n"
            text += "\(condition)\(answer)\n\(condition)\(segments) drop\n}\n"
        }
        return text + "}\n"
    }

    func ready(_ descriptor: Int32, _ events: UInt32) {
        do {
            while let some = try packets.next() {
                for packet in some {
                    guard let segment = RawSegment(packet: packet, snapped: true) else { continue }
                    log.reset(from: segment.destination, to: segment.source, how: Self.how, cause: Self.cause)
                    didReset()
                }
            }
        } catch {
            log.missed(how: Self.how, peer: nil, why: "some RSTs were not seen: \(error)")
        }
    }
}

import Glibc
public import Laboratory
import NetworkTypes

/// A client, a router and a server, each in a namespace of its own, where the router breaks the client's connections. Root;
/// nothing outside the namespaces is touched.
public final class RoutedRun {
    public enum Fault: String, Sendable, CaseIterable {
        /// The router's netfilter answers the client with RSTs.
        case reject
        /// A program on the router forges RSTs to both ends of each connection.
        case inject
        /// The router masquerades, and forgets its connections from time to time.
        case forgetNAT = "forget-nat"
        /// The router silently drops everything.
        case drop

        /// The cause in a report of a recording made at the same time; nil if no RST is sent.
        public var cause: String? {
            switch self {
            case .reject: Rejector.cause
            case .inject: Injector.cause
            case .forgetNAT: "stale-connection-at-listener"
            case .drop: nil
            }
        }
    }

    private let lab: Lab
    private let fault: Fault
    private let loop: EventLoop
    private let log: ResetLog
    private let perSecond: Int
    private var service: AnyObject?
    private var rejector: Rejector?
    private var injector: Injector?
    private var observer: UntranslatedResets?

    /// Where the client finds the server.
    public let endpoint: Endpoint

    /// - Parameters:
    ///   - target: where the server forwards to, reached from the namespace of this process; nil for a server that answers
    ///     requests itself.
    ///   - perSecond: maximum rate of RSTs.
    public init(
        _ fault: Fault, _ settings: Settings, ipVersion: IPVersion, to target: Endpoint?, perSecond: Int,
        loop: EventLoop, log: ResetLog
    ) throws {
        self.fault = fault
        self.perSecond = perSecond
        self.loop = loop
        self.log = log
        lab = try Lab(topology: .routed, ipVersion: ipVersion)
        endpoint = lab.server.endpoint(80)
        let listen = endpoint
        service = try lab.server.run { () -> AnyObject in
            if let target {
                return try Proxy(settings, listen: listen, to: target, side: .client, loop: loop, log: log)
            }
            return try ResetServer(settings, listen: listen, loop: loop, log: log)
        }
        if fault == .forgetNAT {
            try lab.router?.sysctl("net.netfilter.nf_conntrack_tcp_loose", "0")
            try rules("chain post { type nat hook postrouting priority 100; oifname \"eth1\" masquerade; }")
        }
    }

    /// Runs the closure, which starts COMMAND, in the client's namespace, and breaks its connections after a time.
    public func begin(after nanoseconds: Int64, _ start: () throws -> Void) throws {
        try lab.router?.run {
            switch fault {
            case .reject:
                rejector = try Rejector(endpoint, interface: nil, perSecond: perSecond, loop: loop, log: log)
            case .inject:
                injector = try Injector(endpoint, interface: "eth0", perSecond: perSecond, loop: loop, log: log)
            case .forgetNAT: observer = try UntranslatedResets(of: endpoint, to: lab.client.address, loop, log)
            case .drop: break
            }
        }
        if nanoseconds == 0, fault != .forgetNAT { try breakConnections() }
        try lab.client.run(start)
        if nanoseconds > 0 || fault == .forgetNAT { breakLater(nanoseconds > 0 ? nanoseconds : 1_000_000_000) }
    }

    private func breakLater(_ nanoseconds: Int64) {
        loop.after(nanoseconds) { [self] in
            do {
                try breakConnections()
                // Connections made in the meantime are forgotten, too.
                if fault == .forgetNAT { breakLater(max(nanoseconds, 100_000_000)) }
            } catch {
                log.givenUp(how: fault.rawValue, why: "\(error)")
                loop.stop()
            }
        }
    }

    private func breakConnections() throws {
        switch fault {
        case .reject: try lab.router?.run { try rejector?.begin() }
        case .drop: try rules("chain forward { type filter hook forward priority 0; meta l4proto tcp drop; }")
        case .inject: injector?.isActive = true
        case .forgetNAT: try lab.router?.run { try ConnectionTracking.flush() }
        }
        log.begun(fault.rawValue)
    }

    private func rules(_ chain: String) throws {
        try supported { try lab.router?.command("nft", "table inet provoke { \(chain); }") }
    }
}

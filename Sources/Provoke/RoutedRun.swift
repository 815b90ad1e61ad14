import Glibc
public import Laboratory
import NetworkTypes

/// A client's namespace whose traffic passes a router to a server, each in a namespace of its own, and the router breaks
/// connections. Root; nothing outside the namespaces is touched.
public final class RoutedRun {
    public enum Fault: String, Sendable, CaseIterable {
        /// The router's netfilter answers the client with RSTs.
        case reject
        /// A program on the router forges RSTs to both ends of each connection.
        case inject
        /// The router masquerades, and forgets its connections from time to time.
        case forgetNAT = "forget-nat"
        /// The router drops what comes, in silence.
        case drop

        /// The word in a report of a recording made beside; nil where no RST is sent.
        public var cause: String? {
            switch self {
            case .reject: "netfilter-reject"
            case .inject: "user-space"
            case .forgetNAT: "stale-connection-at-listener"
            case .drop: nil
            }
        }
    }

    /// RSTs a second that are forged or rejected with, at most.
    static let perSecond = 100

    private let lab: Lab
    private let fault: Fault
    private let loop: EventLoop
    private let log: ResetLog
    private var service: AnyObject?
    private var observer: RouterTap?

    /// Where the client finds the server.
    public let endpoint: Endpoint

    /// - Parameter target: what the server stands for, reached from the namespace of this process; nil for a server that
    ///   answers requests itself.
    public init(
        _ fault: Fault, _ settings: Settings, ipVersion: IPVersion, to target: Endpoint?, loop: EventLoop,
        log: ResetLog
    ) throws {
        self.fault = fault
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

    /// Runs the closure, which starts the client's COMMAND, in its namespace, and breaks its connections after a time.
    public func begin(after nanoseconds: Int64, _ start: () throws -> Void) throws {
        observer = try RouterTap(lab, loop, log, fault)
        if nanoseconds == 0, fault != .forgetNAT { try breakConnections() }
        try lab.client.run(start)
        if nanoseconds > 0 || fault == .forgetNAT { breakLater(nanoseconds > 0 ? nanoseconds : 1_000_000_000) }
    }

    private func breakLater(_ nanoseconds: Int64) {
        loop.after(nanoseconds) { [self] in
            do {
                try breakConnections()
                // Those that were made meanwhile are forgotten, too.
                if fault == .forgetNAT { breakLater(max(nanoseconds, 100_000_000)) }
            } catch {
                log.missed(how: fault.rawValue, peer: nil, why: "\(error)")
                loop.stop()
            }
        }
    }

    private func breakConnections() throws {
        let segments = "ip\(lab.ipVersion == .v6 ? "6" : "") daddr \(endpoint.address) tcp dport \(endpoint.port)"
        switch fault {
        case .reject:
            try rules(
                "chain forward { type filter hook forward priority 0; \(segments) limit rate \(Self.perSecond)/second "
                    + "reject with tcp reset; \(segments) drop; }")
        case .drop:
            try rules("chain forward { type filter hook forward priority 0; meta l4proto tcp drop; }")
        case .inject: observer?.isInjecting = true
        case .forgetNAT: try lab.router?.run { try ConnectionTracking.flush() }
        }
        log.begun(fault.rawValue)
    }

    private func rules(_ chain: String) throws {
        try supported { try lab.router?.command("nft", "table inet provoke { \(chain); }") }
    }
}

/// What the kernel tracks of the connections in a namespace.
enum ConnectionTracking {
    /// Forgets all connections of the calling thread's namespace, as `conntrack -F` does. CAP_NET_ADMIN.
    static func flush() throws {
        let type = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let socket = Descriptor(
            try check(Glibc.socket(AF_NETLINK, type, 12 /* NETLINK_NETFILTER */), "socket", "NETLINK_NETFILTER"))
        // struct nlmsghdr: IPCTNL_MSG_CT_DELETE of NFNL_SUBSYS_CTNETLINK, NLM_F_REQUEST | NLM_F_ACK; struct nfgenmsg.
        var message = UInt32(20).nativeBytes + UInt16(1 << 8 | 2).nativeBytes + UInt16(5).nativeBytes
        message += UInt32(1).nativeBytes + UInt32(0).nativeBytes + [0, 0, 0, 0]
        try check(send(socket.number, message, message.count, 0), "send", "NETLINK_NETFILTER")
        guard try socket.poll(POLLIN, until: Deadline(milliseconds: Deadline.patience)) != 0 else {
            throw LabError.timeout("answer of nf_conntrack_netlink")
        }
        var answer = [UInt8](repeating: 0, count: 256)
        let count = try check(recv(socket.number, &answer, answer.count, 0), "recv", "NETLINK_NETFILTER")
        guard count >= 20 else { throw LabError.timeout("whole answer of nf_conntrack_netlink") }
        let error = Int32(truncatingIfNeeded: answer[16..<20].reversed().reduce(Int64(0)) { $0 << 8 | Int64($1) })
        if error != 0 { throw LabError.system(call: "flush", subject: "connections", errno: -error) }
    }
}

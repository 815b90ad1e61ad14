/// Commands with which somebody checks what a cause suggests.
public enum Checks {
    public struct Command: Sendable, Equatable {
        public let command: String
        /// What it shows.
        public let shows: String

        init(_ command: String, _ shows: String) {
            self.command = command
            self.shows = shows
        }
    }

    /// In the order in which one would type them; none where no command of the recorded host tells more.
    public static func commands(for cause: Cause) -> [Command] {
        switch cause {
        case .closedPort: [namespaces, enter, listeners]
        case .acceptQueueOverflow:
            [
                listeners,
                Command("nstat -az TcpExtListenOverflows TcpExtListenDrops", "connections that found no room"),
                Command("sysctl net.core.somaxconn net.ipv4.tcp_abort_on_overflow", "the limits"),
                Command("strace -f -e trace=accept4,listen -p PID", "how often the program accepts, and its backlog"),
            ]
        case .netfilterReject:
            [
                namespaces, Command("nsenter -n -t PID nft list ruleset", "the rules of that network namespace"),
                Command("nsenter -n -t PID iptables-save -c", "the same of iptables, with counters"),
            ]
        case .connectionRefused:
            [
                listeners,
                Command("nft list ruleset", "rules with \"reject with tcp reset\", on the host that sent the RST"),
            ]
        case .staleConnection, .staleConnectionAtListener, .unexpectedSynAck:
            [
                Command("conntrack -S", "segments that conntrack called invalid, or had no room for"),
                Command("conntrack -L -p tcp --orig-port-dst PORT", "what it has of the connection"),
                Command("sysctl net.netfilter | grep tcp", "its timeouts, and nf_conntrack_tcp_be_liberal"),
                Command("nstat -az TcpExtListenOverflows TcpExtTCPReqQFullDoCookies", "trouble with the accept queue"),
            ]
        case .dataAfterFullClose: [calls]
        case .abortOnClose, .dataAfterClose, .dataAfterShutdown: [sockets, calls]
        case .lingerZero, .linger2Expired:
            [Command("strace -f -e trace=setsockopt -p PID", "who sets SO_LINGER or TCP_LINGER2, and to what"), calls]
        case .disconnect: [Command("strace -f -e trace=connect -p PID", "connect() with AF_UNSPEC")]
        case .listenerClosed:
            [
                Command("journalctl -u UNIT --since -1h", "when and why the service stopped"), listeners,
                Command("sysctl net.ipv4.tcp_migrate_req", "whether waiting connections move to another listener"),
            ]
        case .finWait2Timeout:
            [
                Command("ss -tano state fin-wait-2", "connections that wait for their peer's FIN"),
                Command("sysctl net.ipv4.tcp_fin_timeout", "for how long"),
            ]
        case .keepaliveTimeout, .userTimeout:
            [
                Command("ss -tanoi", "timers, retransmissions and round-trip times of each connection"),
                Command("sysctl net.ipv4 | grep -e keepalive -e retries", "the host's defaults"),
                Command("strace -f -e trace=setsockopt -p PID", "what the program sets itself"),
            ]
        case .idleTimeout:
            [
                Command("ss -tanoi", "lastsnd and lastrcv: how long each connection has been idle"),
                Command("sysctl net.netfilter.nf_conntrack_tcp_timeout_established", "the limit of a Linux NAT"),
            ]
        case .abortOnMemory:
            [
                Command("cat /proc/net/sockstat", "orphans and memory (pages) of TCP"),
                Command("sysctl net.ipv4.tcp_mem net.ipv4.tcp_max_orphans", "their limits"),
                Command("nstat -az TcpExtTCPAbortOnMemory", "how often they were reached"),
            ]
        case .socketDestroyed:
            [
                Command(
                    "auditctl -a always,exit -F arch=b64 -S execve -F path=$(command -v ss)", "who calls ss from now on"
                ),
                Command("ausearch -sc execve -x ss", "who did since"),
            ]
        case .bpfSockDestroy:
            [Command("bpftool prog", "the programs that are loaded"), Command("bpftool link", "and who attached them")]
        case .mptcpFastclose, .mptcpSubflowReset, .mptcpJoinRefused:
            [
                Command("nstat -az 'MPTcpExt*'", "resets and refused joins, by reason"),
                Command("ip mptcp limits", "how many subflows are allowed"),
                Command("ss -Mani", "connections of MPTCP"),
            ]
        case .smcAbort:
            [Command("smcss -a", "connections of SMC"), Command("smcr stats", "why they fell back or ended")]
        case .forwarded: [Command("ip route get ADDRESS", "where it comes from and goes to"), interfaces]
        case .userSpace:
            [
                Command("ss -0pan", "packet sockets and their processes"),
                Command("ss -wpan", "raw sockets and theirs"),
                Command("ip tuntap", "tun and tap devices"),
            ]
        case .injected:
            [
                Command("tcpdump -nvi IFACE 'tcp[tcpflags] & tcp-rst != 0'", "TTL and IP id, at both ends at once"),
                Command("traceroute -T -p PORT ADDRESS", "the devices on the path"),
            ]
        default: []
        }
    }

    private static let namespaces = Command("lsns -t net", "network namespaces, by the inode that the report gives")
    private static let enter = Command("nsenter -n -t PID ss -ltnp", "who listens in the namespace of a process")
    private static let listeners = Command("ss -ltnp", "who listens; Recv-Q of Send-Q in the accept queue")
    private static let sockets = Command("ss -tanp", "Recv-Q: bytes that a program has not read")
    private static let calls = Command(
        "strace -f -e trace=read,recvfrom,shutdown,close -p PID", "what the program reads before it closes")
    private static let interfaces = Command("ip -d link", "bridges, veth pairs and what they are attached to")
}

/// A command that checks what a cause suggests.
public struct Check: Sendable, Equatable {
    public let command: String
    /// What it shows.
    public let shows: String

    init(_ command: String, _ shows: String) {
        self.command = command
        self.shows = shows
    }
}

/// Commands that several causes share.
extension Check {
    static let namespaces = Check("lsns -t net", "network namespaces, with the inode number that the report gives")
    static let enter = Check("nsenter -n -t PID ss -ltnp", "who listens in that process's namespace")
    static let listeners = Check("ss -ltnp", "who listens; Recv-Q is the length of the accept queue, Send-Q its limit")
    static let sockets = Check("ss -tanp", "Recv-Q: bytes that the program has not read")
    static let calls = Check(
        "strace -f -e trace=read,recvfrom,shutdown,close -p PID", "what the program reads before it closes")
    static let interfaces = Check("ip -d link", "bridges, veth pairs and what they are attached to")
}

extension [Check] {
    static let conntrack = [
        Check("conntrack -S", "segments that conntrack found invalid or had no room for"),
        Check("conntrack -L -p tcp --orig-port-dst PORT", "its entry for the connection"),
        Check("sysctl net.netfilter | grep tcp", "its timeouts, and nf_conntrack_tcp_be_liberal"),
        Check(
            "nstat -az TcpExtListenOverflows TcpExtTCPReqQFullDoCookies",
            "overflows of the accept queue and of the SYN queue"),
    ]
    static let timers = [
        Check("ss -tanoi", "timers, retransmissions and round-trip times of each connection"),
        Check("sysctl net.ipv4 | grep -e keepalive -e retries", "the host's defaults"),
        Check("strace -f -e trace=setsockopt -p PID", "what the program sets for itself"),
    ]
    static let multipath = [
        Check("nstat -az 'MPTcpExt*'", "resets and refused joins, by reason"),
        Check("ip mptcp limits", "how many subflows are allowed"),
        Check("ss -Mani", "MPTCP connections"),
    ]
}

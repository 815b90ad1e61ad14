/// What people are told of such ends in general; a `Rule` has the same for a cause of RSTs.
extension ICMPRefusal {
    public static let meaning = """
        No RST: an ICMP error (destination unreachable, time exceeded, parameter problem) ended an attempt to connect or a \
        connection. The program gets an error as with a RST, as in "connection refused" and "no route to host".
        """
    public static let advice = """
        Look at who sent the message, and its type and code. Port unreachable: a firewall rule that rejects (REJECT's \
        default, reject in nft) on the destination or on the way. Administratively prohibited: a rule that says so, or an \
        unreachable or prohibit route. Host or network unreachable: the last router had no route, or no answer to ARP or \
        neighbour discovery; if this host itself is the sender, look at its own routes and neighbours.
        """
    public static let checks = [
        Check("nft list ruleset", "rules that reject, on the host that sent the message"),
        Check("ip route get ADDRESS", "the route, or that there is none, on that host"),
        Check("ip neigh", "neighbours that do not answer: FAILED or INCOMPLETE"),
        Check("tcpdump -ni any 'icmp or icmp6'", "the messages while they come"),
    ]
    public static let recognition = """
        proven: the socket closed with an error of ICMP and no RST (inet_sock_set_state), and a captured message has that \
        error, or nothing was lost and no route explains it; inferred: only the message was captured, which quotes the SYN \
        of an attempt that did not go on
        """
    public static let basis = "RFC 792, RFC 4443, RFC 5927; tcp_v4_err(), tcp_v6_err(), icmp_err_convert[]"
}

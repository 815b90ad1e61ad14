/// The filters that recorders use unless they are told otherwise. pcap-filter(7) expressions.
public enum RecordingFilter {
    /// `handshakes`, and ICMP errors that may be about TCP segments: destination unreachable, time exceeded, parameter problem.
    public static let standard = """
        \(handshakes) or icmp[0] = 3 or icmp[0] = 11 or icmp[0] = 12 or \
        (ip6 and ip6[6] = 58 and (ip6[40] = 1 or ip6[40] = 3 or ip6[40] = 4))
        """

    /// TCP segments with SYN, FIN or RST, of IPv4 and of IPv6; over IPv6 also every packet with a routing, fragment or
    /// destination options header, behind which a filter in the kernel cannot look.
    public static let handshakes = """
        tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0 or \
        (ip6 and ((ip6[6] = 6 and ip6[53] & 7 != 0) or ip6[6] = 43 or ip6[6] = 44 or ip6[6] = 60))
        """
}

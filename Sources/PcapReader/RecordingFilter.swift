/// The filters that recorders use unless they are told otherwise.
public enum RecordingFilter {
    /// TCP segments with SYN, FIN or RST, of IPv4 and of IPv6; over IPv6 also every packet with a routing, fragment or
    /// destination options header, behind which a filter in the kernel cannot look. A pcap-filter(7) expression.
    public static let handshakes = """
        tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0 or \
        (ip6 and ((ip6[6] = 6 and ip6[53] & 7 != 0) or ip6[6] = 43 or ip6[6] = 44 or ip6[6] = 60))
        """
}

/// Idle limits that are well known, as their makers document them. Of the firewalls: Cisco ASA "timeout conn", FortiGate
/// "session-ttl", PAN-OS "Configure Session Timeouts", Juniper "Understanding Session Characteristics for SRX Series",
/// MikroTik "Connection tracking settings"; of Check Point the TCP session timeout under "Stateful Inspection".
public enum IdleLimits {
    public struct Limit: Sendable {
        public let seconds: Int
        public let who: String
    }

    /// From the shortest to the longest.
    public static let known: [Limit] = [
        Limit(seconds: 60, who: "AWS ALB and CLB idle timeout, nginx proxy_read_timeout"),
        Limit(seconds: 65, who: "nginx keepalive_timeout in its sample configuration"),
        Limit(seconds: 75, who: "nginx keepalive_timeout"),
        Limit(seconds: 240, who: "Azure load balancer and SNAT idle timeout"),
        Limit(seconds: 300, who: "F5 BIG-IP tcp profile, Linux conntrack tcp_timeout_unacknowledged"),
        Limit(seconds: 350, who: "AWS NLB and NAT gateway idle timeout"),
        Limit(seconds: 600, who: "Google Cloud connection tracking"),
        Limit(seconds: 900, who: "Linux IPVS tcp timeout"),
        Limit(seconds: 1200, who: "Google Cloud NAT tcp-established-idle-timeout"),
        Limit(seconds: 1800, who: "Juniper SRX tcp inactivity timeout"),
        Limit(seconds: 3600, who: "Cisco ASA, Check Point, FortiGate and Palo Alto tcp session timeout"),
        Limit(seconds: 7200, who: "Linux net.ipv4.tcp_keepalive_time"),
        Limit(seconds: 7440, who: "the least that RFC 5382, REQ-5 asks of a NAT"),
        Limit(seconds: 86400, who: "MikroTik tcp-established-timeout"),
        Limit(seconds: 432_000, who: "Linux conntrack tcp_timeout_established"),
    ]

    /// The limits that a silence fits: at least as long, and at most 3 % or 2 seconds longer.
    static func fitting(nanoseconds: UInt64) -> [Limit] {
        let seconds = Double(nanoseconds) / 1e9
        return known.filter { limit in
            let exact = Double(limit.seconds)
            return seconds >= exact * 0.995 && seconds <= exact + max(2, exact * 0.03)
        }
    }
}

extension IdleLimits {
    /// Where an idle limit is set and documented.
    public struct Source: Sendable {
        public let seconds: Int
        /// What has the limit.
        public let device: String
        /// The setting whose default it is, or the sentence that says so.
        public let setting: String
        /// The maker's documentation; nil where the setting's name finds it.
        public let page: String?

        init(_ seconds: Int, _ device: String, _ setting: String, _ page: String? = nil) {
            self.seconds = seconds
            self.device = device
            self.setting = setting
            self.page = page
        }
    }

    /// From the shortest to the longest; each limit of `known` at least once.
    public static let sources: [Source] = [
        Source(
            60, "AWS Application Load Balancer", "idle_timeout.timeout_seconds",
            "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html"),
        Source(
            60, "AWS Classic Load Balancer", "ConnectionSettings IdleTimeout",
            "https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-idle-timeout.html"),
        Source(
            60, "nginx, to its upstream", "proxy_read_timeout",
            "https://nginx.org/en/docs/http/ngx_http_proxy_module.html"),
        Source(65, "nginx, as packaged", "keepalive_timeout in the sample nginx.conf"),
        Source(
            75, "nginx, to its clients", "keepalive_timeout",
            "https://nginx.org/en/docs/http/ngx_http_core_module.html"),
        Source(
            240, "Azure Load Balancer", "IdleTimeoutInMinutes (4)",
            "https://learn.microsoft.com/azure/load-balancer/load-balancer-tcp-idle-timeout"),
        Source(300, "F5 BIG-IP", "idle-timeout of the profile tcp (tmsh list ltm profile tcp)"),
        Source(
            300, "Linux conntrack, data not acknowledged", "net.netfilter.nf_conntrack_tcp_timeout_unacknowledged",
            "https://docs.kernel.org/networking/nf_conntrack-sysctl.html"),
        Source(
            350, "AWS Network Load Balancer", "tcp.idle_timeout.seconds",
            "https://docs.aws.amazon.com/elasticloadbalancing/latest/network/update-idle-timeout.html"),
        Source(350, "AWS NAT gateway", "fixed; answers later segments with a RST (metric IdleTimeoutCount)"),
        Source(
            350, "AWS Network Firewall", "TcpIdleTimeoutSeconds",
            "https://docs.aws.amazon.com/network-firewall/latest/APIReference/API_FlowTimeouts.html"),
        Source(600, "Google Cloud VPC firewall", "fixed: connection tracking, 10 minutes"),
        Source(900, "Linux IPVS", "ipvsadm -L --timeout, the first number (tcp)"),
        Source(
            1200, "Google Cloud NAT", "--tcp-established-idle-timeout",
            "https://cloud.google.com/nat/docs/tune-nat-configuration"),
        Source(
            1800, "Juniper SRX", "inactivity-timeout of the application (TCP: 30 minutes)",
            "https://juniper.net/documentation/software/junos-security/junos-security10.2/"
                + "junos-security-swconfig-security/topic-41970.html"),
        Source(3600, "Cisco ASA and Threat Defense", "timeout conn (1:00:00)"),
        Source(3600, "Check Point", "TCP session timeout (Global Properties, Stateful Inspection)"),
        Source(
            3600, "FortiGate", "config system session-ttl, default",
            "https://community.fortinet.com/t5/FortiGate/"
                + "Technical-Tip-Default-session-timeout-value-session-ttl/ta-p/194357"),
        Source(
            3600, "Palo Alto PAN-OS", "timeout-tcp",
            "https://docs.paloaltonetworks.com/content/techdocs/en_US/pan-os/9-1/pan-os-admin/networking/"
                + "session-settings-and-timeouts/configure-session-timeouts.html"),
        Source(
            7200, "Linux keepalive", "net.ipv4.tcp_keepalive_time: no limit, but the first probe after silence",
            "https://docs.kernel.org/networking/ip-sysctl.html"),
        Source(
            7440, "NATs that follow RFC 5382", "REQ-5: at least 2 hours 4 minutes",
            "https://www.rfc-editor.org/rfc/rfc5382#section-5"),
        Source(86400, "MikroTik RouterOS", "/ip firewall connection tracking tcp-established-timeout (1d)"),
        Source(
            432_000, "Linux conntrack", "net.netfilter.nf_conntrack_tcp_timeout_established",
            "https://docs.kernel.org/networking/nf_conntrack-sysctl.html"),
    ]
}

import Glibc
import NetworkTypes

/// Makes the namespaces, interfaces, addresses and routes of a topology.
package struct LabBuilder {
    package let topology: Topology
    package let version: IPVersion
    package let plan: AddressPlan

    package typealias Nodes = (client: Node, server: Node, router: Node?)

    /// Every thread is passed to `adopt` as soon as it exists, so that it can be ended after a later failure.
    package func build(adopt: (NamespaceThread) -> Void) throws -> Nodes {
        guard Command.path(of: "ip") != nil else {
            throw LabError.unsupported("the program ip (iproute2) is not installed")
        }
        func namespace(_ name: String) throws -> NamespaceThread {
            let thread = try NamespaceThread(name: name)
            adopt(thread)
            try thread.run { try prepareNamespace() }
            return thread
        }
        let server = try namespace("lab-server")
        if topology == .loopback { return try loopback(server) }
        let client = try namespace("lab-client")
        let router = topology == .pair ? nil : try namespace("lab-router")

        let nodes: Nodes
        switch topology {
        case .loopback, .pair: nodes = try pair(client, server)
        case .routed: nodes = try routed(client, server, router!, bridge: false)
        case .masqueraded: nodes = try routed(client, server, router!, bridge: true)
        case .bridged: nodes = try bridged(client, server, router!)
        }
        for node in [nodes.client, nodes.server, nodes.router].compactMap({ $0 }) {
            for interface in node.interfaces where interface != "lo" {
                // If a link comes up after its device, linkwatch starts its queue only some time later.
                try wait(for: "link \(interface)") { try node.flags(interface) & 0x40 /* IFF_RUNNING */ != 0 }
            }
        }
        try exchangeDatagrams(nodes.client, nodes.server)
        return nodes
    }

    /// Resets what a namespace may have inherited from the host, or has by default, and a scenario must not depend on.
    private func prepareNamespace() throws {
        let settings = [
            ("ipv6/conf/all/disable_ipv6", "0"), ("ipv6/conf/default/disable_ipv6", "0"),
            // Without duplicate address detection, an address is usable at once.
            ("ipv6/conf/default/accept_dad", "0"), ("ipv6/conf/all/accept_dad", "0"),
            ("ipv6/conf/default/accept_ra", "0"), ("ipv6/conf/default/router_solicitations", "0"),
            ("ipv4/conf/all/rp_filter", "0"), ("ipv4/conf/default/rp_filter", "0"),
            ("ipv4/conf/all/forwarding", "0"), ("ipv4/conf/default/forwarding", "0"),
            ("ipv4/tcp_syncookies", "0"), ("ipv4/tcp_fin_timeout", "60"), ("ipv4/tcp_abort_on_overflow", "0"),
            ("ipv4/tcp_timestamps", "1"), ("ipv4/tcp_synack_retries", "5"),
        ]
        for (name, value) in settings where version == .v6 || name.hasPrefix("ipv4") {
            let path = "/proc/sys/net/\(name)"
            guard File.exists(path) else {
                if name.hasSuffix("all/disable_ipv6") { throw LabError.unsupported("this kernel has no IPv6") }
                continue
            }
            try File.write(value, to: path)
        }
    }

    // MARK: Topologies

    private func loopback(_ thread: NamespaceThread) throws -> Nodes {
        let address = plan.address(version, link: 0, host: 1)
        // Without nodad, an address becomes usable only a moment later, even on lo.
        let option = version == .v6 ? " nodad" : ""
        let length = version == .v4 ? 32 : 128
        try configure(thread, ["link set lo up", "addr add \(address)/\(length) dev lo\(option)"])
        let node = Node(role: .server, thread: thread, version: version, interfaces: ["lo"], addresses: [address])
        try exchangeDatagrams(node, node)
        return (node, node, nil)
    }

    private func pair(_ client: NamespaceThread, _ server: NamespaceThread) throws -> Nodes {
        let near = plan.address(version, link: 0, host: 2)
        let far = plan.address(version, link: 0, host: 1)
        try configure(client, [veth("eth0", to: "eth0", in: server)])
        try configure(server, up("eth0", far))
        try configure(client, up("eth0", near))
        return (node(.client, client, ["eth0": near]), node(.server, server, ["eth0": far]), nil)
    }

    private func routed(
        _ client: NamespaceThread, _ server: NamespaceThread, _ router: NamespaceThread, bridge: Bool
    ) throws -> Nodes {
        let near = plan.address(version, link: 0, host: 2)
        let nearGateway = plan.address(version, link: 0, host: 1)
        let farGateway = plan.address(version, link: 1, host: 1)
        let far = plan.address(version, link: 1, host: 2)
        let inside = bridge ? "br0" : "eth0"
        let port = bridge ? "port0" : "eth0"
        var lines: [String] = []
        if bridge { lines.append("link add br0 type bridge") }
        lines += [veth(port, to: "eth0", in: client), veth("eth1", to: "eth0", in: server)]
        if bridge { lines += ["link set \(port) master br0", "link set \(port) up"] }
        lines += up(inside, nearGateway) + up("eth1", farGateway)
        try configure(router, lines)
        try router.run {
            try File.write("1", to: "/proc/sys/net/ipv4/conf/all/forwarding")
            if version == .v6 { try File.write("1", to: "/proc/sys/net/ipv6/conf/all/forwarding") }
        }
        let family = version == .v4 ? "-4" : "-6"
        try configure(client, up("eth0", near))
        try configure(server, up("eth0", far))
        for (thread, gateway) in [(client, nearGateway), (server, farGateway)] {
            _ = try thread.run {
                try Command.run(["ip", family, "route", "add", "default", "via", gateway.description])
            }
        }
        var interfaces: [(String, IPAddress)] = [("eth1", farGateway), (inside, nearGateway)]
        if bridge { interfaces.append((port, nearGateway)) }
        return (
            node(.client, client, ["eth0": near]), node(.server, server, ["eth0": far]),
            Node(
                role: .router, thread: router, version: version, interfaces: interfaces.map(\.0),
                addresses: interfaces.map(\.1))
        )
    }

    private func bridged(
        _ client: NamespaceThread, _ server: NamespaceThread, _ router: NamespaceThread
    ) throws -> Nodes {
        let near = plan.address(version, link: 0, host: 2)
        let far = plan.address(version, link: 0, host: 1)
        let middle = plan.address(version, link: 0, host: 3)
        try configure(
            router,
            [
                "link add br0 type bridge", veth("eth0", to: "eth0", in: client), veth("eth1", to: "eth0", in: server),
                "link set eth0 master br0", "link set eth1 master br0", "link set eth0 up", "link set eth1 up",
            ] + up("br0", middle))
        try configure(client, up("eth0", near))
        try configure(server, up("eth0", far))
        return (
            node(.client, client, ["eth0": near]), node(.server, server, ["eth0": far]),
            Node(
                role: .router, thread: router, version: version, interfaces: ["eth1", "eth0"],
                addresses: [middle, middle])
        )
    }

    private func node(_ role: Role, _ thread: NamespaceThread, _ interfaces: [String: IPAddress]) -> Node {
        Node(
            role: role, thread: thread, version: version, interfaces: Array(interfaces.keys),
            addresses: Array(interfaces.values))
    }

    // MARK: iproute2

    private func veth(_ name: String, to peer: String, in namespace: NamespaceThread) -> String {
        // ip(8) opens the namespace itself, from another process: a name with a slash is a path to it.
        // The two ends need different indices: otherwise linkwatch_urgent_event, which compares dev->ifindex with
        // dev_get_iflink, does not treat the link as urgent, and it takes a second to become ready.
        "link add \(name) index \(name == "eth1" ? 11 : 10) type veth peer name \(peer) netns /proc/\(getpid())/fd/\(namespace.descriptor)"
    }

    private func up(_ interface: String, _ address: IPAddress) -> [String] {
        let option = version == .v6 ? " nodad" : ""
        return [
            "link set lo up", "addr add \(address)/\(plan.prefixLength(version)) dev \(interface)\(option)",
            "link set \(interface) up",
        ]
    }

    private func configure(_ thread: NamespaceThread, _ lines: [String]) throws {
        let text = lines.joined(separator: "\n") + "\n"
        _ = try thread.run { try Command.run(["ip", "-batch", "-"], input: text) }
    }

    /// Sends UDP both ways until it arrives: the queues run, and both ends know each other's hardware address.
    private func exchangeDatagrams(_ client: Node, _ server: Node) throws {
        try wait(for: "datagram between the namespaces") {
            // With new sockets each time: a socket keeps a route that it found before the kernel had finished with the
            // address (addrconf_dad_work runs later, even for nodad).
            try deliverDatagram(from: client, to: server) && deliverDatagram(from: server, to: client)
        }
    }

    private func deliverDatagram(from client: Node, to server: Node) throws -> Bool {
        let type = Int32(SOCK_DGRAM.rawValue)
        let sender = try client.run { try Socket(family: version.family, type: type) }
        let receiver = try server.run { try Socket(family: version.family, type: type) }
        do {
            try receiver.bind(server.endpoint(9))
            try sender.connect(to: server.endpoint(9))
            try sender.send(1)
        } catch LabError.system {
            // The address or the route is not there yet.
            return false
        }
        return try receiver.descriptor.poll(POLLIN, until: Deadline(milliseconds: 20)) & POLLIN != 0
    }
}

public import NetworkTypes

/// Which end of a connection is the service: the one that was connected to.
public enum ServiceEnd: UInt8, Sendable {
    /// The sender of the RST, or its receiver.
    case source, destination

    /// By who opened the connection, or else by what the RST answers, or else by the ports.
    init(_ tuple: FourTuple, opener: ConnectionSummary.Opener?, _ evidence: Evidence) {
        switch opener {
        case .receiver: self = .source
        case .sender: self = .destination
        case .unknown, nil:
            if let end = Self.answered(evidence) {
                self = end
            } else {
                self = Self.isService(tuple.sourcePort, rather: tuple.destinationPort) ? .source : .destination
            }
        }
    }

    private static func answered(_ evidence: Evidence) -> ServiceEnd? {
        if evidence.socket == .listener { return .source }
        guard let flags = evidence.trigger?.flags, flags.contains(.syn) else { return nil }
        return flags.contains(.ack) ? .destination : .source
    }

    /// Where Linux begins to choose ports for clients (net.ipv4.ip_local_port_range); others begin above.
    private static let ephemeral: UInt16 = 32_768

    /// The port of a service is rather one that no client is given, or else the lower one.
    private static func isService(_ port: UInt16, rather other: UInt16) -> Bool {
        (port < ephemeral) == (other < ephemeral) ? port <= other : port < ephemeral
    }

    /// Linux may have given it to a client.
    static func isEphemeral(_ port: UInt16) -> Bool { port >= ephemeral }

    /// Address and port of the service.
    public func end(of tuple: FourTuple) -> (address: IPAddress, port: UInt16) {
        self == .source ? (tuple.source, tuple.sourcePort) : (tuple.destination, tuple.destinationPort)
    }

    /// Address and port of its client.
    public func clientEnd(of tuple: FourTuple) -> (address: IPAddress, port: UInt16) {
        end(of: tuple.reversed)
    }
}

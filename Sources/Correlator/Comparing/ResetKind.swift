import KernelEvents
public import NetworkTypes

/// What stays the same for a RST from one run to the next: not its time, the client's port, or a PID.
public struct ResetKind: Sendable, Hashable {
    /// The ends of the connection.
    public struct Place: Sendable, Hashable {
        public var source: IPAddress
        /// Nil for an ephemeral port.
        public var sourcePort: UInt16?
        public var destination: IPAddress
        public var destinationPort: UInt16?
    }

    public var place: Place
    /// Words of the catalogue, of whatever version.
    public var cause: String
    public var certainty: String
    /// The name of the process that sent it.
    public var process: String?

    public init(_ reset: Reset) {
        place = Place(reset.tuple, opener: reset.flow?.opener)
        cause = reset.cause.rawValue
        certainty = reset.certainty.rawValue
        process = reset.process?.pid == nil ? nil : reset.process?.comm
    }

    /// From an entry of `rst-report/1`; nil if it is none.
    init?(_ entry: JSONValue) {
        guard let source = entry["src"]?.string.flatMap({ IPAddress($0) }),
            let sourcePort: UInt16 = entry["src_port"]?.integer(),
            let destination = entry["dst"]?.string.flatMap({ IPAddress($0) }),
            let destinationPort: UInt16 = entry["dst_port"]?.integer(),
            let cause = entry["cause"]?.string, let certainty = entry["certainty"]?.string
        else { return nil }
        let opener: ConnectionSummary.Opener? =
            switch entry["flow"]?["opened_by"]?.string {
            case "src"?: .sender
            case "dst"?: .receiver
            default: nil
            }
        place = Place(
            FourTuple(
                source: source, sourcePort: sourcePort, destination: destination, destinationPort: destinationPort),
            opener: opener)
        self.cause = cause
        self.certainty = certainty
        process = entry["process"]?["comm"]?.string
    }
}

extension ResetKind.Place {
    fileprivate init(_ tuple: FourTuple, opener: ConnectionSummary.Opener?) {
        source = tuple.source
        destination = tuple.destination
        let service = ServiceEnd(tuple, opener: opener, Evidence())
        // Of two ephemeral ports, it is not known which is the service's.
        let isKnown = opener == .sender || opener == .receiver || !ServiceEnd.isEphemeral(service.end(of: tuple).port)
        sourcePort = isKnown && service == .source ? tuple.sourcePort : nil
        destinationPort = isKnown && service == .destination ? tuple.destinationPort : nil
    }
}

extension ResetKind.Place: CustomStringConvertible {
    /// `10.0.0.1:80 > 10.0.0.2`.
    public var description: String {
        func text(_ address: IPAddress, _ port: UInt16?) -> String {
            port.map { address.text(port: $0) } ?? address.description
        }
        return "\(text(source, sourcePort)) > \(text(destination, destinationPort))"
    }
}

/// The addresses and ports of one direction of a TCP connection (RFC 9293, section 3.3.1: a pair of sockets).
@frozen
public struct FourTuple: Hashable, Sendable {
    public let source: IPAddress
    public let destination: IPAddress
    public let sourcePort: UInt16
    public let destinationPort: UInt16

    @inlinable
    public init(source: IPAddress, sourcePort: UInt16, destination: IPAddress, destinationPort: UInt16) {
        self.source = source
        self.sourcePort = sourcePort
        self.destination = destination
        self.destinationPort = destinationPort
    }

    /// The other direction of the same connection.
    @inlinable
    public var reversed: FourTuple {
        FourTuple(
            source: destination, sourcePort: destinationPort, destination: source, destinationPort: sourcePort)
    }
}

extension FourTuple: CustomStringConvertible {
    /// `10.0.0.1:80 > [2001:db8::1]:40000`.
    public var description: String {
        "\(source.text(port: sourcePort)) > \(destination.text(port: destinationPort))"
    }
}

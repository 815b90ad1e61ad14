import Glibc
public import NetworkTypes

/// The version of the Internet Protocol that a lab speaks.
public enum IPVersion: UInt8, Sendable, CaseIterable {
    case v4 = 4
    case v6 = 6

    /// AF_INET or AF_INET6.
    package var family: Int32 { self == .v4 ? AF_INET : AF_INET6 }
}

extension IPVersion: CustomStringConvertible {
    /// `IPv4` or `IPv6`.
    public var description: String { self == .v4 ? "IPv4" : "IPv6" }
}

/// One end of a connection.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    public var address: IPAddress
    public var port: UInt16

    public init(_ address: IPAddress, _ port: UInt16) {
        self.address = address
        self.port = port
    }

    /// `10.0.0.1:80` or `[fd00::1]:80`.
    public var description: String { address.text(port: port) }
}

extension FourTuple {
    /// The direction from one end to the other.
    public init(from source: Endpoint, to destination: Endpoint) {
        self.init(
            source: source.address, sourcePort: source.port, destination: destination.address,
            destinationPort: destination.port)
    }
}

extension IPAddress {
    /// 4 or 16 bytes in network order.
    package var bytes: [UInt8] {
        if isIPv4 { return ipv4.bigEndianBytes }
        return high.bigEndianBytes + low.bigEndianBytes
    }

    /// The address of 4 or 16 bytes in network order; nil for any other count.
    package init?(bytes: some Collection<UInt8>) {
        let number = { (part: ArraySlice<UInt8>) in part.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
        let all = Array(bytes)
        switch all.count {
        case 4: self.init(ipv4: UInt32(number(all[...])))
        case 16: self.init(high: number(all[..<8]), low: number(all[8...]))
        default: return nil
        }
    }

    package var version: IPVersion { isIPv4 ? .v4 : .v6 }
}

extension FixedWidthInteger {
    /// The number as it is sent over the wire.
    package var bigEndianBytes: [UInt8] { withUnsafeBytes(of: bigEndian) { Array($0) } }
    /// The number as it is stored in memory.
    package var nativeBytes: [UInt8] { withUnsafeBytes(of: self) { Array($0) } }
}

extension Endpoint {
    /// A `sockaddr_in`, or a `sockaddr_in6` for an AF_INET6 socket, which reaches IPv4 through mapped addresses.
    package func sockaddr(family: Int32) -> [UInt8] {
        let head = UInt16(family).nativeBytes + port.bigEndianBytes
        if family == AF_INET { return head + address.ipv4.bigEndianBytes + [UInt8](repeating: 0, count: 8) }
        return head + UInt32(0).nativeBytes + address.high.bigEndianBytes + address.low.bigEndianBytes
            + UInt32(0).nativeBytes
    }

    /// Reads a `sockaddr_in` or `sockaddr_in6`; nil for another family.
    package init?(sockaddr bytes: [UInt8]) {
        guard bytes.count >= 8 else { return nil }
        let family = Int32(bytes[0]) | Int32(bytes[1]) << 8
        let port = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
        switch family {
        case AF_INET:
            guard let address = IPAddress(bytes: bytes[4..<8]) else { return nil }
            self.init(address, port)
        case AF_INET6:
            guard bytes.count >= 24, let address = IPAddress(bytes: bytes[8..<24]) else { return nil }
            self.init(address, port)
        default: return nil
        }
    }
}

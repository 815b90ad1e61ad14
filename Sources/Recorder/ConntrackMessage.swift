import KernelEvents
import NetworkTypes

/// The messages of ctnetlink that ask for one entry of the connection tracking table
/// (include/uapi/linux/netfilter/nfnetlink_conntrack.h).
enum ConntrackMessage {
    /// NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET.
    private static let get: UInt16 = 1 << 8 | 1
    /// NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW: what an entry is answered as.
    private static let new: UInt16 = 1 << 8
    private static let nested: UInt16 = 0x8000
    private static let headerLength = 16

    /// Asks for the entry that a segment of these ends has, in either direction.
    static func request(_ tuple: FourTuple) -> [UInt8] {
        let isIPv4 = tuple.source.isIPv4
        let addresses =
            attribute(isIPv4 ? 1 : 3, bytes(tuple.source)) + attribute(isIPv4 ? 2 : 4, bytes(tuple.destination))
        let protocolPart =
            attribute(1, [6]) + attribute(2, bigEndian(tuple.sourcePort))
            + attribute(3, bigEndian(tuple.destinationPort))
        let body = attribute(1 | nested, attribute(1 | nested, addresses) + attribute(2 | nested, protocolPart))
        // struct nfgenmsg: family, version, resource.
        let message: [UInt8] = [isIPv4 ? 2 : 10, 0, 0, 0] + body
        // struct nlmsghdr: length, type, NLM_F_REQUEST, sequence number, port.
        return native(UInt32(headerLength + message.count)) + native(get) + native(UInt16(1)) + native(UInt32(1))
            + native(UInt32(0)) + message
    }

    /// The entry in the answer; nil if there is none, or it cannot be read.
    static func entry(_ answer: [UInt8]) -> (original: FourTuple, reply: FourTuple)? {
        guard answer.count >= headerLength + 4, number16(answer, 4) == new else { return nil }
        let length = min(Int(number32(answer, 0)), answer.count)
        guard length >= headerLength + 4 else { return nil }
        let parts = attributes(answer[(headerLength + 4)..<length])
        guard let original = parts[1].flatMap(tuple), let reply = parts[2].flatMap(tuple) else { return nil }
        return (original, reply)
    }

    private static func tuple(_ bytes: ArraySlice<UInt8>) -> FourTuple? {
        let parts = attributes(bytes)
        guard let ip = parts[1].map(attributes), let ports = parts[2].map(attributes),
            let source = (ip[1] ?? ip[3]).flatMap(address),
            let destination = (ip[2] ?? ip[4]).flatMap(address),
            let from = ports[2], from.count == 2, let to = ports[3], to.count == 2
        else { return nil }
        return FourTuple(
            source: source, sourcePort: UInt16(from[from.startIndex]) << 8 | UInt16(from[from.startIndex + 1]),
            destination: destination,
            destinationPort: UInt16(to[to.startIndex]) << 8 | UInt16(to[to.startIndex + 1]))
    }

    private static func bytes(_ address: IPAddress) -> [UInt8] {
        if address.isIPv4 { return Array(native(UInt32(truncatingIfNeeded: address.low).bigEndian)) }
        return native(address.high.bigEndian) + native(address.low.bigEndian)
    }

    private static func address(_ bytes: ArraySlice<UInt8>) -> IPAddress? {
        func number(_ part: ArraySlice<UInt8>) -> UInt64 { part.reduce(0) { $0 << 8 | UInt64($1) } }
        switch bytes.count {
        case 4: return IPAddress(ipv4: UInt32(number(bytes)))
        case 16: return IPAddress(high: number(bytes.prefix(8)), low: number(bytes.suffix(8)))
        default: return nil
        }
    }

    // MARK: Netlink attributes (include/uapi/linux/netlink.h, struct nlattr)

    private static func attribute(_ type: UInt16, _ value: [UInt8]) -> [UInt8] {
        native(UInt16(value.count + 4)) + native(type) + value + [UInt8](repeating: 0, count: (4 - value.count % 4) % 4)
    }

    private static func attributes(_ bytes: ArraySlice<UInt8>) -> [UInt16: ArraySlice<UInt8>] {
        var found: [UInt16: ArraySlice<UInt8>] = [:]
        var rest = bytes
        while rest.count >= 4 {
            let all = Array(rest.prefix(4))
            let length = Int(number16(all, 0))
            guard length >= 4, length <= rest.count else { break }
            found[number16(all, 2) & 0x3fff] = rest.dropFirst(4).prefix(length - 4)
            rest = rest.dropFirst((length + 3) / 4 * 4)
        }
        return found
    }

    private static func native<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        withUnsafeBytes(of: number) { Array($0) }
    }

    private static func bigEndian(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xff)] }

    private static func number16(_ bytes: [UInt8], _ place: Int) -> UInt16 {
        bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: UInt16.self) }
    }

    private static func number32(_ bytes: [UInt8], _ place: Int) -> UInt32 {
        bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: UInt32.self) }
    }
}

/// The state of a TCP socket, numbered as the Linux kernel numbers it (include/net/tcp_states.h).
public enum TCPState: UInt8, Hashable, Sendable, CaseIterable {
    case established = 1
    case synSent, synReceived, finWait1, finWait2, timeWait, close, closeWait, lastAck, listen, closing
    case newSynReceived, boundInactive

    /// The kernel's name without its `TCP_` prefix, such as `FIN_WAIT2`.
    public var name: String {
        switch self {
        case .established: "ESTABLISHED"
        case .synSent: "SYN_SENT"
        case .synReceived: "SYN_RECV"
        case .finWait1: "FIN_WAIT1"
        case .finWait2: "FIN_WAIT2"
        case .timeWait: "TIME_WAIT"
        case .close: "CLOSE"
        case .closeWait: "CLOSE_WAIT"
        case .lastAck: "LAST_ACK"
        case .listen: "LISTEN"
        case .closing: "CLOSING"
        case .newSynReceived: "NEW_SYN_RECV"
        case .boundInactive: "BOUND_INACTIVE"
        }
    }

    private static let byName = Dictionary(uniqueKeysWithValues: allCases.map { ($0.name, $0) })

    /// The state with that name, with or without the kernel's `TCP_` prefix.
    public init?(name: some StringProtocol) {
        let bare = name.hasPrefix("TCP_") ? String(name.dropFirst(4)) : String(name)
        guard let state = Self.byName[bare] else { return nil }
        self = state
    }
}

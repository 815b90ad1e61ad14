/// An interface that the recorder captured on went away, or came (back).
public struct InterfaceChange: Sendable, Equatable {
    public enum Status: String, Sendable, CaseIterable {
        /// Its packets are captured from now on.
        case attached
        /// Its packets are no longer captured.
        case lost
    }

    /// When the recorder noticed, CLOCK_MONOTONIC in nanoseconds.
    public var monotonic: Int64
    public var status: Status
    public var name: String
    /// Nil if it is not known, or stands for all interfaces (`any`).
    public var ifindex: Int32?
    public var netns: UInt32?
    /// Why it is no longer captured.
    public var detail: String?

    public init(
        monotonic: Int64, status: Status, name: String, ifindex: Int32? = nil, netns: UInt32? = nil,
        detail: String? = nil
    ) {
        self.monotonic = monotonic
        self.status = status
        self.name = name
        self.ifindex = ifindex
        self.netns = netns
        self.detail = detail
    }
}

extension Recording {
    /// Whether packets were captured on a device at that time; nil if the recording does not say.
    ///
    /// - Parameters:
    ///   - ifindex: unique only within `netns`.
    ///   - time: CLOCK_MONOTONIC in nanoseconds.
    public func wasCaptured(ifindex: Int32?, netns: UInt32?, at time: Int64) -> Bool? {
        guard let ifindex else { return nil }
        func isIt(_ index: Int32?, _ namespace: UInt32?) -> Bool {
            index == ifindex && (namespace == nil || netns == nil || namespace == netns)
        }
        let changes = interfaceChanges.filter { isIt($0.isOfAll ? ifindex : $0.ifindex, $0.netns) }
        // What was deleted is told of later.
        if let last = changes.filter({ $0.monotonic <= time }).max(by: { $0.monotonic < $1.monotonic }) {
            return last.status == .attached
        }
        // Before it came it was not captured, whatever the header says of another one by its name.
        if changes.first?.status == .attached { return false }
        return header?.interfaces.first { isIt($0.ifindex, $0.netns) }?.captured
    }
}

extension InterfaceChange {
    /// It stands for all interfaces of the network namespace.
    fileprivate var isOfAll: Bool { ifindex == nil && name == "any" }
}

extension EventEncoder {
    /// An `interface` line.
    public mutating func append(interface change: InterfaceChange) {
        begin("interface")
        json.member(.monoNs, change.monotonic)
        json.member(.status, change.status.rawValue)
        json.member(.name, change.name)
        json.member(.ifindex, change.ifindex)
        json.member(.netns, change.netns)
        json.member(.detail, change.detail)
        endLine()
    }
}

extension LineScanner {
    /// An `interface` line; nil for a status that this version does not know.
    mutating func interfaceChange() throws(LineProblem) -> InterfaceChange? {
        var change = InterfaceChange(monotonic: 0, status: .lost, name: "")
        var status: String?
        var monotonic: Int64?
        try beginObject()
        var isFirst = true
        while let key = try nextKey(&isFirst) {
            switch key {
            case .monoNs: monotonic = try nanoseconds()
            case .status: status = try string()
            case .name: change.name = try string() ?? ""
            case .ifindex: change.ifindex = try integer(from: 0)
            case .netns: change.netns = try integer()
            case .detail: change.detail = try string()
            default: try skipValue()
            }
        }
        change.monotonic = try require(monotonic, "mono_ns is missing")
        guard let status = status.flatMap(InterfaceChange.Status.init) else { return nil }
        change.status = status
        return change
    }
}

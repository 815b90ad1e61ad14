package import JSONText
public import NetworkTypes

/// Which events a recorder was to record: those that match an element of each list that is not empty. Nothing is known about
/// the others.
public struct RecordingScope: Sendable, Equatable {
    /// Inode numbers of network namespaces.
    public var netns: [UInt32]
    /// Of either end of the connection.
    public var hosts: [IPPrefix]
    /// Of either end of the connection.
    public var ports: [UInt16]

    public init(netns: [UInt32] = [], hosts: [IPPrefix] = [], ports: [UInt16] = []) {
        self.netns = netns
        self.hosts = hosts
        self.ports = ports
    }

    /// Nothing is left out.
    public var isEmpty: Bool { netns.isEmpty && hosts.isEmpty && ports.isEmpty }

    /// Of one RST some events may be left out and others not: devices that translate addresses come between them.
    public var asksForEnds: Bool { !hosts.isEmpty || !ports.isEmpty }

    /// Whether an event with these addresses and ports, in that network namespace, would have been recorded; nil stands for
    /// one that nobody knows.
    public func mayHold(_ tuple: FourTuple, netns number: UInt32?) -> Bool {
        func isEmptyOr<Element>(_ list: [Element], _ accepts: (Element) -> Bool) -> Bool {
            list.isEmpty || list.contains(where: accepts)
        }
        return isEmptyOr(netns) { number == nil || $0 == number }
            && isEmptyOr(hosts) { $0.contains(tuple.source) || $0.contains(tuple.destination) }
            && isEmptyOr(ports) { $0 == tuple.sourcePort || $0 == tuple.destinationPort }
    }
}

extension RecordingHeader {
    /// Whether an event of a RST that one of the host's own addresses sent would have been recorded.
    public func mayHold(_ tuple: FourTuple) -> Bool {
        guard let scope else { return true }
        let homes = interfaces.filter { $0.addresses.contains(tuple.source) }
        return homes.isEmpty
            ? scope.mayHold(tuple, netns: nil) : homes.contains { scope.mayHold(tuple, netns: $0.netns) }
    }
}

extension RecordingScope: CustomStringConvertible {
    /// What was recorded, in words: `network namespace 4026531840, port 443`.
    public var description: String {
        func list(_ name: String, _ values: [String]) -> String? {
            guard let last = values.last else { return nil }
            guard values.count > 1 else { return "\(name) \(last)" }
            return "\(name)s \(values.dropLast().joined(separator: ", ")) or \(last)"
        }
        return [
            list("network namespace", netns.map(String.init)), list("host", hosts.map(\.description)),
            list("port", ports.map(String.init)),
        ].compactMap(\.self).joined(separator: ", ")
    }
}

extension LineScanner {
    /// The `scope` of a header.
    mutating func scope() throws(LineProblem) -> RecordingScope? {
        if try skipNull() { return nil }
        var scope = RecordingScope()
        try beginObject()
        var isFirst = true
        while let key = try nextKey(&isFirst) {
            switch key {
            case .netns:
                scope.netns = try list { (scanner) throws(LineProblem) in
                    try scanner.require(try scanner.integer(), "a network namespace is null")
                }
            case .hosts: scope.hosts = try list { (scanner) throws(LineProblem) in try scanner.prefix() }
            case .ports:
                scope.ports = try list { (scanner) throws(LineProblem) in
                    try scanner.require(try scanner.integer(), "a port is null")
                }
            default: try skipValue()
            }
        }
        return scope
    }

    private mutating func prefix() throws(LineProblem) -> IPPrefix {
        let text = try require(try string(), "a host is null")
        guard let prefix = IPPrefix(text) else { throw LineProblem("expected an address or prefix", at: position) }
        return prefix
    }
}

extension JSONWriter {
    /// `{"netns":[…],"hosts":[…],"ports":[…]}`, without the lists that are empty.
    package mutating func append(scope: RecordingScope) {
        object { json in
            if !scope.netns.isEmpty { json.list(.netns, scope.netns) { $0.number($1) } }
            if !scope.hosts.isEmpty { json.list(.hosts, scope.hosts) { $0.string($1.description) } }
            if !scope.ports.isEmpty { json.list(.ports, scope.ports) { $0.number($1) } }
        }
    }
}

import KernelEvents
public import NetworkTypes

/// Which RSTs are wanted, and which connections that ICMP errors ended. They have to meet every condition that is set; a list
/// without elements sets none, and of its elements one has to fit.
public struct ResetFilter: Sendable, Equatable {
    /// Of either end, of the sender of the RST, of its receiver.
    public var hosts: [IPPrefix] = []
    public var sources: [IPPrefix] = []
    public var destinations: [IPPrefix] = []
    /// Of either end.
    public var ports: [ClosedRange<UInt16>] = []
    /// Nanoseconds since 1970-01-01 UTC; the end itself is not wanted any more.
    public var since: Int64?
    public var until: Int64?
    public var causes: Set<Cause> = []
    /// Beside these causes, ICMP errors: without causes, no RST is wanted.
    public var takesRefusals = false
    /// A cause counts also where it is only one of several candidates.
    public var takesCandidates = false
    public var certainties: Set<Certainty> = []
    public var directions: Set<Direction> = []
    /// Names of whoever sent the RST, had the socket, or received it; `*` and `?` stand for any text and any character.
    public var processes: [NamePattern] = []
    public var pids: Set<Int32> = []
    /// Four digits or more of the beginning of an id, or a name; of Kubernetes also `pod`, `namespace/pod` and `namespace/pod/container`, with `*` and `?`
    /// for any text and any character.
    public var containers: [String] = []
    /// With or without `.service`.
    public var units: [NamePattern] = []
    /// Inode numbers of network namespaces.
    public var namespaces: Set<UInt32> = []
    public init() {}

    /// Everything is wanted.
    public var isEmpty: Bool { self == ResetFilter() }

    public func accepts(_ reset: Reset) -> Bool { accepts(ResetRow(reset), Attribution(reset)) }

    func accepts(_ row: ResetRow, _ attribution: Attribution) -> Bool {
        accepts(attribution) && accepts(row, isCandidate: isCandidate(attribution))
    }

    func isCandidate(_ attribution: Attribution) -> Bool {
        takesCandidates && attribution.candidates.contains(where: causes.contains)
    }

    /// - Parameter isCandidate: a wanted cause is among its candidates, and that is enough.
    func accepts(_ row: ResetRow, isCandidate: Bool) -> Bool {
        let tuple = row.tuple
        guard accepts(tuple, at: row.hasWallClock ? row.time : nil, row.certainty) else { return false }
        if !sources.isEmpty, !Self.isIn(sources, tuple.source) { return false }
        if !destinations.isEmpty, !Self.isIn(destinations, tuple.destination) { return false }
        if takesRefusals || !causes.isEmpty, !isCandidate, !causes.contains(row.cause) { return false }
        return directions.isEmpty || directions.contains(row.direction)
    }

    /// A condition on who sent the RST, or on its direction, fits none of them.
    func accepts(_ refusal: ICMPRefusal) -> Bool {
        sources.isEmpty && destinations.isEmpty && directions.isEmpty && (takesRefusals || causes.isEmpty)
            && accepts(refusal.tuple, at: refusal.hasWallClock ? refusal.time : nil, refusal.certainty)
            && accepts([refusal.process], refusal.location)
    }

    private static func isIn(_ prefixes: [IPPrefix], _ address: IPAddress) -> Bool {
        prefixes.contains { $0.contains(address) }
    }

    /// - Parameter time: nil if it is not known.
    private func accepts(_ tuple: FourTuple, at time: Int64?, _ certainty: Certainty) -> Bool {
        if !hosts.isEmpty, !Self.isIn(hosts, tuple.source), !Self.isIn(hosts, tuple.destination) { return false }
        if !ports.isEmpty,
            !ports.contains(where: { $0.contains(tuple.sourcePort) || $0.contains(tuple.destinationPort) })
        {
            return false
        }
        if since != nil || until != nil {
            guard let time, since.map({ time >= $0 }) ?? true, until.map({ time < $0 }) ?? true else { return false }
        }
        return certainties.isEmpty || certainties.contains(certainty)
    }

    func accepts(_ attribution: Attribution) -> Bool {
        accepts([attribution.process, attribution.owner, attribution.receiver], attribution.location)
    }

    private func accepts(_ ends: [Reset.Process?], _ place: Reset.Location?) -> Bool {
        if !processes.isEmpty {
            guard
                ends.contains(where: { end in end?.comm.map { name in processes.contains { $0.matches(name) } } ?? false
                })
            else { return false }
        }
        if !pids.isEmpty, !ends.contains(where: { $0?.pid.map(pids.contains) ?? false }) { return false }
        if !containers.isEmpty {
            guard let place, containers.contains(where: place.isOfContainer) else { return false }
        }
        if !units.isEmpty {
            guard let unit = place?.identity.unit,
                units.contains(where: { $0.matches(unit) || unit.hasSuffix(".service") && $0.matches(unit.dropLast(8)) }
                )
            else { return false }
        }
        return namespaces.isEmpty || place?.netns.map(namespaces.contains) ?? false
    }
}

extension Reset.Location {
    /// Digits of an ID that name a container.
    private static let leastDigits = 4

    fileprivate func isOfContainer(_ word: String) -> Bool {
        let pattern = NamePattern(word)
        if let id = identity.containerID {
            // A name like `db` is the beginning of many an ID.
            if word.utf8.count >= Self.leastDigits, id.hasPrefix(word) { return true }
        } else if let name = identity.container, pattern.matches(name) {
            return true
        }
        guard let container else { return false }
        return [container.name, container.title, container.pod, container.podTitle].contains { name in
            name.map(pattern.matches) == true
        }
    }
}

extension ResetList {
    /// Leaves out what a filter does not want; the others keep their ids.
    public mutating func keep(_ filter: ResetFilter) {
        guard !filter.isEmpty else { return }
        let accepted = attributions.map { (isWanted: filter.accepts($0), isCandidate: filter.isCandidate($0)) }
        keep { row in
            let attribution = accepted[Int(row.attribution)]
            return attribution.isWanted && filter.accepts(row, isCandidate: attribution.isCandidate)
        }
    }

    /// Leaves out what any of the filters takes; the others keep their ids.
    mutating func leaveOut(_ filters: [ResetFilter]) {
        guard !filters.isEmpty else { return }
        let attributions = attributions
        keep { row in !filters.contains { $0.accepts(row, attributions[Int(row.attribution)]) } }
    }
}

import NetworkTypes

/// Some RSTs, in the order of time, without a copy of them.
struct Members: Sendable {
    let resets: [ResetList.Head]
    /// Not empty.
    let places: ArraySlice<Int32>

    var count: Int { places.count }

    subscript(number: Int) -> ResetList.Head { resets[Int(places[places.startIndex + number])] }

    var heads: some Sequence<ResetList.Head> { places.lazy.map { resets[Int($0)] } }

    func end(_ number: Int, isSource: Bool) -> End {
        let tuple = self[number].tuple
        return isSource ? End(tuple.source, tuple.sourcePort) : End(tuple.destination, tuple.destinationPort)
    }

    /// What is the same of all of them.
    func common<Value: Equatable>(_ value: (ResetList.Head) -> Value) -> Value? {
        let first = value(self[0])
        return heads.allSatisfy { value($0) == first } ? first : nil
    }

    /// Of those with a wall clock, when the first and the last were.
    var wallClockSpan: (first: Int64, last: Int64)? {
        var span: (first: Int64, last: Int64)?
        for head in heads where head.hasWallClock {
            span = span.map { (min($0.first, head.time), max($0.last, head.time)) } ?? (head.time, head.time)
        }
        return span
    }

    /// The same by a clock that nobody set.
    var steadySpan: (first: Int64, last: Int64)? { heads.steadySpan }
}

extension Sequence<ResetList.Head> {
    /// Of those with a wall clock, when the first and the last were by a clock that nobody set.
    var steadySpan: (first: Int64, last: Int64)? {
        var span: (first: Int64, last: Int64)?
        for head in self where head.hasWallClock {
            let time = head.steadyTime
            span = span.map { (Swift.min($0.first, time), Swift.max($0.last, time)) } ?? (time, time)
        }
        return span
    }
}

/// An address and a port.
struct End: Bucketed, Hashable {
    let address: IPAddress
    let port: UInt16

    init(_ address: IPAddress, _ port: UInt16) {
        self.address = address
        self.port = port
    }

    func hash(_ secret: SecretHash) -> UInt64 { secret.of(high: address.high, low: address.low, port: port) }
}

/// What the ends of one side of a group have in common.
struct Side {
    /// By address and port, and by address alone.
    private let ends: Buckets
    private let addresses: Buckets
    private let members: Members
    private let isSource: Bool

    init(_ members: Members, isSource: Bool) {
        self.members = members
        self.isSource = isSource
        ends = Buckets(members.count) { members.end($0, isSource: isSource) }
        addresses = Buckets(members.count) { members.end($0, isSource: isSource).address }
    }

    var endCount: Int { ends.count }
    var addressCount: Int { addresses.count }

    /// The port, if it is the same in all of them.
    var port: UInt16? {
        let first = members.end(0, isSource: isSource).port
        return ends.firsts.allSatisfy { members.end(Int($0), isSource: isSource).port == first } ? first : nil
    }

    /// The most frequent by address and port if a port comes again, by address alone if every port is another one.
    var top: [Finding.Endpoint] {
        let byPort = endCount <= max(Finding.keptEndpoints, members.count / 2)
        let buckets = byPort ? ends : addresses
        var top: [Finding.Endpoint] = []
        for (count, first) in zip(buckets.counts, buckets.firsts) {
            let end = members.end(Int(first), isSource: isSource)
            let endpoint = Finding.Endpoint(address: end.address, port: byPort ? end.port : nil, count: Int(count))
            guard let place = top.firstIndex(where: { endpoint.precedes($0) }) else {
                if top.count < Finding.keptEndpoints { top.append(endpoint) }
                continue
            }
            top.insert(endpoint, at: place)
            if top.count > Finding.keptEndpoints { top.removeLast() }
        }
        return top
    }
}

extension Finding.Endpoint {
    /// The more frequent first, equals by address and port.
    fileprivate func precedes(_ other: Self) -> Bool {
        (other.count, address.high, address.low, port ?? 0)
            < (count, other.address.high, other.address.low, other.port ?? 0)
    }
}

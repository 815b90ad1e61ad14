import NetworkTypes

/// Some RSTs, in the order of time, without a copy of them.
struct Members: Sendable {
    let resets: [ResetRow]
    /// Not empty.
    let places: ArraySlice<Int32>

    var count: Int { places.count }

    subscript(number: Int) -> ResetRow { resets[Int(places[places.startIndex + number])] }

    var rows: some Sequence<ResetRow> { places.lazy.map { resets[Int($0)] } }

    func end(_ number: Int, isSource: Bool) -> Endpoint {
        let tuple = self[number].tuple
        return isSource ? Endpoint(tuple.source, tuple.sourcePort) : Endpoint(tuple.destination, tuple.destinationPort)
    }

    /// A value, if all of them share it.
    func common<Value: Equatable>(_ value: (ResetRow) -> Value) -> Value? {
        let first = value(self[0])
        return rows.allSatisfy { value($0) == first } ? first : nil
    }

    /// The times of the first and the last one with a wall-clock time.
    var wallClockSpan: (first: Int64, last: Int64)? {
        var span: (first: Int64, last: Int64)?
        for row in rows where row.hasWallClock {
            span = span.map { (min($0.first, row.time), max($0.last, row.time)) } ?? (row.time, row.time)
        }
        return span
    }

    /// The same by the steady clock.
    var steadySpan: (first: Int64, last: Int64)? { rows.steadySpan }
}

extension Sequence<ResetRow> {
    /// The steady-clock times of the first and the last one with a wall-clock time.
    var steadySpan: (first: Int64, last: Int64)? {
        var span: (first: Int64, last: Int64)?
        for row in self where row.hasWallClock {
            let time = row.steadyTime
            span = span.map { (Swift.min($0.first, time), Swift.max($0.last, time)) } ?? (time, time)
        }
        return span
    }
}

/// An address and a port.
struct Endpoint: GroupingKey, Hashable {
    let address: IPAddress
    let port: UInt16

    init(_ address: IPAddress, _ port: UInt16) {
        self.address = address
        self.port = port
    }

    func hash(_ secret: SecretHash) -> UInt64 { secret.of(high: address.high, low: address.low, port: port) }
}

/// What the ends of one side of a group have in common.
struct Side: Sendable {
    /// Different addresses with their ports, and different addresses.
    let endCount: Int
    let addressCount: Int
    /// The port, if it is the same in all of them.
    let port: UInt16?
    /// The most frequent, by address and port if ports recur, by address alone if every port is different.
    let top: [Finding.EndpointCount]

    init(_ members: Members, isSource: Bool) {
        let first = members.end(0, isSource: isSource)
        // One end in all of them: a service, mostly.
        if (1..<members.count).allSatisfy({ members.end($0, isSource: isSource) == first }) {
            (endCount, addressCount, port) = (1, 1, first.port)
            top = [Finding.EndpointCount(address: first.address, port: first.port, count: members.count)]
            return
        }
        let ends = KeyGroups(members.count) { members.end($0, isSource: isSource) }
        // Different ends are fewer than members.
        let firsts = ends.firsts
        let addresses = KeyGroups(firsts.count) { members.end(Int(firsts[$0]), isSource: isSource).address }
        endCount = ends.count
        addressCount = addresses.count
        port =
            firsts.allSatisfy { members.end(Int($0), isSource: isSource).port == first.port } ? first.port : nil
        let byPort = endCount <= max(Finding.keptEndpoints, members.count / 2)
        var top = TopEndpoints()
        if byPort {
            for (count, first) in zip(ends.counts, firsts) where top.takes(Int(count)) {
                let end = members.end(Int(first), isSource: isSource)
                top.add(Finding.EndpointCount(address: end.address, port: end.port, count: Int(count)))
            }
        } else {
            var counts = [Int](repeating: 0, count: addresses.count)
            for (end, count) in ends.counts.enumerated() { counts[Int(addresses.bucket(of: end))] += Int(count) }
            for (count, first) in zip(counts, addresses.firsts) where top.takes(count) {
                let end = members.end(Int(firsts[Int(first)]), isSource: isSource)
                top.add(Finding.EndpointCount(address: end.address, port: nil, count: count))
            }
        }
        self.top = top.all
    }

    /// Different addresses with their ports.
    static func endCount(_ members: Members, isSource: Bool) -> Int {
        KeyGroups(members.count) { members.end($0, isSource: isSource) }.count
    }
}

/// The first few endpoints, the more frequent first.
private struct TopEndpoints {
    private(set) var all: [Finding.EndpointCount] = []

    /// Whether an endpoint with this count may be among them. Most are not, and need no further look.
    func takes(_ count: Int) -> Bool { all.count < Finding.keptEndpoints || count >= all[all.count - 1].count }

    mutating func add(_ endpoint: Finding.EndpointCount) {
        if all.count == Finding.keptEndpoints, let last = all.last, !endpoint.precedes(last) { return }
        all.insert(endpoint, at: all.firstIndex { endpoint.precedes($0) } ?? all.count)
        if all.count > Finding.keptEndpoints { all.removeLast() }
    }
}

extension Finding.EndpointCount {
    /// The more frequent first, equals by address and port.
    fileprivate func precedes(_ other: Self) -> Bool {
        (other.count, address.high, address.low, port ?? 0)
            < (count, other.address.high, other.address.low, other.port ?? 0)
    }
}

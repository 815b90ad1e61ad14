import KernelEvents
import NetworkTypes

extension RecordingHeader {
    /// Whether every event of a RST from an address of the host would have been recorded.
    func holds(_ tuple: FourTuple) -> Bool {
        guard let scope else { return true }
        let homes = interfaces.filter { $0.addresses.contains(tuple.source) }
        // The namespace that has the address may be another one.
        guard !homes.isEmpty else { return scope.netns.isEmpty && scope.mayHold(tuple, netns: nil) }
        return homes.allSatisfy { scope.mayHold(tuple, netns: $0.netns) }
    }

    /// Whether packets were captured on every interface that those for an address may come in by: any of its namespace.
    func watchesEveryWay(to address: IPAddress) -> Bool {
        let homes = interfaces.filter { $0.addresses.contains(address) }
        return !homes.isEmpty
            && interfaces.allSatisfy { interface in
                interface.captured || interface.name == "lo"
                    || !homes.contains { $0.netns == interface.netns || interface.netns == nil }
            }
    }
}

extension FourTuple {
    /// The same for both directions of a connection.
    var anyDirection: FourTuple {
        (source.high, source.low, sourcePort) <= (destination.high, destination.low, destinationPort) ? self : reversed
    }
}

extension Inventory {
    /// By host, its recordings.
    var hosts: [[Int]] { alignment.hosts }

    /// The host that saw it; nil if that is not known.
    func host(_ reference: Reference) -> Int? {
        isEvent(reference)
            ? alignment.hostsOfRecordings[recordingIndex(reference)]
            : alignment.hostsOfCaptures[Int(reference.source)]
    }

    /// As its header calls it, or its file.
    func name(ofHost host: Int) -> String {
        let named = hosts[host].compactMap { recordings[$0].recording.header?.host }.first { !$0.isEmpty }
        return named ?? hosts[host].first.map { recordings[$0].file } ?? "the other host"
    }

    func addresses(ofHost host: Int) -> Set<IPAddress> { alignment.addresses[host] }

    /// By the steady clock, as other times are; nil without a wall clock.
    @inline(__always)
    func time(ofMonotonic monotonic: Int64, recording: Int) -> Int64? {
        guard let time = clocks.models[recording]?.steady(monotonic) else { return nil }
        return time.saturatingSubtract(alignment.shift(ofRecording: recording, at: time))
    }
}

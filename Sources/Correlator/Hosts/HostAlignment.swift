import KernelEvents
import NetworkTypes
import PcapReader

/// The clocks of several recorded hosts, compared by RSTs that two of them have.
///
/// A RST keeps its numbers on its way, whoever translates its addresses, and takes much less than a second: what is left of the
/// difference between the times at two hosts is that of their clocks. One offset is only used where several RSTs agree on it.
struct HostAlignment: Sendable {
    /// By recording; nil where it has no wall clock.
    let hostsOfRecordings: [Int?]
    /// By host: its recordings.
    let hosts: [[Int]]
    /// By host: its addresses, without those of the loopback.
    let addresses: [Set<IPAddress>]
    /// By capture: the host that stamped its packets, where that is known.
    let hostsOfCaptures: [Int?]
    /// Nanoseconds by host, to subtract from its times before they are compared with those of another one.
    private let shifts: [Int64]
    /// By host: those with the same number can be compared.
    private let components: [Int]
    /// What was found.
    let offsets: [ClockOffset]
    /// Why clocks are not compared, by recording.
    let obstacles: [(recording: Int, sentence: String)]

    /// How far RSTs may be apart that agree: a path may take that long.
    private static let agreement: UInt64 = 500_000_000
    private static let fewest = 3
    /// Segments of connections that captures have in common, if they all went one way.
    private static let fewestOneWay = 8
    /// Clocks that differ by less are left as they are.
    private static let tolerated: UInt64 = 100_000_000

    init(_ captures: [CaptureInput], _ recordings: [EventInput], _ clocks: HostClocks, _ segments: [ClockOffset]) {
        hostsOfRecordings = clocks.hosts
        let count = (clocks.hosts.compactMap(\.self).max() ?? -1) + 1
        let all = (0..<count).map { host in clocks.hosts.indices.filter { clocks.hosts[$0] == host } }
        hosts = all
        addresses = all.map { host in
            Set(
                host.flatMap { recordings[$0].recording.header?.interfaces ?? [] }.filter { $0.name != "lo" }
                    .flatMap(\.addresses))
        }
        guard count > 1 else {
            hostsOfCaptures = Array(repeating: nil, count: captures.count)
            (shifts, components, offsets, obstacles) = (
                Array(repeating: 0, count: count), Array(repeating: 0, count: count), [], []
            )
            return
        }
        var tables = SightingTables(captures, recordings, clocks)
        hostsOfCaptures = tables.assignCaptures()
        let owners = hostsOfCaptures
        var links: [Link] = []
        var failed: [(Int, Int, Int)] = []
        for later in 1..<count {
            for earlier in 0..<later {
                let samples = tables.samples(earlier, later)
                if let link = Link(earlier, later, samples) {
                    links.append(link)
                    continue
                }
                if let link = Self.link(earlier, later, segments, captures, owners) {
                    links.append(link)
                } else {
                    failed.append((earlier, later, samples.count))
                }
            }
        }
        let reference = owners.compactMap(\.self).first ?? 0
        (shifts, components) = Self.spread(links, from: reference, hosts: count)
        let names = (0..<count).map { host in
            clocks.hosts.firstIndex { $0 == host }.map { recordings[$0].file } ?? ""
        }
        offsets = links.filter(\.isOfResets).map { link in
            ClockOffset(
                file: names[link.later], reference: names[link.earlier], offset: link.offset, delay: link.delay,
                segments: link.count)
        }
        let found = components
        let homes = addresses
        obstacles = failed.compactMap { earlier, later, common in
            guard found[earlier] != found[later],
                common > 0 || tables.speaks(earlier, to: homes[later]) || tables.speaks(later, to: homes[earlier]),
                let (one, other) = Self.differentBoots(earlier, later, clocks, recordings)
            else { return nil }
            return (
                other,
                "its clock cannot be compared with that of \(recordings[one].file): "
                    + (common == 0 ? "no RST is in both" : "\(common.counted("RST")) in both, and not 3 that agree")
                    + ", so a RST that both have may be two entries"
            )
        }
    }

    /// Recordings of two hosts, not of one from yesterday and today.
    private static func differentBoots(
        _ earlier: Int, _ later: Int, _ clocks: HostClocks, _ recordings: [EventInput]
    ) -> (Int, Int)? {
        guard let one = clocks.hosts.firstIndex(of: earlier), let other = clocks.hosts.firstIndex(of: later),
            recordings[one].recording.header?.bootID != recordings[other].recording.header?.bootID
        else { return nil }
        return (one, other)
    }

    /// Whether times of two hosts can be compared.
    func areComparable(_ one: Int, _ other: Int) -> Bool { components[one] == components[other] }

    func shift(ofRecording recording: Int) -> Int64 { hostsOfRecordings[recording].map { shifts[$0] } ?? 0 }

    func shift(ofCapture capture: Int) -> Int64 { hostsOfCaptures[capture].map { shifts[$0] } ?? 0 }

    var isTrivial: Bool { shifts.allSatisfy { $0 == 0 } }

    // MARK: - Links

    /// How far the clock of one host is from that of another one.
    private struct Link {
        let earlier: Int
        let later: Int
        /// To subtract from the times of the later one.
        let offset: Int64
        let delay: Int64?
        let count: Int
        let isOfResets: Bool

        init(_ earlier: Int, _ later: Int, _ offset: ClockOffset) {
            self.earlier = earlier
            self.later = later
            self.offset = offset.offset
            delay = offset.delay
            count = offset.segments
            isOfResets = false
        }

        /// - Returns: nil if too few agree.
        init?(_ earlier: Int, _ later: Int, _ samples: ClockSamples) {
            guard let agreed = samples.agreed(within: HostAlignment.agreement), agreed.count >= HostAlignment.fewest,
                agreed.count * 2 > samples.count
            else { return nil }
            self.earlier = earlier
            self.later = later
            (offset, delay) = agreed.offset
            count = agreed.count
            isOfResets = true
        }
    }

    /// From segments of connections that captures of both hosts have.
    private static func link(
        _ earlier: Int, _ later: Int, _ segments: [ClockOffset], _ captures: [CaptureInput], _ owners: [Int?]
    ) -> Link? {
        func owner(_ file: String) -> Int? { captures.firstIndex { $0.file == file }.flatMap { owners[$0] } }
        for offset in segments where offset.segments >= (offset.delay == nil ? fewestOneWay : fewest) {
            let (file, reference) = (owner(offset.file), owner(offset.reference))
            if file == later, reference == earlier { return Link(earlier, later, offset) }
            if file == earlier, reference == later { return Link(later, earlier, offset) }
        }
        return nil
    }

    private static func spread(_ links: [Link], from reference: Int, hosts: Int) -> ([Int64], [Int]) {
        var shifts = [Int64](repeating: 0, count: hosts)
        var components = [Int](repeating: -1, count: hosts)
        for start in [reference] + Array(0..<hosts) where components[start] < 0 {
            components[start] = start
            var queue = [start]
            while let host = queue.popLast() {
                for link in links {
                    let (next, step) =
                        link.earlier == host
                        ? (link.later, link.offset) : (link.earlier, Int64(0).saturatingSubtract(link.offset))
                    guard link.earlier == host || link.later == host, components[next] < 0 else { continue }
                    components[next] = start
                    shifts[next] = shifts[host].saturatingAdd(step)
                    queue.append(next)
                }
            }
        }
        return (shifts.map { $0.magnitude > tolerated ? $0 : 0 }, components)
    }
}

/// By how much later one host saw what another one saw, RST by RST.
struct ClockSamples {
    /// Sent by the first host, sent by the second, and what does not say.
    var there: [Int64] = []
    var back: [Int64] = []
    var others: [Int64] = []

    var count: Int { there.count + back.count + others.count }

    /// As many as possible that are not far from each other.
    func agreed(within distance: UInt64) -> ClockSamples? {
        let all = (there + back + others).sorted()
        var best: Range<Int>?
        var low = all.startIndex
        for high in all.indices {
            while all[high].distance(from: all[low]) > distance { low += 1 }
            if high + 1 - low > best?.count ?? 0 { best = low..<high + 1 }
        }
        guard let best else { return nil }
        let range = all[best.lowerBound]...all[best.upperBound - 1]
        return ClockSamples(
            there: there.filter(range.contains), back: back.filter(range.contains),
            others: others.filter(range.contains))
    }

    /// Of the clocks, and the time on the way where that can be told (as in NTP, RFC 5905, section 8).
    var offset: (Int64, delay: Int64?) {
        func median(_ values: [Int64]) -> Int64? { values.isEmpty ? nil : values.sorted()[values.count / 2] }
        guard let one = median(there), let other = median(back), one >= other else {
            return (median(there + back + others) ?? 0, nil)
        }
        let twice = Int64(clamping: one.distance(from: other))
        return (other.saturatingAdd(twice / 2), twice / 2)
    }
}

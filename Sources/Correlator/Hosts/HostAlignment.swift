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
    /// By host, to subtract from its times before they are compared with those of another one.
    private let shifts: [ClockShift]
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
                Array(repeating: ClockShift(), count: count), Array(repeating: 0, count: count), [], []
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
                file: names[link.later], reference: names[link.earlier], offset: link.shift.base, delay: link.delay,
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

    /// - Parameter time: by the steady clock of its host.
    func shift(ofRecording recording: Int, at time: Int64) -> Int64 {
        hostsOfRecordings[recording].map { shifts[$0].value(at: time) } ?? 0
    }

    /// - Parameter time: by the steady clock of its host.
    func shift(ofCapture capture: Int, at time: Int64) -> Int64 {
        hostsOfCaptures[capture].map { shifts[$0].value(at: time) } ?? 0
    }

    var isTrivial: Bool { shifts.allSatisfy { $0 == ClockShift() } }

    // MARK: - Links

    /// How far the clock of one host is from that of another one.
    private struct Link {
        let earlier: Int
        let later: Int
        /// To subtract from the times of the later one.
        let shift: ClockShift
        let delay: Int64?
        let count: Int
        let isOfResets: Bool

        init(_ earlier: Int, _ later: Int, _ offset: ClockOffset) {
            self.earlier = earlier
            self.later = later
            shift = ClockShift(base: offset.offset)
            delay = offset.delay
            count = offset.segments
            isOfResets = false
        }

        /// - Returns: nil if too few agree.
        init?(_ earlier: Int, _ later: Int, _ samples: ClockSamples) {
            guard let (agreed, drift) = samples.agreed(within: HostAlignment.agreement),
                agreed.count >= HostAlignment.fewest, agreed.count * 2 > samples.count
            else { return nil }
            self.earlier = earlier
            self.later = later
            let offset: Int64
            (offset, delay) = agreed.offset
            shift = ClockShift(base: offset, drift: drift.rate, origin: drift.origin)
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

    private static func spread(_ links: [Link], from reference: Int, hosts: Int) -> ([ClockShift], [Int]) {
        var shifts = [ClockShift](repeating: ClockShift(), count: hosts)
        var components = [Int](repeating: -1, count: hosts)
        for start in [reference] + Array(0..<hosts) where components[start] < 0 {
            components[start] = start
            var queue = [start]
            while let host = queue.popLast() {
                for link in links {
                    let (next, step) =
                        link.earlier == host ? (link.later, link.shift) : (link.earlier, link.shift.inverse)
                    guard link.earlier == host || link.later == host, components[next] < 0 else { continue }
                    components[next] = start
                    shifts[next] = step.followed(by: shifts[host])
                    queue.append(next)
                }
            }
        }
        return (
            shifts.map { $0.base.magnitude > tolerated || $0.drift != 0 ? $0 : ClockShift() }, components
        )
    }
}

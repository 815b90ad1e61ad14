import KernelEvents
import NetworkTypes
import PcapReader

/// By which setting of a host's clock the packets of a capture were stamped, for hosts whose clock was set meanwhile.
struct PacketClock: Sendable {
    /// For each RST of the capture what to subtract from its time to have that of the steady clock.
    let shifts: [Int64]
    /// The number, the setting and the steady time of each RST; empty where all packets have one shift.
    private let resets: [(number: Int, setting: Int, time: Int64)]
    private let model: ClockModel

    /// - Parameters:
    ///   - resets: of a capture, in its order.
    ///   - model: of a host whose clock was set.
    ///   - sent: when the host sent which RST, by its steady clock.
    ///   - isOwn: the capture is known to be the host's.
    /// - Returns: nil if the packets were stamped by another clock, that nobody set.
    init?(_ resets: [CapturedSegment], _ model: ClockModel, _ sent: SentResets, isOwn: Bool) {
        var settings = [Int](repeating: 0, count: resets.count)
        var cost = 0
        // In the order of time each interface by itself: their packets come in blocks.
        for places in Dictionary(grouping: resets.indices, by: { resets[$0].interface }).values {
            cost += SettingPath(resets, places, model, sent).run(into: &settings)
        }
        let constant = Self.distinct(model.shifts).map { shift in
            (shift: shift, cost: resets.reduce(0) { $0 + sent.cost($1, at: $1.time.saturatingSubtract(shift)) })
        }.min { ($0.cost, $0.shift.magnitude) < ($1.cost, $1.shift.magnitude) }
        let hasEvents = resets.contains { sent.knows($0) }
        self.model = model
        if hasEvents || isOwn, cost <= constant?.cost ?? .max {
            shifts = settings.map { model.shifts[$0] }
            self.resets = zip(resets, settings).map {
                ($0.number, $1, $0.time.saturatingSubtract(model.shifts[$1]))
            }
        } else if let constant, constant.shift != 0, hasEvents {
            // Another host, whose clock agreed with this one's at another time than is taken for the right one.
            shifts = [Int64](repeating: constant.shift, count: resets.count)
            self.resets = []
        } else {
            return nil
        }
    }

    /// How many other clocks are tried.
    private static let mostConstants = 16

    private static func distinct(_ shifts: [Int64]) -> [Int64] {
        var seen: Set<Int64> = []
        return Array(shifts.filter { seen.insert($0).inserted }.prefix(mostConstants))
    }

    /// The time of any packet by the steady clock.
    ///
    /// - Parameter time: as it was stamped.
    func steady(_ time: Int64, ofPacket number: Int) -> Int64 {
        guard !resets.isEmpty else { return time.saturatingSubtract(shifts.first ?? 0) }
        let next = resets.firstPlace { $0.number < number }
        if next < resets.count, resets[next].number == number { return resets[next].time }
        // Between the RSTs before and after it.
        let first = next > 0 ? resets[next - 1] : (number: 0, setting: 0, time: .min)
        let last = next < resets.count ? resets[next] : (number: 0, setting: model.steps.count, time: .max)
        let earliest = first.time.saturatingSubtract(SettingPath.disorder)
        let latest = last.time.saturatingAdd(SettingPath.disorder)
        for setting in first.setting..<max(first.setting, last.setting) {
            let steady = time.saturatingSubtract(model.shifts[setting])
            if steady >= earliest, steady <= latest, model.span(ofSetting: setting).contains(steady) { return steady }
        }
        return time.saturatingSubtract(model.shifts[max(first.setting, last.setting)])
    }
}

/// When a host sent which RST, by its steady clock.
struct SentResets {
    private var times: [ResetKey: [Int64]] = [:]

    /// A packet is stamped soon after the hook has seen it.
    private static let near: UInt64 = 20_000_000

    mutating func add(_ recording: Recording, _ model: ClockModel) {
        for index in recording.events.indices where recording.events[index].kind == .emit {
            guard let key = ResetKey(recording.events[index]) else { continue }
            times[key, default: []].append(model.steady(recording.events[index].monotonic))
        }
    }

    mutating func finish() { for key in times.keys { times[key]?.sort() } }

    func knows(_ reset: CapturedSegment) -> Bool { times[ResetKey(reset.segment)] != nil }

    /// The time of the equal RST that is nearest to a time.
    func nearest(_ reset: CapturedSegment, to time: Int64) -> Int64? {
        guard let times = times[ResetKey(reset.segment)] else { return nil }
        let next = times.firstPlace { $0 < time }
        return [next - 1, next].filter(times.indices.contains).map { times[$0] }
            .min { $0.distance(from: time) < $1.distance(from: time) }
    }

    /// How badly it fits that a RST was captured then.
    func cost(_ reset: CapturedSegment, at time: Int64) -> Int {
        guard let distance = nearest(reset, to: time)?.distance(from: time) else { return 0 }
        return distance <= Self.near ? 0 : distance <= Window.sightings ? SettingPath.far : SettingPath.apart
    }

    /// When it was sent, if that is near to a time.
    func time(of reset: CapturedSegment, near time: Int64) -> Int64? {
        nearest(reset, to: time).flatMap { $0.distance(from: time) <= Self.near ? $0 : nil }
    }
}

/// Finds for the packets of one interface the settings of the clock that fit best: the one setting comes after the other,
/// and equal RSTs were sent when they were captured.
struct SettingPath {
    /// The costs of what speaks against a choice.
    static let change = 1
    static let far = 100
    static let back = 200
    static let turnedBack = 300
    static let apart = 400
    static let outside = 1000

    /// Clocks are read, and packets stamped, a little before or after.
    private static let slack: UInt64 = 2_000_000
    /// Packets of several processors may be out of order by this much.
    static let disorder: Int64 = 200_000_000
    /// How many settings are considered for one packet.
    private static let mostChoices = 16

    private struct Choice {
        let setting: Int
        let time: Int64
        var cost: Int
        var before: Int = -1
    }

    private let resets: [CapturedSegment]
    private let places: [Int]
    private let model: ClockModel
    private let sent: SentResets
    private let spans: [ClosedRange<Int64>]

    init(_ resets: [CapturedSegment], _ places: [Int], _ model: ClockModel, _ sent: SentResets) {
        self.resets = resets
        self.places = places
        self.model = model
        self.sent = sent
        spans = model.shifts.indices.map(model.span(ofSetting:))
    }

    /// - Returns: what speaks against the best choice.
    func run(into settings: inout [Int]) -> Int {
        var rows: [[Choice]] = []
        rows.reserveCapacity(places.count)
        for place in places {
            var row = choices(resets[place])
            if let last = rows.last { for index in row.indices { link(&row[index], last) } }
            rows.append(row)
        }
        guard let last = rows.last, var best = last.indices.min(by: { last[$0].cost < last[$1].cost }) else { return 0 }
        let cost = last[best].cost
        for (row, place) in zip(rows, places).reversed() {
            settings[place] = row[best].setting
            best = row[best].before
        }
        return cost
    }

    /// Not empty.
    private func choices(_ reset: CapturedSegment) -> [Choice] {
        var choices: [Choice] = []
        var nearest: (distance: UInt64, choice: Choice)?
        for (setting, shift) in model.shifts.enumerated() {
            let time = reset.time.saturatingSubtract(shift)
            let span = spans[setting]
            let distance =
                time < span.lowerBound
                ? time.distance(from: span.lowerBound)
                : time > span.upperBound ? time.distance(from: span.upperBound) : 0
            guard distance <= Self.slack else {
                if distance < nearest?.distance ?? .max {
                    nearest = (distance, Choice(setting: setting, time: time, cost: Self.outside))
                }
                continue
            }
            choices.append(Choice(setting: setting, time: time, cost: sent.cost(reset, at: time)))
            if choices.count == Self.mostChoices { break }
        }
        return choices.isEmpty ? [nearest?.choice].compactMap(\.self) : choices
    }

    /// Chooses what came before.
    private func link(_ choice: inout Choice, _ row: [Choice]) {
        var best: (cost: Int, index: Int)?
        for (index, before) in row.enumerated() {
            var cost = before.cost
            if choice.setting > before.setting { cost += Self.change }
            if choice.setting < before.setting { cost += Self.turnedBack }
            if choice.time < before.time.saturatingSubtract(Self.disorder) { cost += Self.back }
            if cost < best?.cost ?? .max { best = (cost, index) }
        }
        guard let best else { return }
        choice.cost += best.cost
        choice.before = best.index
    }
}

/// The clocks of all recordings, and of the captures that were stamped by one of them that was set.
struct HostClocks: Sendable {
    /// By recording; nil where it has no wall clock.
    let models: [ClockModel?]
    /// By recording: those of one host have the same number, which its recordings share; nil where it has no wall clock.
    let hosts: [Int?]
    /// By capture; nil where times are those of the steady clock.
    let packets: [PacketClock?]

    init(_ captures: [CaptureInput], _ recordings: [EventInput]) {
        var models: [ClockModel?] = Array(repeating: nil, count: recordings.count)
        var packets: [PacketClock?] = Array(repeating: nil, count: captures.count)
        var hosts: [Int?] = Array(repeating: nil, count: recordings.count)
        var hostCount = 0
        for group in Self.hosts(recordings) {
            guard var model = ClockModel(group.map { recordings[$0].recording }) else { continue }
            if !model.steps.isEmpty {
                var sent = SentResets()
                for index in group { sent.add(recordings[index].recording, model) }
                sent.finish()
                for (index, capture) in captures.enumerated() where packets[index] == nil {
                    let isOwn = group.contains { recordings[$0].recording.footer?.captured == capture.summary.packets }
                    guard
                        let clock = PacketClock(
                            capture.resets, model, sent, isOwn: isOwn && capture.summary.packets > 0)
                    else { continue }
                    packets[index] = clock
                    model.narrow(by: capture.resets, clock, sent)
                }
            }
            for index in group {
                models[index] = model
                hosts[index] = hostCount
            }
            hostCount += 1
        }
        self.hosts = hosts
        self.models = models
        self.packets = packets
    }

    /// Recordings by host: of one boot, and made at the same time.
    private static func hosts(_ recordings: [EventInput]) -> [[Int]] {
        let spans = recordings.map { Span($0.recording) }
        var hosts: [[Int]] = []
        var end: (boot: String, time: Int64)?
        for index in recordings.indices.sorted(by: { spans[$0] < spans[$1] }) {
            let span = spans[index]
            if let last = end, !span.boot.isEmpty, last.boot == span.boot, span.first <= last.time {
                hosts[hosts.count - 1].append(index)
                end = (span.boot, max(last.time, span.last))
            } else {
                hosts.append([index])
                end = (span.boot, span.last)
            }
        }
        return hosts.map { $0.sorted() }
    }

    private struct Span: Comparable {
        let boot: String
        let first: Int64
        let last: Int64

        init(_ recording: Recording) {
            boot = recording.header?.bootID ?? ""
            let samples = recording.clocks.map(\.monotonic) + [recording.header?.clock.monotonic].compactMap(\.self)
            first = samples.min() ?? 0
            last = samples.max() ?? 0
        }

        static func < (a: Self, b: Self) -> Bool { (a.boot, a.first, a.last) < (b.boot, b.first, b.last) }
    }
}

extension ClockModel {
    /// Learns from RSTs that were sent and captured near a step on which side of it they were.
    fileprivate mutating func narrow(by resets: [CapturedSegment], _ clock: PacketClock, _ sent: SentResets) {
        var bounds: [(last: Int64?, first: Int64?)] = Array(repeating: (nil, nil), count: steps.count)
        let gaps = steps.indices.map { (steady(steps[$0].earliest), steady(steps[$0].latest)) }
        for (reset, shift) in zip(resets, clock.shifts) {
            guard let time = sent.time(of: reset, near: reset.time.saturatingSubtract(shift)) else { continue }
            let next = gaps.firstPlace { $0.1 < time }
            guard next < gaps.count, gaps[next].0 <= time else { continue }
            let monotonic = steps[next].earliest.saturatingAdd(time.saturatingSubtract(gaps[next].0))
            if shift == shifts[next] { bounds[next].last = max(bounds[next].last ?? .min, monotonic) }
            if shift == shifts[next + 1] { bounds[next].first = min(bounds[next].first ?? .max, monotonic) }
        }
        for (index, bound) in bounds.enumerated() { narrow(step: index, notBefore: bound.last, before: bound.first) }
    }
}

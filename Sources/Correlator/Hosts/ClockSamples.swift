import NetworkTypes

/// How far the clock of one host is ahead of another one's: the same all the time, or more from second to second.
struct ClockShift: Sendable, Equatable {
    /// Nanoseconds at `origin`.
    var base: Int64 = 0
    /// Nanoseconds per nanosecond.
    var drift: Double = 0
    /// Nanoseconds by the clock that is ahead.
    var origin: Int64 = 0

    /// - Parameter time: by the clock that is ahead.
    @inline(__always)
    func value(at time: Int64) -> Int64 {
        drift == 0 ? base : base.saturatingAdd(Int64((Double(time) - Double(origin)) * drift, saturating: ()))
    }

    /// How far the other clock is ahead of this one.
    var inverse: ClockShift {
        ClockShift(
            base: Int64(0).saturatingSubtract(base), drift: -drift / (1 - drift),
            origin: origin.saturatingSubtract(base))
    }

    /// - Parameter next: how far the clock that this one is compared with is ahead of a third one.
    func followed(by next: ClockShift) -> ClockShift {
        ClockShift(
            base: base.saturatingAdd(next.value(at: origin.saturatingSubtract(base))),
            drift: drift + next.drift * (1 - drift), origin: origin)
    }
}

extension Int64 {
    fileprivate init(_ value: Double, saturating: Void) {
        self = value.isNaN ? 0 : value >= 0x1p63 ? .max : value < -0x1p63 ? .min : Int64(value)
    }
}

/// By how much later one host saw what another one saw, RST by RST.
struct ClockSamples {
    struct Sample {
        /// By the clock of the host whose lead is sought.
        let time: Int64
        var difference: Int64
    }

    /// Sent by the first host, sent by the second, and what does not say.
    var there: [Sample] = []
    var back: [Sample] = []
    var others: [Sample] = []

    var count: Int { there.count + back.count + others.count }

    /// How much a clock gains, nanoseconds per nanosecond, and since when.
    typealias Drift = (rate: Double, origin: Int64)

    /// Clocks of computers deviate by 100 ppm at most, each in its direction, and NTP slews by 500 ppm.
    private static let largestDrift = 0.0006
    /// A drift is only believed of so many.
    private static let fewestOfDrift = 6
    /// How many are compared with each other for it.
    private static let compared = 128

    /// As many as possible that are not far from each other, if need be without what the one clock gains all the time.
    func agreed(within distance: UInt64) -> (ClockSamples, Drift)? {
        guard let constant = agreedAsTheyAre(within: distance) else { return nil }
        guard constant.count < count, let drift = drift,
            let straight = without(drift).agreedAsTheyAre(within: distance), straight.count > constant.count,
            straight.count >= Self.fewestOfDrift
        else { return (constant, (0, 0)) }
        return (straight, drift)
    }

    private func agreedAsTheyAre(within distance: UInt64) -> ClockSamples? {
        let all = (there + back + others).map(\.difference).sorted()
        var best: Range<Int>?
        var low = all.startIndex
        for high in all.indices {
            while all[high].distance(from: all[low]) > distance { low += 1 }
            if high + 1 - low > best?.count ?? 0 { best = low..<high + 1 }
        }
        guard let best else { return nil }
        let range = all[best.lowerBound]...all[best.upperBound - 1]
        func isIn(_ sample: Sample) -> Bool { range.contains(sample.difference) }
        return ClockSamples(
            there: there.filter(isIn), back: back.filter(isIn), others: others.filter(isIn))
    }

    /// The median of the slopes between any two that are far apart in time (Theil and Sen).
    private var drift: Drift? {
        let all = (there + back + others).sorted { ($0.time, $0.difference) < ($1.time, $1.difference) }
        guard all.count >= Self.fewestOfDrift, let first = all.first, let last = all.last else { return nil }
        let some = stride(from: 0, to: all.count, by: all.count / Self.compared + 1).map { all[$0] }
        let least = last.time.distance(from: first.time) / 4
        guard least > 0 else { return nil }
        var slopes: [Double] = []
        for (place, one) in some.enumerated() {
            for other in some[place...] where other.time.distance(from: one.time) >= least {
                slopes.append(
                    (Double(other.difference) - Double(one.difference)) / (Double(other.time) - Double(one.time)))
            }
        }
        slopes.sort()
        guard !slopes.isEmpty, slopes[slopes.count / 2].magnitude <= Self.largestDrift else { return nil }
        return (slopes[slopes.count / 2], all[all.count / 2].time)
    }

    private func without(_ drift: Drift) -> ClockSamples {
        let shift = ClockShift(drift: drift.rate, origin: drift.origin)
        func level(_ samples: [Sample]) -> [Sample] {
            samples.map {
                Sample(time: $0.time, difference: $0.difference.saturatingSubtract(shift.value(at: $0.time)))
            }
        }
        return ClockSamples(there: level(there), back: level(back), others: level(others))
    }

    /// Of the clocks, and the time on the way where that can be told (as in NTP, RFC 5905, section 8).
    var offset: (Int64, delay: Int64?) {
        func median(_ values: [Sample]) -> Int64? {
            values.isEmpty ? nil : values.map(\.difference).sorted()[values.count / 2]
        }
        guard let one = median(there), let other = median(back), one >= other else {
            return (median(there + back + others) ?? 0, nil)
        }
        let twice = Int64(clamping: one.distance(from: other))
        return (other.saturatingAdd(twice / 2), twice / 2)
    }
}

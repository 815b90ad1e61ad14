/// How long one tick of a time stamp is: 10^-n or 2^-n seconds (if_tsresol, draft-ietf-opsawg-pcapng, section 4.2).
public struct TimestampResolution: Sendable, Equatable {
    /// The option's byte: the exponent, with the top bit set for a power of 2.
    public var rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    public static let microseconds = TimestampResolution(rawValue: 6)
    public static let nanoseconds = TimestampResolution(rawValue: 9)

    public var isPowerOfTwo: Bool { rawValue & 0x80 != 0 }
    /// 0 to 127.
    public var exponent: Int { Int(rawValue & 0x7f) }

    /// Nanoseconds since 1970-01-01 of a time stamp, rounded down; times out of the range of `Int64` (years 1677 to
    /// 2262) become its ends.
    public func nanoseconds(ticks: UInt64, offsetSeconds: Int64 = 0) -> Int64 {
        let (seconds, nanoseconds) = split(ticks)
        guard let whole = Int64(exactly: seconds) else { return .max }
        let (sum, overflow) = whole.addingReportingOverflow(offsetSeconds)
        if overflow { return .max }
        let (product, tooFar) = sum.multipliedReportingOverflow(by: 1_000_000_000)
        if tooFar { return sum < 0 ? .min : .max }
        let (total, over) = product.addingReportingOverflow(Int64(nanoseconds))
        return over ? .max : total
    }

    /// Whole seconds, and nanoseconds below 1,000,000,000.
    private func split(_ ticks: UInt64) -> (seconds: UInt64, nanoseconds: UInt64) {
        if isPowerOfTwo {
            if exponent == 0 { return (ticks, 0) }
            guard exponent < 64 else {
                // Less than a second in all: the top bits times 10^9, shifted into place.
                let high = ticks.multipliedFullWidth(by: 1_000_000_000).high
                return (0, exponent - 64 < 64 ? high >> UInt64(exponent - 64) : 0)
            }
            let fraction = ticks & (1 << UInt64(exponent) - 1)
            let product = fraction.multipliedFullWidth(by: 1_000_000_000)
            return (ticks >> UInt64(exponent), product.high << UInt64(64 - exponent) | product.low >> UInt64(exponent))
        }
        if exponent <= 9 {
            let ticksPerSecond = Self.powersOfTen[exponent]
            return (ticks / ticksPerSecond, ticks % ticksPerSecond * Self.powersOfTen[9 - exponent])
        }
        guard exponent < Self.powersOfTen.count else { return (0, 0) }
        let ticksPerSecond = Self.powersOfTen[exponent]
        return (ticks / ticksPerSecond, ticks % ticksPerSecond / Self.powersOfTen[exponent - 9])
    }

    /// 10^0 to 10^19, which is all that fits.
    private static let powersOfTen: [UInt64] = (0..<20).map { exponent in
        (0..<exponent).reduce(UInt64(1)) { power, _ in power * 10 }
    }
}

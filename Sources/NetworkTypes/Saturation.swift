extension FixedWidthInteger {
    /// The sum, or the nearest representable number: a file may claim any count, and a sum that wraps could hide it.
    @inlinable
    package func saturatingAdd(_ other: Self) -> Self {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other > 0 ? .max : .min) : sum
    }
}

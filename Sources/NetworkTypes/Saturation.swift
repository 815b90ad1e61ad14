extension FixedWidthInteger {
    /// The sum, or the nearest number that there is: a file may claim any count, and a sum that wraps would tell of none.
    @inlinable
    package func saturatingAdd(_ other: Self) -> Self {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other > 0 ? .max : .min) : sum
    }
}

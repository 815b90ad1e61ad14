extension RandomAccessCollection where Index == Int {
    /// The index of the first element for which the condition does not hold; the end if it holds for all.
    ///
    /// - Parameter comesBefore: true for elements up to some index, false from there on.
    @inlinable
    package func firstPlace(whereNot comesBefore: (Element) -> Bool) -> Int {
        var low = startIndex
        var high = endIndex
        while low < high {
            let middle = low + (high - low) / 2
            if comesBefore(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension RandomAccessCollection where Index == Int {
    /// The place of the first element that does not come before something, the end if all do.
    ///
    /// - Parameter comesBefore: true for elements up to some place, false from there on.
    func firstPlace(whereNot comesBefore: (Element) -> Bool) -> Int {
        var low = startIndex
        var high = endIndex
        while low < high {
            let middle = low + (high - low) / 2
            if comesBefore(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

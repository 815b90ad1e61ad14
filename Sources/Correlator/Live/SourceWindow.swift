/// What a source said lately, with when it came.
struct SourceWindow<Element> {
    private(set) var elements: [Element] = []
    /// By place: when it was read, by the reader's steady clock, nanoseconds.
    private(set) var arrivals: [Int64] = []
    /// By place: the RST that it was found to be of, or 0.
    private(set) var ids: [Int] = []

    mutating func add(_ new: [Element], at arrival: Int64) {
        elements += new
        arrivals += repeatElement(arrival, count: new.count)
        ids += repeatElement(0, count: new.count)
    }

    /// Something that is of no RST yet came until then.
    func hasSettled(by limit: Int64) -> Bool {
        ids.indices.contains { ids[$0] == 0 && arrivals[$0] <= limit }
    }

    mutating func give(_ id: Int, to place: Int) { ids[place] = id }

    /// The lowest of the RSTs that were given out; nil for none.
    var oldestID: Int? { ids.lazy.filter { $0 != 0 }.min() }

    /// Lets go of what belongs to a RST that was given out, and came before some time or before so many others.
    mutating func prune(before time: Int64, keeping most: Int) {
        // What came first was mostly given out first.
        var surplus = ids.count { $0 != 0 } - most
        let kept = elements.indices.filter {
            guard ids[$0] != 0 else { return true }
            surplus -= 1
            return surplus < 0 && arrivals[$0] >= time
        }
        guard kept.count < elements.count else { return }
        elements = kept.map { elements[$0] }
        arrivals = kept.map { arrivals[$0] }
        ids = kept.map { ids[$0] }
    }
}

/// How often each of a few different keys occurs. The frequent ones soon stand in front: to search is faster than to hash,
/// which for a word like `Cause` is to hash its name.
func tally<Key: Equatable>(_ keys: some Sequence<Key>) -> [(key: Key, count: Int)] {
    var counts: [(key: Key, count: Int)] = []
    for key in keys {
        guard let place = counts.firstIndex(where: { $0.key == key }) else {
            counts.append((key, 1))
            continue
        }
        counts[place].count += 1
        if place > 0, counts[place].count > counts[place - 1].count { counts.swapAt(place, place - 1) }
    }
    return counts
}

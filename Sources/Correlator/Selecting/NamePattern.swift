/// A name in which `*` stands for any text and `?` for any character.
public struct NamePattern: Sendable, Equatable {
    private let pattern: [Character]

    public init(_ pattern: String) { self.pattern = Array(pattern) }

    /// Takes time in proportion to the length of the name times that of the pattern, whatever both are.
    public func matches(_ name: some StringProtocol) -> Bool {
        let name = Array(name)
        var (place, read) = (0, 0)
        // Where to go on when what follows the last asterisk does not fit.
        var retry: (place: Int, read: Int)?
        while read < name.count {
            if place < pattern.count, pattern[place] == "*" {
                retry = (place + 1, read)
                place += 1
            } else if place < pattern.count, pattern[place] == "?" || pattern[place] == name[read] {
                place += 1
                read += 1
            } else if let last = retry {
                retry = (last.place, last.read + 1)
                (place, read) = (last.place, last.read + 1)
            } else {
                return false
            }
        }
        return pattern[place...].allSatisfy { $0 == "*" }
    }
}

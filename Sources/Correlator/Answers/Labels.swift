import KernelEvents

/// Numbers for attributions that look the same to a person, that is, without PIDs.
struct Labels: Sendable {
    /// By attribution.
    private let numbers: [Int32]
    private let named: [Bool]

    init(_ attributions: [Attribution]) {
        var known: [Key: Int32] = [:]
        var numbers: [Int32] = []
        var named: [Bool] = []
        for attribution in attributions {
            let key = Key(attribution)
            let next = Int32(truncatingIfNeeded: known.count)
            let number = known[key] ?? next
            known[key] = number
            numbers.append(number)
            if number == next { named.append(key.name != nil) }
        }
        self.numbers = numbers
        self.named = named
    }

    func number(of row: ResetRow) -> Int32 { numbers[Int(row.attribution)] }

    /// Whether a process is involved.
    func isNamed(_ number: Int32) -> Bool { named[Int(number)] }

    private struct Key: Hashable {
        let candidates: [Cause]
        let name: String?
        let role: Reset.Process.Role?
        let owner: String?
        let place: String?
        let netns: UInt32?

        init(_ attribution: Attribution) {
            candidates = attribution.candidates
            name = attribution.process?.comm
            role = attribution.process?.role
            owner = attribution.owner?.comm
            let identity = attribution.location?.identity
            // Without a process name, the place where it runs does not matter.
            place = name == nil ? nil : identity?.container ?? identity?.pod ?? identity?.unit
            netns = name == nil ? nil : attribution.location?.netns
        }
    }
}

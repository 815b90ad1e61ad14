/// The kernel sends the same RST on the same path for another reason, too, and what would tell them apart was not seen,
/// or speaks against the rule.
struct Doubt: Sendable {
    /// What would have to be known.
    let missing: String
    /// The causes that it leaves, the likeliest first; empty if they are not in the catalogue.
    let candidates: [Cause]

    init(_ missing: String, between candidates: [Cause] = []) {
        self.missing = missing
        self.candidates = candidates
    }
}

/// The kernel also sends the same RST on the same path for another reason, and what would distinguish them was not seen, or
/// contradicts the rule.
struct Doubt: Sendable {
    /// What would have to be known.
    let missing: String
    /// The causes that remain possible, the likeliest first; empty if they are not in the catalogue.
    let candidates: [Cause]

    init(_ missing: String, between candidates: [Cause] = []) {
        self.missing = missing
        self.candidates = candidates
    }
}

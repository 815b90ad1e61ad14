/// One cause of the catalogue: how it is recognised, what it means, what to do about it.
///
/// A class, though it never changes: every RST is held against all rules, and nothing is copied.
public final class Rule: Sendable {
    public let cause: Cause
    public let category: Category
    /// One sentence for a person: what happened.
    public let meaning: String
    /// The same where it is not proven, worded as a guess.
    public let guess: String
    /// What an operator does next.
    public let advice: String
    /// How the evidence shows it, in words.
    public let recognition: String
    /// The kernel function or the RFC section it rests on.
    public let basis: String
    /// The kernel's own reasons (6.10 and later) that agree with it; empty if it gives none.
    public let reasons: Set<String>
    /// The recording that proves the rule, a directory in fixtures/.
    public let fixture: String?
    /// Whether the evidence is of this cause. At most one rule of the catalogue holds for any evidence.
    public let holds: @Sendable (Evidence) -> Bool
    /// How well the packets alone fit the cause, where no kernel event tells; nil if they do not. Several may fit.
    let wire: (@Sendable (WireEvidence) -> WireScore?)?

    init(
        _ cause: Cause, _ category: Category, meaning: String, guess: String, advice: String, recognition: String,
        basis: String,
        reasons: Set<String> = [], fixture: String? = nil,
        wire: (@Sendable (WireEvidence) -> WireScore?)? = nil,
        holds: @escaping @Sendable (Evidence) -> Bool
    ) {
        self.cause = cause
        self.category = category
        self.meaning = meaning
        self.guess = guess
        self.advice = advice
        self.recognition = recognition
        self.basis = basis
        self.reasons = reasons
        self.fixture = fixture
        self.wire = wire
        self.holds = holds
    }
}

/// Every cause this program knows.
public enum Catalogue {
    public static let rules: [Rule] =
        refused + stale + handshake + close + timeout + pressure + admin + multipath + elsewhere

    /// Those that packets alone can speak for.
    static let wireRules = rules.filter { $0.wire != nil }

    static let byCause = Dictionary(uniqueKeysWithValues: rules.map { ($0.cause, $0) })

    /// The catalogue's entry for a cause.
    public static func rule(for cause: Cause) -> Rule? { byCause[cause] }
}

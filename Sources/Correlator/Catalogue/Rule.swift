import KernelEvents

/// One cause of the catalogue: how it is recognised, what it means, what to do about it.
///
/// A class although it never changes, so that nothing is copied: every RST is compared with all rules.
public final class Rule: Sendable {
    public let cause: Cause
    public let category: Category
    /// What a report needs to know about the cause.
    let traits: CauseTraits
    /// One sentence for people: what happened.
    public let meaning: String
    /// The same, worded as a guess, for verdicts that are not proven.
    public let guess: String
    /// What an operator does next.
    public let advice: String
    /// In the order in which one would type them; empty if no command on the recorded host tells more.
    public let checks: [Check]
    /// How the evidence shows it, in words.
    public let recognition: String
    /// The kernel function or the RFC section it rests on.
    public let basis: String
    /// Well-known limits that may be the reason; empty for most causes.
    public let limits: [IdleLimits.Source]
    /// The kernel's own reasons (6.10 and later) that agree with it; empty if it gives none.
    public let reasons: Set<String>
    /// The recording that proves the rule, a directory in fixtures/.
    public let fixture: String?
    /// A clause for the case that the connection is known to have existed on this host.
    let afterEnd: String
    /// A sentence for the case that the owner of the socket ended, given how ("exited", "was killed by ..."); nil if that does
    /// not matter.
    let processEnd: (@Sendable (String) -> String)?
    /// What keeps the cause from being proven although no other rule holds; nil if nothing ever does.
    let doubt: (@Sendable (Evidence) -> Doubt?)?
    /// A sentence about this case, if the evidence says more than `meaning` or `guess`.
    let sentence: (@Sendable (Evidence, Certainty) -> String?)?
    /// What to do in this case, if the evidence allows more than `advice`.
    let remedy: (@Sendable (Evidence) -> String?)?
    /// How well the packets alone fit the cause, if there is no kernel event; nil if they do not. Several causes may fit.
    let wire: (@Sendable (WireEvidence) -> WireScore?)?
    /// Whether the evidence shows this cause. At most one rule of the catalogue holds for any evidence.
    public let holds: @Sendable (Evidence) -> Bool

    init(
        _ cause: Cause, _ category: Category, _ traits: CauseTraits = [], meaning: String, guess: String,
        advice: String, checks: [Check] = [], recognition: String, basis: String, limits: [IdleLimits.Source] = [],
        reasons: Set<String> = [], fixture: String? = nil,
        afterEnd: String = "The peer sent more on a connection that had already ended here",
        processEnd: (@Sendable (String) -> String)? = nil,
        doubt: (@Sendable (Evidence) -> Doubt?)? = nil,
        sentence: (@Sendable (Evidence, Certainty) -> String?)? = nil,
        remedy: (@Sendable (Evidence) -> String?)? = nil,
        wire: (@Sendable (WireEvidence) -> WireScore?)? = nil,
        holds: @escaping @Sendable (Evidence) -> Bool
    ) {
        self.cause = cause
        self.category = category
        self.traits = traits
        self.meaning = meaning
        self.guess = guess
        self.advice = advice
        self.checks = checks
        self.recognition = recognition
        self.basis = basis
        self.limits = limits
        self.reasons = reasons
        self.fixture = fixture
        self.afterEnd = afterEnd
        self.processEnd = processEnd
        self.doubt = doubt
        self.sentence = sentence
        self.remedy = remedy
        self.wire = wire
        self.holds = holds
    }

    /// The meaning, with what this evidence adds to it; worded as a guess where it is one.
    func summary(_ evidence: Evidence, _ certainty: Certainty) -> String {
        sentence?(evidence, certainty) ?? (certainty == .proven ? meaning : guess)
    }

    /// What happened, where the process that had the socket exited or was killed; nil where that is not the point.
    func meaning(isKilled: Bool, signal: UInt8?) -> String? {
        processEnd?(isKilled ? "was killed by \(ResetEvent.Ending.name(ofSignal: signal))" : "exited")
    }
}

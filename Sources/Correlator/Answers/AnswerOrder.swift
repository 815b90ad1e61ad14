/// The order of answers and groups.
public enum AnswerOrder: String, Sendable, CaseIterable {
    /// The largest.
    case count
    /// The one that began first, or ended last.
    case first, last
    /// By name of the cause, or of what is grouped by.
    case name
}

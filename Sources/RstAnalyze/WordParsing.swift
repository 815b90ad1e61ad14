import ArgumentParser
import Correlator
import Reporting

/// Parses one of a few words; an error suggests the one that was probably meant.
///
/// - Parameters:
///   - kind: what the word stands for, with its article, such as `a direction`.
///   - isLong: there are too many words to name them all.
func word<Word: RawRepresentable & CaseIterable>(
    _ typed: String, _ kind: String, _: Word.Type = Word.self
) throws -> Word where Word.RawValue == String {
    if let word = Word(rawValue: typed) { return word }
    let words = Word.allCases.map(\.rawValue)
    throw ValidationError(
        "\"\(typed.printable)\" is not \(kind): "
            + (nearest(typed, among: words).map { "did you mean \($0)?" }
                ?? "use one of \(words.joined(separator: ", "))."))
}

/// Parses words separated by commas.
func words<Word: RawRepresentable & CaseIterable>(
    _ typed: String, _ kind: String, _: Word.Type = Word.self
) throws -> [Word] where Word.RawValue == String {
    try parts(typed).map { try word($0, kind) }
}

/// The parts between commas.
func parts(_ typed: String) throws -> [String] {
    let parts = typed.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard parts.allSatisfy({ !$0.isEmpty }) else { throw ValidationError("a word is missing before or after a comma.") }
    return parts
}

/// Causes, and categories (which mean all their causes), separated by commas.
struct CauseWords {
    let typed: String
    private(set) var causes: Set<Cause> = []
    /// Also connections that ICMP errors ended, which are no RSTs.
    private(set) var takesRefusals = false

    init(_ typed: String) throws {
        self.typed = typed
        for part in try parts(typed) {
            if let cause = Cause(rawValue: part) {
                causes.insert(cause)
            } else if let category = Category(rawValue: part) {
                causes.formUnion(Catalogue.rules.filter { $0.category == category }.map(\.cause))
            } else if part == ICMPRefusal.word {
                takesRefusals = true
            } else {
                throw notACauseOrCategory(part)
            }
        }
    }

    /// Throws if it names what is only found once all is recorded.
    func checkLive(_ option: String) throws {
        guard takesRefusals else { return }
        throw ValidationError(
            "\(option) \(ICMPRefusal.word): connections that ICMP errors ended are not looked for meanwhile; record, and narrow the report."
        )
    }
}

func notACauseOrCategory(_ typed: String) -> ValidationError {
    let known = Cause.allCases.map(\.rawValue) + Category.allCases.map(\.rawValue) + [ICMPRefusal.word]
    let hint = nearest(typed, among: known).map { "did you mean \($0)? " } ?? ""
    return ValidationError(
        "\"\(typed.printable)\" is neither a cause nor a category: \(hint)\"rst-analyze explain\" lists them all.")
}

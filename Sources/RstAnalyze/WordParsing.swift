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

/// Parses causes, and categories (which mean all their causes), separated by commas.
func parsedCauses(_ typed: String) throws -> [Cause] {
    try parts(typed).flatMap { typed -> [Cause] in
        if let cause = Cause(rawValue: typed) { return [cause] }
        if let category = Category(rawValue: typed) {
            return Catalogue.rules.filter { $0.category == category }.map(\.cause)
        }
        throw notACauseOrCategory(typed)
    }
}

func notACauseOrCategory(_ typed: String) -> ValidationError {
    let known = Cause.allCases.map(\.rawValue) + Category.allCases.map(\.rawValue)
    let hint = nearest(typed, among: known).map { "did you mean \($0)? " } ?? ""
    return ValidationError(
        "\"\(typed.printable)\" is neither a cause nor a category: \(hint)\"rst-analyze explain\" lists them all.")
}

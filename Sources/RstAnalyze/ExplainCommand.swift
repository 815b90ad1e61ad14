import ArgumentParser
import Correlator
import Reporting

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Explain what a cause means, how it is recognised, and what to do about it.",
        discussion: """
            Examples: rst-analyze explain abort-on-close
                      rst-analyze explain timeout

            Without CAUSE, lists all causes by category.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, markdown }

    @Argument(
        help: ArgumentHelp("A cause or a category, for example closed-port.", valueName: "cause"),
        transform: Subject.init(typed:))
    var subject: Subject?

    @Option(help: "Output format: text, or markdown for the whole catalogue.")
    var format = Format.text

    func run() {
        switch format {
        case .markdown: print(CatalogueText.markdown, terminator: "")
        case .text: print(subject?.text ?? CatalogueText.overview, terminator: "")
        }
    }

    enum Subject: Equatable {
        case cause(Cause)
        case category(Category)
        case refusal

        init(typed: String) throws {
            if let cause = Cause(rawValue: typed) {
                self = .cause(cause)
            } else if let category = Category(rawValue: typed) {
                self = .category(category)
            } else if typed == ICMPRefusal.word {
                self = .refusal
            } else {
                throw notACauseOrCategory(typed)
            }
        }

        var text: String {
            switch self {
            case .cause(let cause): CatalogueText.entry(cause)
            case .category(let category): CatalogueText.overview(of: category)
            case .refusal: CatalogueText.refusal
            }
        }
    }
}

import ArgumentParser
import Correlator
import Reporting

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say what a cause means, how it is recognised and what to do about it.",
        discussion: "Without CAUSE, prints the catalogue.")

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, markdown }

    @Argument(
        help: ArgumentHelp("A word of the catalogue, for example closed-port.", valueName: "cause"),
        transform: { try word($0, "a cause") })
    var cause: Cause?

    @Option(help: "What to print: text or, of the whole catalogue, markdown.")
    var format = Format.text

    func run() {
        switch format {
        case .markdown: print(CatalogueText.markdown, terminator: "")
        case .text: print(cause.map(CatalogueText.entry) ?? CatalogueText.overview, terminator: "")
        }
    }
}

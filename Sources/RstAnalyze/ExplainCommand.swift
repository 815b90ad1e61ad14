import ArgumentParser
import Correlator
import Reporting

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say what a cause means, how it is recognised and what to do about it.",
        discussion: "Without CAUSE, prints the catalogue.")

    @Argument(help: ArgumentHelp("A word of the catalogue, for example closed-port.", valueName: "cause"))
    var cause: Cause?

    func run() {
        print(cause.map(CatalogueText.entry) ?? CatalogueText.overview, terminator: "")
    }
}

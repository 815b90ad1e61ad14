import ArgumentParser
import Testing

@testable import RstAnalyze

/// What `--help` says.
@Suite struct HelpTests {
    private static let commands: [[String]] =
        RstAnalyze.configuration.subcommands.flatMap { command -> [[String]] in
            let name = command.configuration.commandName ?? ""
            return [[name]] + command.configuration.subcommands.map { [name, $0.configuration.commandName ?? ""] }
        }.filter { $0 != ["selftest-actor"] }

    @Test func aMistypedCommandIsCorrected() throws {
        let near = try Program.run("reprot", "DIR")
        #expect(near.status == 64)
        let asked = "Error: \"reprot\" is not a command; did you mean report?\nUsage: "
        #expect(near.errors.hasPrefix(asked), "\(near.errors)")
        let far = try Program.run("capture.pcapng")
        let told = "Error: \"capture.pcapng\" is not a command.\nUsage: "
        #expect(far.status == 64 && far.errors.hasPrefix(told), "\(far.errors)")
        #expect(try Program.run("selftest-acto").errors.contains("mean selftest-actor") == false)
    }

    /// Each command's help begins with two examples, which are commands that it takes.
    @Test(arguments: commands) func helpOpensWithTwoExamples(_ command: [String]) throws {
        let help = try Program.run(more: command + ["--help"]).output
        let overview = try #require(help.split(separator: "USAGE:").first)
        // An example may be longer than a line of the terminal.
        let block = try #require(overview.firstRange(of: "Examples: "))
        let before = overview[..<block.lowerBound].split(separator: "\n")
        #expect(before.count <= 2, "the examples come right after the abstract")
        let examples = overview[block.upperBound...].split(separator: "\n\n")[0].split(separator: "rst-analyze ")
            .map { $0.split(whereSeparator: \.isWhitespace).map(String.init).filter { $0 != "sudo" } }
            .filter { !$0.isEmpty }
        #expect(examples.count == 2, "\(examples)")
        for words in examples {
            #expect(words.starts(with: command), "\(words)")
            #expect(throws: Never.self) { try RstAnalyze.parseAsRoot(words) }
        }
    }
}

import ArgumentParser
import Glibc
import Laboratory
import Logging
import Selftest
import SelftestDriver

struct SelftestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "selftest",
        abstract: "Provoke resets of every cause on this kernel, record and report them, and compare.",
        discussion: """
            Examples: sudo rst-analyze selftest
                      sudo rst-analyze selftest closed-port abort-on-close

            Needs root. All traffic stays in network namespaces that the program creates and that vanish when it ends. \
            Without SCENARIO, runs all of them. The exit status is 1 if any report differs from what was provoked.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Argument(help: ArgumentHelp("Scenarios to run; --list names them.", valueName: "scenario"))
    var scenarios: [String] = []

    @Flag(help: "List the scenarios and what each needs.")
    var list = false

    @Option(help: "IP version, 4 or 6. (default: both)")
    var ip: Int?

    @Option(help: "Output format: text or json.")
    var format = Format.text

    @Option(help: ArgumentHelp("Keep each recording in DIR/<scenario>-v4 or -v6.", valueName: "dir"))
    var keep: String?

    @Flag(help: "Capture every packet, not only segments with SYN, FIN or RST.")
    var full = false

    @Flag(help: "Record without the hooks that some kernels lack (fentry).")
    var basicHooks = false

    @Flag(help: "Allow scenarios that briefly change a setting of the whole host.")
    var allowHostWide = false

    @Option(
        help: ArgumentHelp(
            "Instead of scenarios, make this many connections to closed ports over lo.", valueName: "count"))
    var burst: Int?

    @Flag(help: "With --burst, make resets of mixed causes across a bridge and a masquerading router instead.")
    var masqueraded = false

    func validate() throws {
        if masqueraded, burst == nil { throw ValidationError("--masqueraded needs --burst") }
        if let burst, !(1...1_000_000).contains(burst) {
            throw ValidationError("--burst must be between 1 and 1000000")
        }
        if let ip, ip != 4, ip != 6 { throw ValidationError("--ip must be 4 or 6") }
        for id in scenarios where Scenarios.named(id) == nil {
            throw ValidationError("there is no scenario \(id); \"rst-analyze selftest --list\" names them")
        }
    }

    func run() throws {
        if list {
            printList()
            return
        }
        guard geteuid() == 0 else {
            log.error("selftest creates network namespaces and loads BPF programs: run it as root")
            throw ExitCode(1)
        }
        if let keep { mkdir(keep, 0o755) }
        guard let scratch = Scratch() else {
            log.error("cannot create a directory for temporary files: \(String(cString: strerror(errno)))")
            throw ExitCode(1)
        }
        let stop = StopConditions()
        stop.endProgram { [path = scratch.path] in Scratch.removeTree(path) }
        defer { withExtendedLifetime((scratch, stop)) {} }
        var driver = SelftestDriver(tool: Version.tool)
        driver.scratch = scratch.path
        driver.allowsHostWideSettings = allowHostWide
        driver.capturesEverything = full
        driver.optionalHooks = !basicHooks
        let chosen =
            burst.map { [masqueraded ? Scenarios.translatedBurst(count: $0) : Scenarios.burst(count: $0)] }
            ?? chosenScenarios
        var table = SelftestTable(isJSON: format == .json)
        for scenario in chosen {
            for version in scenario.ipVersions where ip.map({ version == ($0 == 4 ? .v4 : .v6) }) ?? true {
                let directory = keep.map { "\($0)/\(scenario.id)-v\(version.rawValue)" }
                table.append(driver.run(scenario, version, keepIn: directory))
            }
        }
        table.finish()
        if table.failed > 0 { throw ExitCode(1) }
    }

    private var chosenScenarios: [Scenario] {
        scenarios.isEmpty ? Scenarios.all : scenarios.compactMap(Scenarios.named)
    }

    private func printList() {
        for scenario in Scenarios.all {
            print(scenario.id)
            print("    \(scenario.summary)")
            if let obstacle = scenario.obstacle() { print("    cannot run here: \(obstacle)") }
        }
    }
}

/// A child process of `selftest` that owns sockets.
struct SelftestActorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "selftest-actor", shouldDisplay: false)

    func run() { Actor.main() }
}

import Foundation
import Glibc
import Laboratory
import NetworkTypes
import Selftest

// What the tests need separate processes for:
//   SelftestRunner actor                 the child process of a scenario
//   SelftestRunner run ID IP [COUNT]     runs the scenario in its lab and lists its resets, COUNT times
//   SelftestRunner all IP                runs every scenario and lists what it expects of each reset, by tabs
//   SelftestRunner leftovers             builds every lab, fails in one, and lists what is left behind: nothing
//   SelftestRunner hold                  builds a lab with a child in it, lists its namespaces, and waits

let actor = ActorCommand(path: "/proc/self/exe", arguments: ["actor"])

/// Threads, descriptors and children of this process.
func holdings() -> Set<String> {
    func list(_ path: String) -> [String] { (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] }
    let descriptors = list("/proc/self/fd").compactMap { number in
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(number)")).map {
            "\(number) \($0)"
        }
    }
    let threads = list("/proc/self/task").map { "thread \($0)" }
    let children = list("/proc/self/task").flatMap { task in
        ((try? String(contentsOfFile: "/proc/self/task/\(task)/children", encoding: .utf8)) ?? "").split(separator: " ")
    }
    return Set(descriptors + threads + children.map { "child \($0)" })
}

func run(_ scenario: Scenario, _ version: IPVersion) throws -> [ExpectedReset] {
    let lab = try Lab(for: scenario, ipVersion: version, actor: actor)
    defer { lab.close() }
    return try scenario.run(in: lab)
}

/// What a report is compared with: id, tuple, cause, outcome, reason, state, role, pid, hook, ending, netns.
func line(_ scenario: Scenario, _ reset: ExpectedReset) -> String {
    let tuple = reset.tuple
    let fields: [Any?] = [
        scenario.id, "\(tuple.source) \(tuple.sourcePort) \(tuple.destination) \(tuple.destinationPort)", reset.cause,
        reset.outcome.rawValue, reset.reason, reset.state?.name,
        reset.role.rawValue + (reset.processIsOptional ? "?" : ""), reset.pid, reset.netfilterHook,
        reset.ending?.rawValue, reset.netns,
        reset.bystanders.map(String.init).joined(separator: ","), reset.owner,
        reset.alternatives.joined(separator: ","),
    ]
    return fields.map { $0.map { "\($0)" } ?? "-" }.joined(separator: "\t")
}

let arguments = CommandLine.arguments.dropFirst()
switch arguments.first {
case "actor": Actor.main()
case "run":
    let words = Array(arguments.dropFirst())
    guard words.count >= 2, let version = IPVersion.allCases.first(where: { "\($0)" == "IPv\(words[1])" }) else {
        fatalError("usage: run ID 4|6 [COUNT]")
    }
    guard let scenario = words[0] == "burst" ? Scenarios.burst(count: 10_000) : Scenarios.named(words[0]) else {
        fatalError("no scenario \(words[0])")
    }
    for _ in 0..<(words.count > 2 ? Int(words[2]) ?? 1 : 1) {
        for reset in try run(scenario, version) {
            print(
                reset.cause, reset.tuple.source, reset.tuple.sourcePort, ">", reset.tuple.destination,
                reset.tuple.destinationPort)
        }
    }
case "all":
    let version: IPVersion = arguments.dropFirst().first == "6" ? .v6 : .v4
    for scenario in Scenarios.all where scenario.ipVersions.contains(version) {
        do {
            if let obstacle = scenario.obstacle(allowing: getenv("RST_ANALYZE_HOST_WIDE") != nil) {
                throw LabError.unsupported(obstacle)
            }
            for reset in try run(scenario, version) { print(line(scenario, reset)) }
        } catch {
            print("#", scenario.id, error)
        }
    }
case "leftovers":
    // What other tests had open when they started this one is theirs, and changes.
    for descriptor in Int32(3)..<1024 { close(descriptor) }
    // Whatever a first lab starts permanently (such as a queue of the runtime) must exist before counting.
    Lab.withEach { _ in }
    let before = holdings()
    Lab.withEach { lab in print("built", lab.topology, lab.ipVersion) }
    for id in ["abort-on-close-killed", "netfilter-reject-nft-input"] {
        if let scenario = Scenarios.named(id) { for version in scenario.ipVersions { _ = try? run(scenario, version) } }
    }
    for line in holdings().subtracting(before) where !line.hasSuffix("/proc/self/fd") { print("left", line) }
    print("done")
case "hold":
    let lab = try Lab(topology: .pair, ipVersion: .v4, actor: actor)
    let child = try lab.startBystander()
    for point in lab.captures { print("netns", point.netns) }
    print("child", child.pid)
    fflush(nil)
    pause()
default: fatalError("usage: actor | run | leftovers | hold")
}

extension Lab {
    static func withEach(_ body: (Lab) -> Void) {
        for topology in Topology.allCases {
            for version in IPVersion.allCases {
                guard let lab = try? Lab(topology: topology, ipVersion: version, capturingLoopback: true, actor: actor)
                else {
                    print("left nothing: no lab", topology, version)
                    continue
                }
                body(lab)
                lab.close()
            }
        }
    }
}

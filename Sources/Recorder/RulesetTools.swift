import Glibc
import KernelEvents

/// Runs the programs that print the rules of a network namespace.
enum RulesetTools {
    /// Longer output is not recorded: what it says is known only with all of it.
    static let longest = 2 << 20
    /// Milliseconds that a program may take.
    private static let patience: Int64 = 3000

    /// What the programs say of the calling thread's namespace. Only those that have something to say are run.
    static func rulesets(netns: UInt32, isUsingTables: Bool) -> [Ruleset] {
        var found: [Ruleset] = []
        func add(_ tool: Ruleset.Tool, _ output: Result<String, Problem>) {
            var ruleset = Ruleset(tool: tool, netns: netns, monotonic: clockNanoseconds(CLOCK_MONOTONIC))
            switch output {
            case .success(let text): ruleset.content = text
            case .failure(let problem): ruleset.problem = problem.text
            }
            found.append(ruleset)
        }
        if isUsingTables {
            let rules = run(["nft", "-s", "-j", "list", "ruleset"])
            add(.nft, rules)
            let text = (try? rules.get()) ?? ""
            if text.contains("\"reject\"") {
                found[0].listing = try? run(["nft", "-s", "-a", "list", "ruleset"]).get()
            }
            // What iptables made is opaque to nft.
            if text.contains("\"xt\"") || text.isEmpty {
                add(.iptables, run(["iptables-nft-save"]))
                add(.ip6tables, run(["ip6tables-nft-save"]))
            }
        }
        // Asking for tables that nobody has would make them.
        if !legacyTables(ofIPv6: false).isEmpty { add(.legacyIptables, run(["iptables-legacy-save"])) }
        if !legacyTables(ofIPv6: true).isEmpty { add(.legacyIp6tables, run(["ip6tables-legacy-save"])) }
        // What changes from one reading to the next without a change of the rules.
        for index in found.indices where found[index].tool != .nft {
            found[index].content = found[index].content.map(withoutCounters)
        }
        return found
    }

    /// The names of the legacy tables that the calling thread's namespace has.
    static func legacyTables(ofIPv6 isIPv6: Bool) -> [UInt8] {
        readFile("/proc/thread-self/net/\(isIPv6 ? "ip6" : "ip")_tables_names")
    }

    private static func withoutCounters(_ text: String) -> String {
        text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
            // `:INPUT ACCEPT [10:600]`
            line.hasPrefix(":") ? line.prefix { $0 != "[" } : line
        }.joined(separator: "\n")
    }

    struct Problem: Error { var text: String }

    /// Where a program is; nil if it is not installed.
    static func path(_ name: String) -> String? {
        ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin"].map { "\($0)/\(name)" }.first {
            access($0, X_OK) == 0
        }
    }

    private static func run(_ words: [String]) -> Result<String, Problem> {
        guard let path = path(words[0]) else { return .failure(Problem(text: "\(words[0]) is not installed")) }
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return .failure(Problem(text: "\(words[0]): no pipe")) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Ctrl-C is for the recorder.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        var arguments = words.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let status = posix_spawn(&pid, path, &actions, &attributes, arguments, environ)
        close(ends[1])
        guard status == 0 else {
            return .failure(Problem(text: "\(words[0]) cannot be run: \(String(cString: strerror(status)))"))
        }
        let output = read(ends[0])
        if output == nil { kill(pid, SIGKILL) }
        var end: Int32 = 0
        while waitpid(pid, &end, 0) < 0, errno == EINTR {}
        guard let output else {
            return .failure(Problem(text: "\(words[0]) took too long, or printed more than \(longest >> 20) MiB"))
        }
        guard end == 0 else { return .failure(Problem(text: "\(words[0]) failed (status \(end >> 8 & 0xff))")) }
        return .success(String(decoding: output, as: UTF8.self))
    }

    /// To the end; nil if that is too far.
    private static func read(_ descriptor: Int32) -> [UInt8]? {
        let deadline = clockNanoseconds(CLOCK_MONOTONIC) / 1_000_000 + patience
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while output.count <= longest {
            let left = deadline - clockNanoseconds(CLOCK_MONOTONIC) / 1_000_000
            var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard left > 0, Glibc.poll(&poll, 1, Int32(left)) >= 0 || errno == EINTR else { return nil }
            guard poll.revents != 0 else { continue }
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return count == 0 ? output : nil }
            output += chunk[..<count]
        }
        return nil
    }
}

import Correlator
import Glibc
import KernelEvents
import Laboratory
import NetworkTypes
import Selftest

/// Compares what a scenario caused with what the report says.
struct Comparison {
    /// Entries of the lab's own namespaces; the hooks see the whole host.
    private var remaining: [Reset]
    private var refusals: [ICMPRefusal]
    /// Those that were expected.
    private(set) var ended: [ICMPRefusal] = []
    /// Whether the kernel's events show if a segment that was answered met a socket.
    private let reportsSocketlessResets: Bool
    /// The report names no cause because none can be proven, but has the right one among its candidates.
    private(set) var isAmbiguous = false
    private(set) var differences: [String] = []
    private(set) var pairs: [(expected: ExpectedReset, got: Reset)] = []

    init(_ report: Report, netns: Set<UInt32>, reportsSocketlessResets: Bool = true) {
        self.reportsSocketlessResets = reportsSocketlessResets
        refusals = report.refusals
        remaining = report.resets.filter { reset in
            !reset.sightings.isEmpty || reset.netns.map(netns.contains) == true
                || reset.receiver?.location?.netns.map(netns.contains) == true
        }
    }

    mutating func run(_ expected: [ExpectedReset]) {
        // By four-tuple, equal ones in their order: a bulk scenario has thousands.
        var byTuple: [FourTuple: [Reset]] = Dictionary(grouping: remaining, by: \.tuple)
        for reset in expected {
            if let refusal = reset.refusal {
                compare(refusal, reset.tuple)
                continue
            }
            let tuples = [reset.tuple] + reset.alsoSeenAs
            guard let tuple = tuples.first(where: { byTuple[$0]?.isEmpty == false }),
                let got = byTuple[tuple]?.removeFirst()
            else {
                differences.append("no entry for \(describe(reset.tuple)), expected \(reset.cause)")
                continue
            }
            pairs.append((reset, got))
            compare(reset, got)
        }
        for reset in byTuple.values.joined().sorted(by: { $0.id < $1.id }) {
            differences.append("not expected: \(describe(reset.tuple)) \(reset.cause.rawValue)")
        }
    }

    private mutating func compare(_ expected: ExpectedReset.Refusal, _ tuple: FourTuple) {
        func isIts(_ refusal: ICMPRefusal) -> Bool { refusal.tuple == tuple }
        guard let place = refusals.firstIndex(where: isIts) else {
            differences.append("no end by ICMP for \(describe(tuple))")
            return
        }
        let got = refusals.remove(at: place)
        ended.append(got)
        if refusals.contains(where: isIts) { differences.append("a second end by ICMP for \(describe(tuple))") }
        func compare<Value: Equatable>(_ what: String, _ wanted: Value, _ have: Value?) {
            if wanted != have {
                differences.append(
                    "\(describe(tuple)): \(what) is \(have.map { "\($0)" } ?? "not told"), expected \(wanted)")
            }
        }
        compare("certainty", .proven, got.certainty)
        compare("errno", UInt16(expected.errno), got.errno)
        compare("process", expected.pid, got.process?.pid)
        compare("state", .synSent, got.state)
        compare("ICMP type", expected.type, got.message?.type)
        compare("ICMP code", expected.code, got.message?.code)
        compare("who sent it", expected.sender, got.message?.sender)
    }

    private mutating func compare(_ expected: ExpectedReset, _ got: Reset) {
        let place = describe(expected.tuple)
        func differ(_ what: String, _ wanted: String, _ have: String) {
            differences.append("\(place): \(what) is \(have), expected \(wanted)")
        }
        let accepted = [expected.cause] + expected.alternatives
        let isProven =
            !expected.isNeverProven
            && (expected.isProven || reportsSocketlessResets && expected.outcome != .wireOnly)
        // For a RST without a kernel event, the packets may suggest more than that it was received.
        let isJudgedByPackets = expected.outcome == .wireOnly && got.outcome == .wireOnly
        if !isProven, !isJudgedByPackets, got.cause == .unknown,
            got.candidates.contains(where: { accepted.contains($0.rawValue) })
        {
            isAmbiguous = true
        } else if !isJudgedByPackets, !accepted.contains(got.cause.rawValue) {
            differ("cause", expected.cause, got.cause.rawValue)
        }
        if !isProven {
            if got.certainty == .proven { differ("certainty", "not proven", "proven") }
        } else if got.certainty != .proven {
            differ("certainty", "proven", got.certainty.rawValue)
        }
        if got.outcome.rawValue != expected.outcome.rawValue {
            differ("outcome", expected.outcome.rawValue, got.outcome.rawValue)
        }
        if expected.outcome != .kernelOnly, got.sightings.isEmpty { differ("sightings", "one at least", "none") }
        if expected.outcome == .matched, !expected.alsoSeenAs.isEmpty {
            let seen = got.sightings.map { $0.translated ?? got.tuple }
            for tuple in [expected.tuple] + expected.alsoSeenAs where !seen.contains(tuple) {
                differ("sightings", "one as \(describe(tuple))", "none")
            }
        }
        if let hook = expected.netfilterHook, got.path?.netfilterHook != hook {
            differ("hook", hook, got.path?.netfilterHook ?? "not named")
        }
        if let rules = expected.rules {
            let texts = got.firewall?.rules.map(\.text) ?? []
            let fit = texts.count == rules.count && zip(texts, rules).allSatisfy { $0.contains($1) }
            if !fit || got.firewall?.isCertain != (rules.count == 1 && expected.rulesAreRead) {
                differ(
                    "rule", rules.joined(separator: " or "),
                    "\(texts.joined(separator: " or ")), \(got.firewall?.doubt ?? "certain")")
            }
        }
        if let ending = expected.ending, let release = got.path?.release, release != ending.release {
            differ("release", ending.release, release)
        }
        if let state = expected.state, got.state != state, isProven || got.state != nil {
            differ("state", state.name, got.state?.name ?? "not named")
        }
        if let reason = expected.reason, let named = got.reason, named != reason { differ("reason", reason, named) }
        // Without the kernel's proof there is no decision event, and only that knows about listeners.
        let isTold = expected.factSince.flatMap { since in KernelVersion.running.map { $0 >= since } } ?? true
        if let words = expected.words, isTold, expected.isProven, !got.summary.contains(words) {
            differ("sentence", "one with \"\(words)\"", got.summary)
        }
        if let fact = expected.fact, isTold, expected.isProven,
            !got.evidence.contains(where: { $0.fact.contains(fact) })
        {
            differ("evidence", "\"\(fact)\"", got.evidence.map(\.fact).joined(separator: "; "))
        }
        if expected.isProven, got.untranslated != expected.untranslated {
            differ(
                "before NAT", expected.untranslated.map(describe) ?? "nothing",
                got.untranslated.map(describe) ?? "nothing")
        }
        if let cgroup = expected.cgroup, got.location?.cgroup != cgroup {
            differ("cgroup", cgroup, got.location?.cgroup ?? "not named")
        }
        if let sentence = expected.sentence, isProven, !got.summary.contains(sentence) {
            differ("sentence", sentence, got.summary)
        }
        if let end = expected.end { compare(end, got.end, differ) }
        if let receiver = expected.receiver { compare(receiver, got.receiver, differ) }
        if let ignored = expected.ignored { compare(ignored, got.receiver, differ) }
        compareProcess(expected, got, differ)
    }

    private func compare(
        _ expected: ExpectedReset.ConnectionEnd, _ got: ConnectionEnd?, _ differ: (String, String, String) -> Void
    ) {
        guard let got else { return differ("end", expected.how, "not told") }
        let ending = got.ending
        if ending.how.rawValue != expected.how { differ("end", expected.how, ending.how.rawValue) }
        func compare<Value: Equatable>(_ what: String, _ wanted: Value?, _ have: Value?) {
            if let wanted, wanted != have { differ(what, "\(wanted)", have.map { "\($0)" } ?? "not told") }
        }
        compare("who ended it", expected.pid, ending.process?.pid)
        compare("the name of who ended it", expected.comm, ending.process?.comm)
        compare("whose connection it was", expected.owner, ending.owner?.pid)
        compare("signal", expected.signal, ending.signal)
        compare("errno", expected.errno, ending.errno)
        // The kernel rounds down to whole jiffies, of at most 10 ms.
        if expected.leastIdle > 0, (ending.idle ?? 0) < (expected.leastIdle - 20) * 1_000_000 {
            differ("idle", "\(expected.leastIdle) ms", ending.idle.map { "\($0) ns" } ?? "not told")
        }
        if expected.leastIdle > 0, let idle = ending.idle, idle > (expected.leastIdle + 20_000) * 1_000_000 {
            differ("idle", "\(expected.leastIdle) ms", "\(idle) ns")
        }
        if got.age < expected.leastAge * 1_000_000 { differ("age", "\(expected.leastAge) ms", "\(got.age) ns") }
    }

    private func compare(
        _ expected: ExpectedReset.Receiver, _ got: Reset.Receiver?, _ differ: (String, String, String) -> Void
    ) {
        guard let got else { return differ("receiver", "\(expected.pid)", "not told") }
        func compare<Value: Equatable>(_ what: String, _ wanted: Value?, _ have: Value?) {
            if wanted != have { differ(what, wanted.map { "\($0)" } ?? "none", have.map { "\($0)" } ?? "none") }
        }
        compare("receiver", expected.pid, got.process?.pid)
        compare("its state", expected.state, got.state)
        compare("its error", expected.errno.map(UInt16.init), got.reception.errno)
        if let waiting = expected.waiting { compare("how it waits", waiting, got.reception.wait?.rawValue) }
        if let bytes = expected.unacknowledged { compare("bytes on the way", bytes, got.reception.unacknowledged) }
        if let bytes = expected.unread { compare("bytes unread", bytes, got.reception.unread) }
    }

    private func compare(
        _ expected: ExpectedReset.Ignored, _ got: Reset.Receiver?, _ differ: (String, String, String) -> Void
    ) {
        guard KernelVersion.running.map({ $0 >= ExpectedReset.Ignored.since }) == true else {
            if let got { differ("receiver", "nobody", got.sentence) }
            return
        }
        guard let got else { return differ("receiver", "one that ignores it", "not told") }
        if got.reception.fate != .ignored { differ("fate", "ignored", got.sentence) }
        if !expected.reasons.contains(got.reason ?? "") {
            differ("why it is ignored", expected.reasons.joined(separator: " or "), got.reason ?? "not told")
        }
        let namesOwner = KernelVersion.running.map { $0 >= ExpectedReset.Ignored.ownerSince } == true
        let pid = namesOwner ? expected.pid : nil
        if got.process?.pid != pid {
            differ("whose socket", pid.map(String.init) ?? "nobody's", got.process?.pid.map(String.init) ?? "nobody's")
        }
    }

    private func compareProcess(
        _ expected: ExpectedReset, _ got: Reset, _ differ: (String, String, String) -> Void
    ) {
        let named = describe(got.process)
        for process in [got.process, got.owner] {
            if let pid = process?.pid, expected.bystanders.contains(pid) { differ("process", "no bystander", named) }
        }
        if expected.processIsOptional, got.process == nil { return }
        switch expected.role {
        case .none:
            if let process = got.process, process.role != .none { differ("process", "nobody", named) }
        case .owner, .killer, .closer:
            guard let process = got.process, process.role.rawValue == expected.role.rawValue,
                expected.pid == nil || expected.pid == process.pid || isOwnTool(process, of: expected.pid)
            else {
                differ("process", "\(expected.role.rawValue) \(expected.pid.map(String.init) ?? "")", named)
                return
            }
        }
        if let comm = expected.comm, got.process?.comm != comm { differ("name", comm, got.process?.comm ?? "not told") }
        if let thread = expected.thread, got.process?.thread != thread {
            differ("thread", thread, got.process?.thread ?? "not told")
        }
        if let owner = expected.owner, got.owner?.pid != owner { differ("owner", "\(owner)", describe(got.owner)) }
    }

    /// The recorder runs in this process here: a firewall tool that it is about to run has the sockets of this process until it
    /// has called exec, and for that moment may be the only one to have a socket that was closed here.
    private func isOwnTool(_ process: Reset.Process, of pid: Int32?) -> Bool {
        let tools = ["nft", "iptables-nft", "ip6tables-nft", "iptables-legac", "ip6tables-legac"]
        return pid == getpid() && process.role == .owner && tools.contains { process.comm?.hasPrefix($0) == true }
    }

    private func describe(_ process: Reset.Process?) -> String {
        guard let process, let pid = process.pid else { return "nobody" }
        return "\(process.role.rawValue) \(pid) (\(process.comm ?? ""))"
    }

    private func describe(_ tuple: FourTuple) -> String {
        "\(tuple.source).\(tuple.sourcePort) > \(tuple.destination).\(tuple.destinationPort)"
    }
}

extension ExpectedReset.Ending {
    /// In the report's words.
    fileprivate var release: String {
        switch self {
        case .close: "the process called close()"
        case .exit: "the process exited"
        case .kill: "the process was killed"
        }
    }
}

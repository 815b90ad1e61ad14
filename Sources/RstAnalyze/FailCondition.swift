import ArgumentParser
import Correlator

/// A condition under which a command exits with status 3: there are RSTs with a certain cause, or connections that ICMP errors
/// ended.
struct FailCondition {
    let typed: String
    private let causes: Set<Cause>
    private let countsRefusals: Bool
    /// What has less certainty does not count.
    private let least: Certainty
    /// How many are tolerated.
    private let tolerated: Int

    /// Reads `WHAT[@CERTAINTY][>COUNT]`; WHAT is a cause, a category, or any.
    init(_ typed: String) throws {
        self.typed = typed
        let counted = typed.split(separator: ">", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        tolerated = counted.count == 2 ? try number(counted[1], "a count, as in \"abort-on-close>10\"") : 0
        let parts = counted[0].split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        least = parts.count == 2 ? try word(parts[1], "a certainty") : .unknown
        let words = parts[0] == "any" ? nil : try CauseWords(parts[0])
        causes = words?.causes ?? Set(Cause.allCases)
        countsRefusals = words?.takesRefusals ?? false
    }

    /// Reads several, separated by commas.
    static func list(_ typed: String) throws -> [FailCondition] { try parts(typed).map(FailCondition.init) }

    struct Met {
        fileprivate(set) var resets = 0
        fileprivate(set) var refusals = 0
        /// The first of them.
        fileprivate(set) var firstResets: [ResetRow] = []
        fileprivate(set) var firstRefusals: [ICMPRefusal] = []
    }

    /// What meets the condition; nil if there is not enough of it.
    ///
    /// - Parameter most: how many of each kind to return at most.
    func met(by report: Report, most: Int) -> Met? {
        var met = Met()
        for row in report.resets.rows where causes.contains(row.cause) && row.certainty >= least {
            met.resets += 1
            if met.firstResets.count < most { met.firstResets.append(row) }
        }
        if countsRefusals {
            let counted = report.refusals.filter { $0.certainty >= least }
            met.refusals = counted.count
            met.firstRefusals = Array(counted.prefix(most))
        }
        return met.resets + met.refusals > tolerated ? met : nil
    }
}

extension Certainty {
    /// Whether it is at least as certain.
    fileprivate static func >= (a: Certainty, b: Certainty) -> Bool {
        a == b || a == .proven || b == .unknown
    }
}

import ArgumentParser
import Correlator

/// A condition under which a command exits with status 3: there are RSTs with a certain cause.
struct FailCondition {
    let typed: String
    private let causes: Set<Cause>
    /// RSTs with less certainty do not count.
    private let least: Certainty
    /// The number of RSTs that is tolerated.
    private let tolerated: Int

    /// Reads `WHAT[@CERTAINTY][>COUNT]`; WHAT is a cause, a category, or any.
    init(_ typed: String) throws {
        self.typed = typed
        let counted = typed.split(separator: ">", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        tolerated = counted.count == 2 ? try number(counted[1], "a count, as in \"abort-on-close>10\"") : 0
        let parts = counted[0].split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        least = parts.count == 2 ? try word(parts[1], "a certainty") : .unknown
        causes = parts[0] == "any" ? Set(Cause.allCases) : Set(try parsedCauses(parts[0]))
    }

    /// Reads several, separated by commas.
    static func list(_ typed: String) throws -> [FailCondition] { try parts(typed).map(FailCondition.init) }

    /// The RSTs that meet the condition; nil if there are not enough of them.
    ///
    /// - Parameter most: how many of them to return at most.
    func met(by resets: ResetList, most: Int) -> (count: Int, first: [ResetRow])? {
        var count = 0
        var first: [ResetRow] = []
        for row in resets.rows where causes.contains(row.cause) && row.certainty >= least {
            count += 1
            if first.count < most { first.append(row) }
        }
        return count > tolerated ? (count, first) : nil
    }
}

extension Certainty {
    /// Whether it is at least as certain.
    fileprivate static func >= (a: Certainty, b: Certainty) -> Bool {
        a == b || a == .proven || b == .unknown
    }
}

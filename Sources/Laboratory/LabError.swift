import Glibc

/// What can go wrong while a scenario is set up or provoked.
public enum LabError: Error, Sendable, Equatable {
    /// A system call failed; `subject` is what it was about.
    case system(call: String, subject: String, errno: Int32)
    /// A command ended with a status other than 0; `output` is its standard output and error.
    case command(line: String, status: Int32, output: String)
    /// Something that was expected did not happen in time.
    case timeout(String)
    /// This machine cannot do what the scenario needs: the scenario is skipped, not failed.
    case unsupported(String)
    /// The child process answered something unexpected.
    case actor(String)
}

extension LabError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .system(let call, let subject, let errno):
            "\(call)\(subject.isEmpty ? "" : " \(subject)"): \(String(cString: strerror(errno)))"
        case .command(let line, let status, let output): "`\(line)` ended with status \(status): \(output)"
        case .timeout(let what): "no \(what) in time"
        case .unsupported(let why): why
        case .actor(let what): "child process: \(what)"
        }
    }
}

/// Throws the errno of a call that reports failure as a negative number.
@discardableResult
package func check<Result: SignedInteger>(_ result: Result, _ call: String, _ subject: String = "") throws -> Result {
    guard result >= 0 else { throw LabError.system(call: call, subject: subject, errno: errno) }
    return result
}

/// A point in time by which a wait must end (CLOCK_MONOTONIC).
package struct Deadline {
    private let end: Int64

    package init(milliseconds: Int64) {
        end = Deadline.now() + milliseconds * 1_000_000
    }

    /// The time left, rounded up, as poll(2) takes it; 0 once it has passed.
    package var remainingMilliseconds: Int32 {
        Int32(clamping: max(0, (end - Deadline.now() + 999_999) / 1_000_000))
    }

    package var hasPassed: Bool { Deadline.now() >= end }

    /// CLOCK_MONOTONIC in nanoseconds.
    package static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// How long anything that should happen at once may take on a busy machine, milliseconds.
    package static let patience: Int64 = 10_000
}

/// Polls the condition every millisecond until it holds.
package func wait(for what: String, milliseconds: Int64 = Deadline.patience, until condition: () throws -> Bool) throws
{
    let deadline = Deadline(milliseconds: milliseconds)
    while try !condition() {
        if deadline.hasPassed { throw LabError.timeout(what) }
        usleep(500)
    }
}

/// Why a recording could not be started, or broke off.
public struct RecorderError: Error, Equatable, CustomStringConvertible {
    /// What was tried, what went wrong, and what to do about it.
    public var description: String

    init(_ description: String) { self.description = description }
}

/// A user and a group by their numbers.
public struct FileOwner: Sendable, Equatable {
    public var user: UInt32
    public var group: UInt32
    public init(user: UInt32, group: UInt32) {
        self.user = user
        self.group = group
    }
}

/// Where one of a recording's two streams goes.
public enum RecordingOutput: Sendable, Equatable {
    /// A regular file, which is made or replaced. Links, pipes and devices are refused: whoever can write to the directory may
    /// have put them there.
    case file(String)
    /// A descriptor of the caller's, such as a pipe or standard output; it is duplicated.
    case descriptor(Int32, name: String)

    /// Standard output.
    public static let standardOutput = Self.descriptor(1, name: "standard output")

    /// What messages call it.
    public var name: String {
        switch self {
        case .file(let path): path
        case .descriptor(_, let name): name
        }
    }
}

import Laboratory

/// The first two numbers of a kernel release, such as 6.12.
public struct KernelVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let major: Int
    public let minor: Int

    public init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// The running kernel; nil if its release does not begin with two numbers.
    public static let running: KernelVersion? = {
        let release = File.read("/proc/sys/kernel/osrelease") ?? ""
        let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        return numbers.count == 2 ? KernelVersion(numbers[0], numbers[1]) : nil
    }()

    public static func < (a: KernelVersion, b: KernelVersion) -> Bool { (a.major, a.minor) < (b.major, b.minor) }

    public var description: String { "\(major).\(minor)" }
}

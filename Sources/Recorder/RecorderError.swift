import Glibc

/// Why a recording could not be started, or broke off.
public enum RecorderError: Error, Equatable, CustomStringConvertible {
    /// The BPF programs cannot be loaded or attached; the reason says what to do about it.
    case noHooks(reason: String)
    /// Nothing can be captured on an interface any more, or from the start.
    case noCapture(interface: String, reason: String)
    /// There is no such interface, or it is down.
    case noInterface(interface: String, reason: String)
    /// An interface that was captured on is gone.
    case interfaceLost(interface: String, reason: String)
    /// libpcap does not accept the filter expression.
    case invalidFilter(expression: String, interface: String, reason: String)
    /// A filter that is valid cannot be installed.
    case filterRefused(interface: String, reason: String)
    case cannotEnterNamespace(path: String, reason: String)
    case cannotWrite(path: String, reason: String)
    /// The scope names more of something than the BPF programs have room for.
    case scopeTooLarge(count: Int, of: String, limit: Int)

    /// What was tried, what went wrong, and what to do about it.
    public var description: String {
        switch self {
        case .noHooks(let reason): reason
        case .noCapture(let interface, let reason), .noInterface(let interface, let reason):
            "cannot capture on \(interface): \(reason)"
        case .interfaceLost(let interface, let reason): "\(interface): \(reason)"
        case .invalidFilter(let expression, let interface, let reason):
            "the filter \"\(expression)\" is not valid on \(interface): \(reason)"
        case .filterRefused(let interface, let reason): "cannot set the filter on \(interface): \(reason)"
        case .cannotEnterNamespace(let path, let reason): "cannot enter the network namespace \(path): \(reason)"
        case .cannotWrite(let path, let reason): "cannot write \(path): \(reason)"
        case .scopeTooLarge(let count, let what, let limit): "\(count) \(what) are too many to record: at most \(limit)"
        }
    }

    /// Whether what is missing may yet come.
    var isOfAbsence: Bool {
        switch self {
        case .noInterface, .interfaceLost, .cannotEnterNamespace: true
        default: false
        }
    }

    /// The text of the calling thread's errno.
    static var systemReason: String { String(cString: strerror(errno)) }
}

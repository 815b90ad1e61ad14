import Glibc
import HostFiles
import Recorder

/// What this process may do (capabilities(7)).
enum Privileges {
    /// A capability that recording needs, and the one of old that includes it.
    private struct Needed {
        let name: String
        let number: Int
        var substitute: Int?
    }

    private static let systemAdministration = 21

    /// In the order of their numbers: of a raw socket, of conntrack and rulesets, of names of functions, of BPF programs.
    private static let needed = [
        Needed(name: "CAP_NET_ADMIN", number: 12),
        Needed(name: "CAP_NET_RAW", number: 13),
        Needed(name: "CAP_SYSLOG", number: 34),
        Needed(name: "CAP_PERFMON", number: 38, substitute: systemAdministration),
        Needed(name: "CAP_BPF", number: 39, substitute: systemAdministration),
    ]

    /// The names of those that the process lacks.
    ///
    /// - Parameters:
    ///   - effective: the bits of `CapEff` in /proc/self/status.
    ///   - captures: whether packets are captured, too.
    static func missing(from effective: UInt64, captures: Bool) -> [String] {
        func has(_ number: Int?) -> Bool { number.map { effective >> UInt64($0) & 1 == 1 } ?? false }
        return needed.filter { capability in
            (captures || capability.name != "CAP_NET_RAW") && !has(capability.number) && !has(capability.substitute)
        }.map(\.name)
    }

    /// The effective capabilities; nil if /proc does not tell.
    private static var effective: UInt64? {
        let lines = String(decoding: contents(ofFile: "/proc/self/status") ?? [], as: UTF8.self).split(separator: "\n")
        let line = lines.first { $0.hasPrefix("CapEff:") }
        return line?.split(whereSeparator: \.isWhitespace).last.flatMap { UInt64($0, radix: 16) }
    }

    /// Why a recorder cannot begin, and what to do about it.
    static func explain(_ error: RecorderError, _ options: RecorderOptions) -> String {
        switch error {
        case .noHooks, .noCapture, .cannotEnterNamespace: break
        default: return error.description
        }
        let missing = effective.map { Self.missing(from: $0, captures: !options.interfaces.isEmpty) } ?? []
        guard !missing.isEmpty else { return error.description }
        let words = missing.map { $0.lowercased() }.joined(separator: ",")
        let names = missing.joined(separator: " ")
        return """
            \(error.description); this process lacks \(missing.joined(separator: ", ")). Run it as root (sudo), or give it \
            what it needs: setcap \(words)+ep PROGRAM; in a systemd unit, AmbientCapabilities=\(names); in a container, \
            \(missing.map { "--cap-add \($0.dropFirst(4))" }.joined(separator: " "))
            """
    }
}

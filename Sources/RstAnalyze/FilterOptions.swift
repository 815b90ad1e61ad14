import ArgumentParser
import Correlator
import Glibc
import NetworkTypes
import Reporting

/// Which RSTs are wanted, by options that all commands share. Of an option that is repeated, or that has several values
/// separated by commas, any value may match; different options must all match.
struct FilterOptions: ParsableArguments {
    @Option(
        name: .customLong("host"),
        help: ArgumentHelp("Only RSTs from or to this address or network.", valueName: "addr[/len]"),
        transform: Prefixes.init)
    var hosts: [Prefixes] = []

    @Option(
        name: .customLong("src"),
        help: ArgumentHelp("Only RSTs from this address or network.", valueName: "addr[/len]"),
        transform: Prefixes.init)
    var sources: [Prefixes] = []

    @Option(
        name: .customLong("dst"), help: ArgumentHelp("Only RSTs to this address or network.", valueName: "addr[/len]"),
        transform: Prefixes.init)
    var destinations: [Prefixes] = []

    @Option(
        name: .customLong("port"),
        help: ArgumentHelp(
            "Only RSTs with this port, or a port in this range, at either end.", valueName: "port[-port]"),
        transform: Ports.init)
    var ports: [Ports] = []

    @Option(
        help: ArgumentHelp(
            """
            Only RSTs at or after this time: 14:30 or "2026-11-20 14:30:05" (in the zone of --tz), RFC 3339, @SECONDS since \
            1970, +1m30s (after the first RST), or -10m (before the last one, written --since=-10m).
            """, valueName: "time"), transform: TimeBound.init)
    var since: TimeBound?

    @Option(help: ArgumentHelp("Only RSTs before this time.", valueName: "time"), transform: TimeBound.init)
    var until: TimeBound?

    @Option(
        name: .customLong("cause"),
        help: ArgumentHelp(
            """
            Only RSTs with these causes or categories, as in abort-on-close,refused; icmp-refused: connections that ICMP \
            errors ended. "rst-analyze explain" lists them all.
            """, valueName: "causes"), transform: CauseWords.init)
    var causes: [CauseWords] = []

    @Flag(name: .customLong("or-candidate"), help: "With --cause, also RSTs that have the cause as a candidate.")
    var orCandidate = false

    @Option(
        name: .customLong("certainty"),
        help: ArgumentHelp("Only RSTs with this certainty: proven, inferred or unknown.", valueName: "words"),
        transform: { try words($0, "a certainty", Certainty.self) })
    var certainties: [[Certainty]] = []

    @Option(
        name: .customLong("direction"),
        help: ArgumentHelp(
            "Only RSTs with this direction, as the recorded hosts see it: sent, received or forwarded.",
            valueName: "words"),
        transform: { try words($0, "a direction", Direction.self) })
    var directions: [[Direction]] = []

    @Option(
        name: .customLong("process"),
        help: ArgumentHelp(
            "Only RSTs of a process with this name; * matches any text, ? any character.", valueName: "name"))
    var processes: [String] = []

    @Option(
        name: .customLong("pid"), help: ArgumentHelp("Only RSTs of the process with this PID.", valueName: "number"),
        transform: { try parts($0).map { try number($0, "a process ID") } })
    var pids: [[Int32]] = []

    @Option(
        name: .customLong("container"),
        help: ArgumentHelp(
            """
            Only RSTs of this container: its name (namespace/pod/name, namespace/pod or pod in Kubernetes; * and ? allowed), or \
            at least four digits of the beginning of its ID.
            """, valueName: "name"))
    var containers: [String] = []

    @Option(
        name: .customLong("unit"),
        help: ArgumentHelp("Only RSTs of this systemd unit, with or without .service.", valueName: "name"))
    var units: [String] = []

    @Option(
        name: .customLong("netns"),
        help: ArgumentHelp(
            "Only RSTs of this network namespace: an inode number, a name (ip netns), or own for the recorder's own.",
            valueName: "namespace"))
    var namespaces: [String] = []

    /// The conditions as they were typed, one string for each.
    var typed: [String] {
        var typed: [String] = []
        func add(_ option: String, _ words: [String]) { typed += words.map { "--\(option) \($0)" } }
        add("host", hosts.map(\.typed))
        add("src", sources.map(\.typed))
        add("dst", destinations.map(\.typed))
        add("port", ports.map(\.typed))
        add("since", since.map { [$0.typed] } ?? [])
        add("until", until.map { [$0.typed] } ?? [])
        add("cause", causes.map(\.typed))
        if orCandidate { typed.append("--or-candidate") }
        add("certainty", certainties.map { $0.map(\.rawValue).joined(separator: ",") })
        add("direction", directions.map { $0.map(\.rawValue).joined(separator: ",") })
        add("process", processes)
        add("pid", pids.map { $0.map(String.init).joined(separator: ",") })
        add("container", containers)
        add("unit", units)
        add("netns", namespaces)
        return typed
    }

    mutating func validate() throws {
        guard !orCandidate || !causes.isEmpty else { throw ValidationError("--or-candidate needs --cause.") }
    }

    /// - Parameters:
    ///   - span: when the first and the last RST were, nanoseconds since 1970-01-01 UTC; nil if nothing has such a time.
    ///   - own: the network namespaces of the recorders.
    func filter(span: (first: Int64, last: Int64)?, own: [UInt32], zone: WallClock) throws -> ResetFilter {
        var filter = ResetFilter()
        filter.hosts = hosts.flatMap(\.prefixes)
        filter.sources = sources.flatMap(\.prefixes)
        filter.destinations = destinations.flatMap(\.prefixes)
        filter.ports = ports.flatMap(\.ranges)
        filter.since = since?.nanoseconds(span: span, zone: zone)
        filter.until = until?.nanoseconds(span: span, zone: zone)
        if let since = filter.since, let until = filter.until, since >= until {
            throw ValidationError("--since is not before --until.")
        }
        filter.causes = causes.reduce(into: []) { $0.formUnion($1.causes) }
        filter.takesRefusals = causes.contains(where: \.takesRefusals)
        filter.takesCandidates = orCandidate
        filter.certainties = Set(certainties.joined())
        filter.directions = Set(directions.joined())
        filter.processes = processes.map(NamePattern.init)
        filter.pids = Set(pids.joined())
        filter.containers = containers
        filter.units = units.map(NamePattern.init)
        for name in namespaces {
            switch name {
            case "own":
                guard !own.isEmpty else {
                    throw ValidationError("--netns own: no recording says in which network namespace it was made.")
                }
                filter.namespaces.formUnion(own)
            case _ where UInt32(name) != nil: filter.namespaces.insert(UInt32(name) ?? 0)
            default:
                guard let inode = inode(ofNamespace: name) else {
                    throw ValidationError(
                        "--netns \(name.printable): no such network namespace on this host (ip netns); give its inode number instead."
                    )
                }
                filter.namespaces.insert(inode)
            }
        }
        return filter
    }
}

/// Looks the name up where `ip netns` keeps names.
private func inode(ofNamespace name: String) -> UInt32? {
    var status = stat()
    guard !name.contains("/"), stat("/run/netns/\(name)", &status) == 0 else { return nil }
    return UInt32(exactly: status.st_ino)
}

/// A number without sign.
func number<Number: FixedWidthInteger>(_ typed: String, _ kind: String) throws -> Number {
    guard let number = Number(typed), number >= 0, !typed.hasPrefix("+") else {
        throw ValidationError("\"\(typed.printable)\" is not \(kind).")
    }
    return number
}

struct Prefixes {
    let typed: String
    let prefixes: [IPPrefix]

    init(_ typed: String) throws {
        self.typed = typed
        prefixes = try parts(typed).map { part in
            guard let prefix = IPPrefix(part) else {
                throw ValidationError(
                    "\"\(part.printable)\" is not an IP address or network (10.0.0.5, 10.0.0.0/8, fd00::/8); names are not looked up."
                )
            }
            return prefix
        }
    }
}

struct Ports {
    let typed: String
    let ranges: [ClosedRange<UInt16>]

    init(_ typed: String) throws {
        self.typed = typed
        ranges = try parts(typed).map { part in
            let ends: [UInt16] = try part.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map {
                try number(String($0), "a port (0 to 65535) or a range of ports")
            }
            guard let low = ends.first, let high = ends.last, low <= high else {
                throw ValidationError("\"\(part.printable)\" is not a range of ports: the lower port comes first.")
            }
            return low...high
        }
    }
}

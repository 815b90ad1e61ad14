import Correlator
import KernelEvents
import NetworkTypes

/// What `report -v` and HTML say of one RST, in the order of reading; all of it printable.
struct ResetDetails {
    enum Label: String, CaseIterable {
        case summary, advice = "do", process, program, owner, place = "where", receiver, seen
        case open = "not known yet", evidence, path
    }

    struct Detail {
        let label: Label
        let text: String
        /// What shows it, of evidence.
        var place: String?
    }

    private(set) var all: [Detail] = []

    init(_ reset: Reset) {
        add(.summary, reset.summary.printable)
        if let advice = reset.advice { add(.advice, advice.printable) }
        if let process = reset.process {
            let role = reset.owner == nil ? process.role.rawValue : "killer"
            add(.process, Self.name(process).map { "\($0), \(role)" } ?? "none (kernel, no socket)")
        }
        if let details = reset.process?.details { program(details) }
        if let owner = reset.owner.flatMap(Self.name) { add(.owner, owner) }
        if let details = reset.owner?.details { program(details) }
        if let location = reset.location { add(.place, Self.place(location)) }
        if let receiver = reset.receiver?.process, let named = Self.name(receiver) {
            add(.receiver, "\(named), \(receiver.role.rawValue)")
        }
        if let details = reset.receiver?.process?.details { program(details) }
        for sighting in reset.sightings {
            let place = sighting.interface.map { " on \($0.printable)" } ?? ""
            let tuple = sighting.translated.map { ", as \($0.flow)" } ?? ""
            add(.seen, "packet \(sighting.packet)\(place)\(tuple), \(sighting.file.printable)")
        }
        for open in reset.open { add(.open, open) }
        for fact in reset.evidence {
            all.append(Detail(label: .evidence, text: fact.fact.printable, place: fact.from.description))
        }
        for frame in reset.path?.essential ?? [] { add(.path, frame.printable) }
    }

    private mutating func add(_ label: Label, _ text: String) { all.append(Detail(label: label, text: text)) }

    private static func name(_ process: Reset.Process) -> String? {
        guard let pid = process.pid, let comm = process.comm else { return nil }
        let thread = process.thread.map { ", thread \($0.printable)" } ?? ""
        return "\(comm.printable) (pid \(pid)\(thread))"
    }

    /// The program of a process, its user and its parent.
    private mutating func program(_ details: ProcessRecord) {
        var parts: [String] = []
        if let arguments = details.arguments, !arguments.isEmpty {
            let words = arguments.map { $0.isEmpty || $0.contains(where: \.isWhitespace) ? "'\($0)'" : $0 }
            parts.append(words.joined(separator: " ") + (details.argumentsAreCut ? " …" : ""))
        }
        if let exe = details.exe, details.arguments?.first != exe { parts.append(exe) }
        if let user = details.user ?? details.uid.map({ "uid \($0)" }) { parts.append("user \(user)") }
        if let parent = details.parent { parts.append("started by \(parent.comm) (pid \(parent.pid))") }
        if !parts.isEmpty { add(.program, parts.joined(separator: ", ").printable) }
    }

    private static func place(_ location: Reset.Location) -> String {
        var parts: [String] = []
        let identity = location.identity
        if let container = location.containerNames { parts.append(container) }
        if let pod = location.podNames { parts.append(pod) }
        if let unit = identity.unit, identity.container.map({ !unit.contains($0) }) ?? true {
            parts.append("unit \(unit)".printable)
        }
        if let cgroup = location.cgroup { parts.append("cgroup \(cgroup)".printable) }
        if let netns = location.netns { parts.append("netns \(netns)") }
        return parts.joined(separator: ", ")
    }
}

extension FourTuple {
    /// `10.0.0.1:80 > 10.0.0.2:4000`.
    var flow: String { "\(source.text(port: sourcePort)) > \(destination.text(port: destinationPort))" }
}

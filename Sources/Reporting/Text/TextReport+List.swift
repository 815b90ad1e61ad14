import Correlator
import NetworkTypes

extension TextReport {
    /// The date, where it is another one than that of the RST before.
    mutating func day(of index: Int, in heads: [ResetList.Head]) {
        guard heads[index].hasWallClock else { return }
        let time = UTCTime(nanoseconds: heads[index].time)
        if index > 0, heads[index - 1].hasWallClock, time.isSameDay(as: UTCTime(nanoseconds: heads[index - 1].time)) {
            return
        }
        text += "\(time.date) UTC\n"
    }

    mutating func line(_ reset: ResetList.Head) {
        let time = reset.hasWallClock ? UTCTime(nanoseconds: reset.time).clock(digits: 6) : "--:--:--.------"
        var verdict = reset.cause.rawValue
        if reset.cause != .unknown, reset.certainty != .proven { verdict += " (\(reset.certainty.rawValue))" }
        if reset.outcome != .matched { verdict += " (\(reset.outcome.rawValue))" }
        let head = "\(time) \(flow(reset.tuple))"
        text += head
        // A long pair of addresses leaves no room: the verdict then has a line of its own.
        text += head.utf8.count + 2 + verdict.utf8.count <= 80 ? "  " : "\n    "
        text += paint(verdict, reset.certainty == .proven ? .green : .yellow) + "\n"
    }

    mutating func details(_ reset: Reset) {
        wrap(reset.summary, indent: 4)
        if reset.candidates.count > 1 || reset.cause == .unknown && !reset.candidates.isEmpty {
            wrap("candidates: \(reset.candidates.map(\.rawValue).joined(separator: ", "))", indent: 4)
        }
        if let process = reset.process {
            text +=
                "    process: \(name(process).map { "\($0), \(process.role.rawValue)" } ?? "none (kernel, no socket)")\n"
        }
        if let owner = reset.owner.flatMap(name) { text += "    owner: \(owner)\n" }
        if let location = reset.location { place(location) }
        for sighting in reset.sightings {
            let place = sighting.interface.map { " on \($0.printable)" } ?? ""
            let tuple = sighting.translated.map { ", as \(flow($0))" } ?? ""
            wrap("seen: packet \(sighting.packet)\(place)\(tuple), \(sighting.file.printable)", indent: 4)
        }
        for fact in reset.evidence { wrap("\(fact.fact.printable) [\(fact.from)]", indent: 4) }
        if let path = reset.path {
            for (index, frame) in path.essential.enumerated() {
                text += (index == 0 ? "    path: " : "        < ") + frame.printable + "\n"
            }
        }
    }

    private func name(_ process: Reset.Process) -> String? {
        guard let pid = process.pid, let comm = process.comm else { return nil }
        return "\(comm.printable) (pid \(pid))"
    }

    private mutating func place(_ location: Reset.Location) {
        var parts: [String] = []
        // The first twelve of the 64 digits are what the tools of container runtimes show.
        let container = location.identity.container
        if let container {
            parts.append("container \(container.count == 64 ? String(container.prefix(12)) : container)")
        }
        if let pod = location.identity.pod { parts.append("pod \(pod)") }
        if let unit = location.identity.unit, container.map({ !unit.contains($0) }) ?? true {
            parts.append("unit \(unit)")
        }
        if let cgroup = location.cgroup { parts.append("cgroup \(cgroup)") }
        if let netns = location.netns { parts.append("netns \(netns)") }
        wrap("where: " + parts.joined(separator: ", ").printable, indent: 4)
    }

    func flow(_ tuple: FourTuple) -> String {
        "\(tuple.source.text(port: tuple.sourcePort)) > \(tuple.destination.text(port: tuple.destinationPort))"
    }
}

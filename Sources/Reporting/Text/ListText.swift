import Correlator
import KernelEvents
import NetworkTypes

/// The list of single RSTs, on one line each if it fits.
struct ListText: Sendable {
    private let base: TextReport
    private let resets: ResetList
    private var idWidth: Int
    /// Of the RST that was shown before the first of these.
    private let earlier: Int64?

    init(_ report: TextReport, _ resets: ResetList, after earlier: Int64? = nil) {
        base = TextReport(options: report.options)
        self.resets = resets
        self.earlier = earlier
        idWidth = "#\(resets.rows.last?.id ?? 0)".count
    }

    func text(of places: some Sequence<Int>) -> String {
        var page = base
        let rows = resets.rows
        for index in places {
            if rows[index].hasWallClock {
                let previous = index > 0 && rows[index - 1].hasWallClock ? rows[index - 1].time : earlier
                if let day = page.options.time.day(rows[index].time, after: previous) { page.text += day + "\n" }
            }
            line(rows[index], &page)
            if page.options.verbose { page.details(resets[index]) }
        }
        return page.text
    }

    /// The same for one of them, whatever the others are.
    func text(ofOne place: Int) -> String {
        var (list, page) = (self, base)
        let row = resets.rows[place]
        list.idWidth = 0
        if row.hasWallClock, let day = page.options.time.day(row.time, after: earlier) { page.text += day + "\n" }
        list.line(row, &page)
        if page.options.verbose { page.details(resets[place]) }
        return page.text
    }

    private func line(_ row: ResetRow, _ page: inout TextReport) {
        let attribution = resets.attribution(of: row)
        let time =
            row.hasWallClock || page.options.time.form == .relative
            ? page.options.time.stamp(row.time) : "--:--:--.------"
        var parts: [String] = []
        if row.direction != .unknown { parts.append(row.direction.rawValue) }
        if let first = row.follows { parts.append("follows #\(first)") }
        if row.outcome != .matched, page.options.showsOutcome { parts.append(row.outcome.rawValue) }
        if page.options.marksCorrections { parts.append("corrected") }
        if page.options.namesNoSocket, attribution.process?.role == Reset.Process.Role.none {
            parts.append("no socket")
        }
        if let name = attribution.process?.comm {
            let role: String =
                switch attribution.process?.role {
                case .killer: "killed by "
                case .closer: "closed by "
                default: ""
                }
            parts.append("\(role)\(name.printable)" + (attribution.process?.pid.map { " (pid \($0))" } ?? ""))
        }
        if let name = attribution.receiver?.comm, attribution.process == nil {
            let verb = attribution.isIgnored ? "ignored" : "received"
            parts.append("\(verb) by \(name.printable)" + (attribution.receiver?.pid.map { " (pid \($0))" } ?? ""))
        }
        let id = "#\(row.id)"
        let space = String(repeating: " ", count: max(0, idWidth - id.utf8.count) + 1)
        let start = "\(id)\(space)\(time) \(page.flow(row.tuple))"
        let words = verdict(row.cause, attribution.candidates, row.certainty)
        let rest = parts.isEmpty ? "" : "; " + parts.joined(separator: ", ")
        let color = TextReport.color(row.certainty)
        guard start.columns <= page.options.width else {
            page.wrap(start, indent: 0, hanging: 4)
            page.wrap(words + rest, indent: 4, color: color)
            return
        }
        page.text += start
        if start.columns + 2 + words.columns + rest.columns <= page.options.width {
            page.text += "  " + page.paint(words, color) + rest + "\n"
            return
        }
        page.text += "\n"
        let lines = page.lines(words + rest, indent: 4)
        if lines.count == 1 {
            page.text += "    " + page.paint(words, color) + rest + "\n"
        } else {
            for line in lines { page.text += page.paint(line, color) + "\n" }
        }
    }
}

extension TextReport {
    /// The details of one RST, below its line.
    mutating func details(_ reset: Reset) {
        wrap(reset.summary.printable, indent: 4)
        if let advice = reset.advice { wrap("do: \(advice.printable)", indent: 4) }
        if let process = reset.process {
            let role = reset.owner == nil ? process.role.rawValue : "killer"
            wrap("process: \(name(process).map { "\($0), \(role)" } ?? "none (kernel, no socket)")", indent: 4)
        }
        if let details = reset.process?.details { program(details) }
        if let owner = reset.owner.flatMap(name) { wrap("owner: \(owner)", indent: 4) }
        if let details = reset.owner?.details { program(details) }
        if let location = reset.location { place(location) }
        if let receiver = reset.receiver?.process, let named = name(receiver) {
            wrap("receiver: \(named), \(receiver.role.rawValue)", indent: 4)
        }
        if let details = reset.receiver?.process?.details { program(details) }
        for sighting in reset.sightings {
            let place = sighting.interface.map { " on \($0.printable)" } ?? ""
            let tuple = sighting.translated.map { ", as \(flow($0))" } ?? ""
            wrap("seen: packet \(sighting.packet)\(place)\(tuple), \(sighting.file.printable)", indent: 4)
        }
        for open in reset.open { wrap("not known yet: \(open)", indent: 4) }
        for fact in reset.evidence { wrap("\(fact.fact.printable) [\(fact.from)]", indent: 4) }
        if let path = reset.path {
            for (index, frame) in path.essential.enumerated() {
                text += (index == 0 ? "    path: " : "        < ") + frame.printable + "\n"
            }
        }
    }

    private func name(_ process: Reset.Process) -> String? {
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
        if !parts.isEmpty { wrap("program: " + parts.joined(separator: ", ").printable, indent: 4) }
    }

    private mutating func place(_ location: Reset.Location) {
        var parts: [String] = []
        let identity = location.identity
        if identity.container != nil, let name = location.shortName { parts.append(name) }
        if let pod = identity.pod { parts.append("pod \(pod)".printable) }
        if let unit = identity.unit, identity.container.map({ !unit.contains($0) }) ?? true {
            parts.append("unit \(unit)".printable)
        }
        if let cgroup = location.cgroup { parts.append("cgroup \(cgroup)".printable) }
        if let netns = location.netns { parts.append("netns \(netns)") }
        wrap("where: " + parts.joined(separator: ", "), indent: 4)
    }
}

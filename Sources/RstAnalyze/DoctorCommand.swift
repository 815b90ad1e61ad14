import ArgumentParser
import Glibc
import JSONText
import Recorder
import Reporting

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check what this host and this user can record, and how to fix what is missing.",
        discussion: """
            Examples: rst-analyze doctor
                      sudo rst-analyze doctor -i eth0 --format json

            Each line is a check: ok, warning (a recording tells less), failed (record cannot work) or unknown. The checks are \
            those of record itself: the hooks are attached for a moment, and the interfaces opened. The exit status is 1 if one \
            has failed.
            """)

    @Option(
        name: [.customShort("i"), .customLong("interface")],
        help: "Interface to check; repeat for several. (default: any)")
    var interfaces: [String] = []

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Option(help: "Output format: text, or json (rst-doctor/1, docs/doctor.md).")
    var format = Format.text

    func run() throws {
        let checks = HostProbe.checks(interfaces: interfaces.isEmpty ? ["any"] : interfaces)
        switch format {
        case .text: print(DoctorReport.text(checks), terminator: "")
        case .json: print(String(decoding: DoctorReport.json(checks), as: UTF8.self))
        }
        if !DoctorReport.canRecord(checks) { throw ExitCode(1) }
    }
}

/// What the checks say, for people and for programs.
enum DoctorReport {
    static func canRecord(_ checks: [HostCheck]) -> Bool { !checks.contains { $0.state == .failed } }

    static func text(_ checks: [HostCheck]) -> String {
        let width = HostCheck.State.allCases.map(\.rawValue.count).max() ?? 0
        let names = HostCheck.Subject.allCases.map(\.rawValue.count).max() ?? 0
        var text = ""
        for check in checks {
            let head = pad(check.state.rawValue, width) + "  " + pad(check.subject.rawValue, names) + "  "
            text += wrapped(head, check.found.printable, indent: head.count)
            if let fix = check.fix {
                text += wrapped(pad("", head.count) + "-> ", fix.printable, indent: head.count + 3)
            }
        }
        let failed = checks.filter { $0.state == .failed }.map(\.subject.rawValue)
        let conclusion =
            failed.isEmpty
            ? "record can work here" : "record cannot work here: \(failed.joined(separator: ", "))"
        return text + conclusion + "\n"
    }

    /// `rst-doctor/1`, one line.
    static func json(_ checks: [HostCheck]) -> [UInt8] {
        var json = JSONWriter()
        json.raw("{\"schema\":\"rst-doctor/1\"")
        json.member(",\"tool\":", Version.tool)
        json.raw(",\"can_record\":")
        json.boolean(canRecord(checks))
        json.raw(",\"checks\":[")
        for (index, check) in checks.enumerated() {
            json.raw(index == 0 ? "{" : ",{")
            json.member("\"id\":", check.subject.rawValue)
            json.member(",\"state\":", check.state.rawValue)
            json.member(",\"found\":", check.found)
            json.member(",\"fix\":", check.fix)
            json.raw("}")
        }
        json.raw("]}")
        return json.finish()
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    /// In 80 columns, as far as words allow.
    private static func wrapped(_ head: String, _ sentence: String, indent: Int) -> String {
        var (lines, line) = ("", head)
        var isFresh = true
        for word in sentence.split(separator: " ") {
            if !isFresh, line.count + 1 + word.count > 80 {
                lines += line + "\n"
                line = pad("", indent)
                isFresh = true
            }
            line += (isFresh ? "" : " ") + word
            isFresh = false
        }
        return lines + line + "\n"
    }
}

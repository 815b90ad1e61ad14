import Glibc
import Laboratory
import Reporting
import Selftest
import SelftestDriver

/// Prints the results of a selftest as they come.
struct SelftestTable {
    let isJSON: Bool
    private(set) var failed = 0
    private var passed = 0
    private var unsupported = 0
    private var ambiguous = 0

    init(isJSON: Bool) { self.isJSON = isJSON }

    mutating func append(_ run: ScenarioRun) {
        if isJSON {
            print(jsonLine(run))
        } else {
            if passed + failed + unsupported + ambiguous == 0 {
                print(row("SCENARIO", "IP", "EXPECTED", "GOT", "TIME"))
            }
            printRow(run)
        }
        switch run.status {
        case .passed: passed += 1
        case .failed: failed += 1
        case .ambiguous: ambiguous += 1
        case .unsupported: unsupported += 1
        }
    }

    func finish() {
        guard !isJSON else { return }
        let open = ambiguous > 0 ? "\(ambiguous) ambiguous on this kernel, " : ""
        print("\(passed) passed, \(failed) failed, \(open)\(unsupported) unsupported here")
    }

    private func printRow(_ run: ScenarioRun) {
        let expected = Set(run.expected.map(\.cause)).sorted().joined(separator: ", ")
        let got: String
        switch run.status {
        case .passed: got = "\(run.causes.joined(separator: ", ")), \(run.certainties.joined(separator: ", "))"
        case .failed: got = run.causes.isEmpty ? "FAILED" : "FAILED: \(run.causes.joined(separator: ", "))"
        case .ambiguous: got = "one of: \(run.candidates.joined(separator: ", "))"
        case .unsupported: got = "unsupported"
        }
        let milliseconds = run.duration / 1_000_000
        print(row(run.scenario.id, String(run.ipVersion.rawValue), expected, got, "\(milliseconds) ms"))
        if case .unsupported(let reason) = run.status { print("    \(reason)") }
        for difference in run.differences.prefix(20) { print("    \(difference)") }
        if run.differences.count > 20 { print("    and \(run.differences.count - 20) more differences") }
    }

    private func row(_ id: String, _ ip: String, _ expected: String, _ got: String, _ time: String) -> String {
        func pad(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(1, width - text.count))
        }
        return pad(id, 34) + pad(ip, 4) + pad(expected, 30) + pad(got, 40) + time
    }

    private func jsonLine(_ run: ScenarioRun) -> String {
        var reason: String?
        let status: String
        switch run.status {
        case .passed: status = "passed"
        case .failed: status = "failed"
        case .ambiguous: status = "ambiguous"
        case .unsupported(let why):
            status = "unsupported"
            reason = why
        }
        var fields: [(key: String, value: JSONLine.Value)] = []
        fields.append(("scenario", .string(run.scenario.id)))
        fields.append(("ip", .number(Int(run.ipVersion.rawValue))))
        fields.append(("status", .string(status)))
        fields.append(("expected", .strings(Set(run.expected.map(\.cause)).sorted())))
        fields.append(("got", .strings(run.causes)))
        fields.append(("certainty", .strings(run.certainties)))
        fields.append(("candidates", .strings(run.candidates)))
        fields.append(("resets", .number(run.expected.count)))
        fields.append(("milliseconds", .number(Int(run.duration / 1_000_000))))
        fields.append(("differences", .strings(run.differences)))
        if let reason { fields.append(("reason", .string(reason))) }
        return JSONLine.encode(fields)
    }
}

/// Prints a line immediately, even into a pipe.
private func print(_ line: String) { writeAll(line + "\n", to: STDOUT_FILENO) }

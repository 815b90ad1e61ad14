/// Renders checks in the XML that CI systems read for the results of tests (JUnit's, as Jenkins, GitLab and others take it).
public struct JUnitReport: Sendable {
    public struct Check: Sendable {
        public enum Result: Sendable {
            case passed
            /// In one sentence, and line by line.
            case failed(String, [String])
            /// Nobody can tell whether it would have failed.
            case error(String)
        }

        public var name: String
        public var result: Result
        public init(name: String, result: Result) {
            self.name = name
            self.result = result
        }
    }

    /// The document.
    public static func render(_ checks: [Check]) -> String {
        var (failures, errors) = (0, 0)
        var cases = ""
        for check in checks {
            cases += "  <testcase classname=\"rst-analyze\" name=\"\(escaped(check.name))\""
            switch check.result {
            case .passed: cases += "/>\n"
            case .failed(let message, let lines):
                failures += 1
                cases += ">\n    <failure message=\"\(escaped(message))\">"
                cases += lines.map(escaped).joined(separator: "\n") + "</failure>\n  </testcase>\n"
            case .error(let message):
                errors += 1
                cases += ">\n    <error message=\"\(escaped(message))\"/>\n  </testcase>\n"
            }
        }
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuite name="rst-analyze" tests="\(checks.count)" failures="\(failures)" errors="\(errors)">
            \(cases)</testsuite>

            """
    }

    /// Names are chosen by whoever made a process or a file. XML 1.0 has no way to write control characters at all.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.printable.unicodeScalars {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}

/// Renders checks as the JUnit XML that CI systems (Jenkins, GitLab and others) read as test results.
public struct JUnitReport: Sendable {
    public struct Check: Sendable {
        public enum Result: Sendable {
            case passed
            /// With a summary and detail lines.
            case failed(String, [String])
            /// It is not known whether it would have failed.
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

    /// Names of processes and files are untrusted. XML 1.0 cannot represent control characters at all.
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

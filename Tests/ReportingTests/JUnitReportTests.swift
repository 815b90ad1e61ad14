import Foundation
import FoundationXML
import Reporting
import Testing

@Suite struct JUnitReportTests {
    @Test func checksAreCountedAndNamed() throws {
        let text = JUnitReport.render([
            .init(name: "a", result: .passed), .init(name: "b", result: .failed("2 RSTs", ["#1 x", "#2 y"])),
            .init(name: "c", result: .error("incomplete")),
        ])
        let root = try #require(try XMLDocument(xmlString: text).rootElement())
        #expect(root.name == "testsuite")
        func attribute(_ name: String, of element: XMLElement) -> String? {
            element.attribute(forName: name)?.stringValue
        }
        #expect(
            ["tests", "failures", "errors"].map { attribute($0, of: root) } == ["3", "1", "1"])
        let cases = root.elements(forName: "testcase")
        #expect(cases.map { attribute("name", of: $0) } == ["a", "b", "c"])
        #expect(cases[0].childCount == 0)
        let failure = try #require(cases[1].elements(forName: "failure").first)
        #expect(attribute("message", of: failure) == "2 RSTs")
        #expect(failure.stringValue == "#1 x\n#2 y")
        #expect(cases[2].elements(forName: "error").first.flatMap { attribute("message", of: $0) } == "incomplete")
    }

    @Test func withoutChecksItIsADocumentAllTheSame() throws {
        let root = try #require(try XMLDocument(xmlString: JUnitReport.render([])).rootElement())
        #expect(root.attribute(forName: "tests")?.stringValue == "0")
    }

    /// Names of processes and files are untrusted.
    @Test(arguments: ["a\"b<c>&d'", "]]>", "<!--", "\u{1}\u{1b}[31m", "\u{feff}\u{202e}", "né 漢 🦀", "&amp;"])
    func whatIsNoXMLIsEscaped(_ name: String) throws {
        let text = JUnitReport.render([.init(name: name, result: .failed(name, [name, name]))])
        #expect(!text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
        let element = try #require(try XMLDocument(xmlString: text).rootElement()?.elements(forName: "testcase").first)
        let read = try #require(element.attribute(forName: "name")?.stringValue)
        // What a terminal would take for a command is written as its number.
        let isPlain = name.unicodeScalars.allSatisfy {
            $0.value >= 0x20 && $0.properties.generalCategory != .format
        }
        #expect((read == name) == isPlain, "\(read)")
        #expect(element.childCount == 1)
    }
}

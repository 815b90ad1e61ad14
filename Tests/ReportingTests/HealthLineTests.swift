import Foundation
import Testing

@testable import Reporting

/// The health records of `rst-record/1`.
@Suite struct HealthLineTests {
    private static func line(isFiltered: Bool) throws -> [String: Any] {
        let lines = RecordLines(host: RecordLines.Host(name: "h", id: "1", bootID: "2", agent: "rst-analyze 0.1.0"))
        let bytes = lines.line(
            of: RecordLines.Health(
                time: 20, monotonic: 10, covered: 5, addresses: [], eventsLost: 1, resets: 2, isFiltered: isFiltered,
                counted: RecordLines.Health.Counted(from: 3, to: 14, resets: 4)))
        return try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
    }

    @Test func countsWhatMustArrive() throws {
        let line = try Self.line(isFiltered: false)
        #expect(line["counted"] as? Int == 4)
        #expect(line["counted_from"] as? Int == 3)
        #expect(line["counted_to"] as? Int == 14)
        #expect(line["filtered"] == nil)
    }

    @Test func saysWhetherFiltersLeaveRecordsOut() throws {
        #expect(try Self.line(isFiltered: true)["filtered"] as? Bool == true)
    }
}

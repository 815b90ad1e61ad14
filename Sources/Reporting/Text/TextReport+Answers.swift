import Correlator
import NetworkTypes

extension TextReport {
    /// What many RSTs have in common; each of them stands in the list below all the same.
    mutating func findings(_ report: Report) {
        let spansDays = report.resets.spansDays
        func clock(_ time: Int64, digits: Int) -> String {
            let time = UTCTime(nanoseconds: time)
            return (spansDays ? time.date + " " : "") + time.clock(digits: digits)
        }
        for finding in report.findings {
            let (from, to) = (clock(finding.first, digits: 3), clock(finding.last, digits: 3))
            let rate = finding.perThousandSeconds.flatMap(rate).map { ", \($0)" } ?? ""
            wrap("\(finding.count) x \(finding.cause.rawValue), \(from) to \(to)\(rate)", indent: 2)
            wrap(finding.summary, indent: 6)
            if let example = report.resets.head(id: finding.example) {
                wrap("for example \(flow(example.tuple)) at \(clock(example.time, digits: 6))", indent: 6)
            }
        }
        if !report.findings.isEmpty { text += "\n" }
    }

    /// In the unit in which it is at least one; nil where it is less than one an hour.
    private func rate(_ perThousandSeconds: UInt64) -> String? {
        if perThousandSeconds >= 1000 { return "\(perThousandSeconds / 1000)/s" }
        if perThousandSeconds * 60 >= 1000 { return "\(perThousandSeconds * 60 / 1000)/min" }
        return perThousandSeconds > 0 ? "\(perThousandSeconds * 36 / 10)/h" : nil
    }
}

extension ResetList {
    /// The first and the last of them were on different days, UTC.
    fileprivate var spansDays: Bool {
        guard let first = heads.first(where: \.hasWallClock), let last = heads.last(where: \.hasWallClock) else {
            return false
        }
        return !UTCTime(nanoseconds: first.time).isSameDay(as: UTCTime(nanoseconds: last.time))
    }
}

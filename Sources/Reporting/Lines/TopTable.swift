public import Correlator
import NetworkTypes

/// RSTs by cause, process and peer, with how many there are in a second: of late, in the last minute, and since the start.
public struct TopTable: Sendable {
    /// What the rows are sorted by.
    public enum Order: Character, Sendable, CaseIterable {
        case second = "1"
        case minute = "m"
        case all = "a"
        case cause = "c"
        case process = "p"
        case peer = "h"

        var name: String {
            switch self {
            case .second: "1 s"
            case .minute: "1 min"
            case .all: "all"
            case .cause: "cause"
            case .process: "process"
            case .peer: "peer"
            }
        }
    }

    private struct Key: Hashable, Comparable {
        let cause: String
        let certainty: String
        let process: String
        let peer: String

        static func < (a: Key, b: Key) -> Bool {
            [a.cause, a.certainty, a.process, a.peer].lexicographicallyPrecedes([
                b.cause, b.certainty, b.process, b.peer,
            ])
        }
    }

    private struct Row {
        var all = 0
        /// By second, modulo their number: that one and those before it.
        var seconds = [UInt32](repeating: 0, count: TopTable.seconds)
        var latest: Int64

        mutating func add(_ count: UInt32, at second: Int64) {
            advance(to: second)
            all += Int(count)
            seconds[Int(second) % TopTable.seconds] &+= count
        }

        mutating func advance(to second: Int64) {
            guard second > latest else { return }
            let steps = min(second - latest, Int64(TopTable.seconds))
            for step in 0..<steps { seconds[Int(second - step) % TopTable.seconds] = 0 }
            latest = second
        }

        /// Of the second before this one, and of the last minute.
        var rates: (second: Int, minute: Int) {
            (
                Int(seconds[(Int(latest) + TopTable.seconds - 1) % TopTable.seconds]),
                seconds.reduce(0) { $0 + Int($1) } - Int(seconds[Int(latest) % TopTable.seconds])
            )
        }
    }

    /// A minute, and the second that is not over yet.
    private static let seconds = 61
    /// Peers may be any number; the rest is one.
    static let mostRows = 2_000
    private static let others = "other"

    private var rows: [Key: Row] = [:]
    private var total: Row
    /// When it began, seconds.
    private let begun: Int64
    public var order = Order.second
    /// Kernel events that were lost.
    public var eventsLost = 0

    /// - Parameter time: a steady clock, nanoseconds.
    public init(at time: Int64) {
        begun = time / 1_000_000_000
        total = Row(latest: begun)
    }

    /// - Parameter time: the same clock.
    public mutating func add(_ resets: ResetList, at time: Int64) {
        let second = time / 1_000_000_000
        for row in resets.rows {
            let name = Self.name(resets.attribution(of: row).process)
            let peer = row.direction == .received ? row.tuple.source : row.tuple.destination
            var key = Key(
                cause: row.cause.rawValue, certainty: row.certainty.rawValue, process: name, peer: peer.description)
            if rows[key] == nil, rows.count >= Self.mostRows {
                key = Key(cause: key.cause, certainty: key.certainty, process: Self.others, peer: Self.others)
            }
            rows[key, default: Row(latest: second)].add(1, at: second)
            total.add(1, at: second)
        }
    }

    private static func name(_ process: Reset.Process?) -> String {
        guard let process else { return "-" }
        guard let comm = process.comm else { return "no socket" }
        return comm.printable + (process.pid.map { " (\($0))" } ?? "")
    }

    /// What stands on the screen, at most as many lines as it has, each at most as wide.
    ///
    /// - Parameter time: the same clock.
    public mutating func lines(at time: Int64, width: Int, height: Int, isUnicode: Bool) -> [String] {
        let second = time / 1_000_000_000
        total.advance(to: second)
        var shown: [(key: Key, all: Int, rates: (second: Int, minute: Int))] = []
        for key in rows.keys {
            rows[key]?.advance(to: second)
            if let row = rows[key] { shown.append((key, row.all, row.rates)) }
        }
        shown.sort { a, b in
            let first: (Int, Int) =
                switch order {
                case .second: (a.rates.second, b.rates.second)
                case .minute: (a.rates.minute, b.rates.minute)
                case .all: (a.all, b.all)
                case .cause, .process, .peer: (0, 0)
                }
            if first.0 != first.1 { return first.0 > first.1 }
            let names: (String, String) =
                switch order {
                case .process: (a.key.process, b.key.process)
                case .peer: (a.key.peer, b.key.peer)
                default: (a.key.cause, b.key.cause)
                }
            if names.0 != names.1 { return names.0 < names.1 }
            return a.all != b.all ? a.all > b.all : a.key < b.key
        }
        let age = max(1, second - begun)
        func rates(_ rates: (second: Int, minute: Int), _ all: Int) -> [String] {
            [rates.second.grouped, Self.rate(rates.minute, in: min(60, age)), Self.rate(all, in: age), all.grouped]
        }
        let row =
            "rst-analyze watch: \(total.all.grouped) RSTs"
            + (eventsLost > 0 ? ", \(eventsLost.grouped) events lost" : "")
            + "; per second, by \(order.name) (keys: 1 m a c p h sort, q quits)"
        var cells = [["cause", "process", "peer", "1 s", "1 min", "all", "RSTs"]]
        cells.append(["all", "", ""] + rates(total.rates, total.all))
        cells += shown.prefix(max(0, height - 3)).map { row in
            ["\(row.key.cause), \(row.key.certainty)", row.key.process, row.key.peer] + rates(row.rates, row.all)
        }
        return [Self.cut(row, width, isUnicode)] + Self.table(cells, width, isUnicode).prefix(max(0, height - 1))
    }

    /// With one digit after the point where it is below 10.
    private static func rate(_ count: Int, in seconds: Int64) -> String {
        let tenths = (count * 10 + Int(seconds) / 2) / Int(seconds)
        return tenths >= 100 ? (tenths / 10).grouped : "\(tenths / 10).\(tenths % 10)"
    }

    /// Names on the left, which give way where there is no room; numbers on the right.
    private static func table(_ cells: [[String]], _ width: Int, _ isUnicode: Bool) -> [String] {
        let columns = cells[0].indices
        var widths = columns.map { column in cells.map { $0[column].columns }.max() ?? 0 }
        var surplus = widths.reduce(0, +) + 2 * (columns.count - 1) - width
        for column in [1, 2, 0] where surplus > 0 {
            let taken = min(surplus, max(0, widths[column] - 8))
            widths[column] -= taken
            surplus -= taken
        }
        return cells.map { row in
            let line = columns.map { column in
                let cell = cut(row[column], widths[column], isUnicode)
                let space = String(repeating: " ", count: widths[column] - cell.columns)
                return column < 3 ? cell + space : space + cell
            }.joined(separator: "  ")
            return cut(line, width, isUnicode)
        }
    }

    private static func cut(_ text: String, _ width: Int, _ isUnicode: Bool) -> String {
        guard text.columns > width else { return text }
        let end = isUnicode ? "…" : "~"
        var cut = ""
        var columns = 0
        for character in text {
            columns += String(character).columns
            guard columns < width else { break }
            cut.append(character)
        }
        return width > 0 ? cut + end : ""
    }
}

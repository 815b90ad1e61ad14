import KernelEvents
public import NetworkTypes

/// RSTs counted by values that they have in common.
public struct Grouping: Sendable, Equatable {
    public enum Field: String, Sendable, CaseIterable {
        case cause, category, certainty, direction, process, service, src, dst, port, container, unit, netns, hour
    }

    /// In the order of the columns; not empty.
    public var fields: [Field]
    public init(fields: [Field]) { self.fields = fields }

    /// What a group has in common; nil where it is not known.
    public enum Value: Sendable, Equatable, Comparable {
        case word(String)
        case number(UInt32)
        case address(IPAddress)
        case end(IPAddress, port: UInt16)
        /// Its beginning, nanoseconds since 1970-01-01 UTC.
        case hour(Int64)

        public static func < (a: Value, b: Value) -> Bool {
            switch (a, b) {
            case (.word(let a), .word(let b)): a < b
            case (.number(let a), .number(let b)): a < b
            case (.address(let a), .address(let b)): (a.high, a.low) < (b.high, b.low)
            case (.end(let a, let p), .end(let b, let q)): (a.high, a.low, p) < (b.high, b.low, q)
            case (.hour(let a), .hour(let b)): a < b
            default: false
            }
        }
    }

    public struct Group: Sendable, Equatable {
        /// By field.
        public var values: [Value?]
        public var count: Int
        /// How many of them are proven.
        public var proven: Int
        /// Nanoseconds since 1970-01-01 UTC, of those with a wall clock.
        public var first: Int64?
        public var last: Int64?
        /// The ID of the first of them.
        public var example: Int
    }

    /// In the order of their first RSTs.
    public func groups(of list: ResetList) -> [Group] {
        let rows = list.rows
        let words = Words(fields, list.attributions)
        let buckets = KeyGroups(rows.count) { [fields] in Key(rows[$0], fields, words) }
        let grouped = buckets.grouped()
        return grouped.indices.map { number in
            let members = Members(resets: rows, places: grouped[number])
            let span = members.wallClockSpan
            let lead = members[0]
            return Group(
                values: fields.map { value($0, of: lead, words) }, count: members.count,
                proven: members.rows.reduce(0) { $0 + ($1.certainty == .proven ? 1 : 0) }, first: span?.first,
                last: span?.last, example: lead.id)
        }
    }

    /// Groups in an order; equals stay in that of their first RSTs.
    public static func sort(_ groups: inout [Group], by order: AnswerOrder) {
        let sorted = groups.enumerated().sorted { a, b in
            let isLess: Bool?
            switch order {
            case .count: isLess = a.element.count == b.element.count ? nil : a.element.count > b.element.count
            case .first: isLess = nil
            case .last: isLess = compared(a.element.last, b.element.last).map(!)
            case .name: isLess = compared(a.element.values, b.element.values)
            }
            return isLess ?? (a.offset < b.offset)
        }
        groups = sorted.map(\.element)
    }

    /// Unknown values come last.
    private static func compared(_ a: [Value?], _ b: [Value?]) -> Bool? {
        for (a, b) in zip(a, b) where a != b { return compared(a, b) }
        return nil
    }

    private static func compared<Element: Comparable>(_ a: Element?, _ b: Element?) -> Bool? {
        guard let a else { return b == nil ? nil : false }
        guard let b else { return true }
        return a == b ? nil : a < b
    }

    private static let hour: Int64 = 3_600_000_000_000

    private static func hour(of row: ResetRow) -> Int64? {
        guard row.hasWallClock else { return nil }
        let rest = row.time % hour
        return row.time.saturatingSubtract(rest < 0 ? rest + hour : rest)
    }

    private func value(_ field: Field, of row: ResetRow, _ words: Words) -> Value? {
        switch field {
        case .cause: .word(row.cause.rawValue)
        case .category: (Catalogue.rule(for: row.cause)?.category).map { .word($0.rawValue) }
        case .certainty: .word(row.certainty.rawValue)
        case .direction: .word(row.direction.rawValue)
        case .service:
            {
                let end = row.service.end(of: row.tuple)
                return .end(end.address, port: end.port)
            }()
        case .port: .number(UInt32(row.service.end(of: row.tuple).port))
        case .src: .address(row.tuple.source)
        case .dst: .address(row.tuple.destination)
        case .hour: Self.hour(of: row).map { .hour($0) }
        case .process, .container, .unit, .netns: words.value(field, of: row)
        }
    }

    /// What attributions say, as numbers.
    private struct Words: Sendable {
        private var numbers: [Field: [Int32]] = [:]
        private var values: [Field: [Value]] = [:]

        init(_ fields: [Field], _ attributions: [Attribution]) {
            for field in fields {
                var known: [String: Int32] = [:]
                var all: [Value] = []
                let numbers: [Int32]? =
                    switch field {
                    case .process, .container, .unit, .netns:
                        attributions.map { attribution in
                            guard let value = Self.value(field, of: attribution) else { return -1 }
                            let text = "\(value)"
                            if let number = known[text] { return number }
                            let number = Int32(truncatingIfNeeded: all.count)
                            known[text] = number
                            all.append(value)
                            return number
                        }
                    default: nil
                    }
                self.numbers[field] = numbers
                values[field] = all
            }
        }

        private static func value(_ field: Field, of attribution: Attribution) -> Value? {
            switch field {
            case .process: attribution.process?.comm.map { .word($0) }
            case .container: attribution.location?.containerTitle.map { .word($0) }
            case .unit: attribution.location?.identity.unit.map { .word($0) }
            case .netns: attribution.location?.netns.map { .number($0) }
            default: nil
            }
        }

        func number(_ field: Field, of row: ResetRow) -> Int32 {
            numbers[field].map { $0[Int(row.attribution)] } ?? -1
        }

        func value(_ field: Field, of row: ResetRow) -> Value? {
            let number = number(field, of: row)
            return number < 0 ? nil : values[field]?[Int(number)]
        }
    }

    /// The values of the requested fields; the others are the same for all.
    private struct Key: GroupingKey {
        private var cause: Cause?
        private var category: Category?
        private var certainty: Certainty?
        private var direction: Direction?
        private var service = IPAddress(high: 0, low: 0)
        private var port: UInt16 = 0
        private var source = IPAddress(high: 0, low: 0)
        private var destination = IPAddress(high: 0, low: 0)
        private var hour: Int64?
        private var process: Int32 = -1
        private var container: Int32 = -1
        private var unit: Int32 = -1
        private var netns: Int32 = -1

        init(_ row: ResetRow, _ fields: [Field], _ words: Words) {
            for field in fields {
                switch field {
                case .cause: cause = row.cause
                case .category: category = Catalogue.rule(for: row.cause)?.category
                case .certainty: certainty = row.certainty
                case .direction: direction = row.direction
                case .service: (service, port) = row.service.end(of: row.tuple)
                case .port: port = row.service.end(of: row.tuple).port
                case .src: source = row.tuple.source
                case .dst: destination = row.tuple.destination
                case .hour: hour = Grouping.hour(of: row)
                case .process: process = words.number(field, of: row)
                case .container: container = words.number(field, of: row)
                case .unit: unit = words.number(field, of: row)
                case .netns: netns = words.number(field, of: row)
                }
            }
        }

        func hash(_ secret: SecretHash) -> UInt64 {
            var hash = secret.pair(secret.of(service), secret.of(source))
            hash = secret.add(secret.of(high: destination.high, low: destination.low, port: port), to: hash)
            for number in [process, container, unit, netns] {
                hash = secret.add(UInt64(bitPattern: Int64(number)), to: hash)
            }
            return secret.add(UInt64(bitPattern: hour ?? -1), to: hash)
        }
    }
}

public import NetworkTypes

/// A pcap-filter(7) expression, as far as it decides which segments of one connection a capture has.
///
/// What holds for all segments of a connection (hosts, ports, networks) is taken to hold: the capture has the connection.
/// What depends on the segment and is not a comparison of the TCP flags is not known.
public struct CaptureFilter: Sendable {
    private let root: Node
    private let effects: (ipv4: Effect, ipv6: Effect)

    /// What it means for the connections of one IP version.
    public struct Effect: Sendable {
        /// It may leave out segments that have neither SYN, FIN nor RST.
        public let leavesOutSegments: Bool
        public let takesSyns: Bool
        public let takesFins: Bool
    }

    /// - Parameter expression: where it is no valid filter, nothing is known of what it takes.
    public init(_ expression: String) {
        var parser = Parser(expression)
        let root = parser.parse() ?? .unknown
        func effect(isIPv4: Bool) -> Effect {
            func takes(_ flags: TCPFlags) -> Bool { root.takes(Segment(flags: flags, isIPv4: isIPv4)) }
            return Effect(
                leavesOutSegments: !takes(.ack) || !takes([.psh, .ack]), takesSyns: takes(.syn) && takes([.syn, .ack]),
                takesFins: takes([.fin, .ack]))
        }
        self.root = root
        effects = (effect(isIPv4: true), effect(isIPv4: false))
    }

    /// Whether it takes every segment with these flags, whatever else is in it.
    public func takes(_ flags: TCPFlags, isIPv4: Bool) -> Bool {
        root.takes(Segment(flags: flags, isIPv4: isIPv4))
    }

    public func effect(isIPv4: Bool) -> Effect { isIPv4 ? effects.ipv4 : effects.ipv6 }

    fileprivate struct Segment {
        let flags: TCPFlags
        let isIPv4: Bool
    }

    fileprivate enum Truth {
        case yes, no
        /// The same for all segments of a connection.
        case ofConnection
        case unknown

        static func && (_ left: Truth, _ right: Truth) -> Truth {
            if left == .no || right == .no { return .no }
            if left == .unknown || right == .unknown { return .unknown }
            return left == .yes ? right : left
        }

        static func || (_ left: Truth, _ right: Truth) -> Truth {
            if left == .yes || right == .yes { return .yes }
            if left == .ofConnection || right == .ofConnection { return .ofConnection }
            return left == .no ? right : left
        }

        var opposite: Truth { self == .yes ? .no : self == .no ? .yes : self }
    }

    fileprivate indirect enum Node: Sendable {
        case both(Node, Node)
        case either(Node, Node)
        case not(Node)
        case comparison(Arithmetic, Comparison, Arithmetic)
        /// Of another protocol than TCP.
        case otherProtocol
        case anyTCP
        case ofConnection
        case unknown

        func takes(_ segment: Segment) -> Bool {
            switch truth(of: segment) {
            case .yes, .ofConnection: true
            case .no, .unknown: false
            }
        }

        func truth(of segment: Segment) -> Truth {
            switch self {
            case .both(let left, let right): left.truth(of: segment) && right.truth(of: segment)
            case .either(let left, let right): left.truth(of: segment) || right.truth(of: segment)
            case .not(let node): node.truth(of: segment).opposite
            case .comparison(let left, let comparison, let right):
                // Bytes of one IP version are compared in packets of that version only.
                if !left.isIn(segment) || !right.isIn(segment) {
                    .no
                } else if let left = left.value(segment), let right = right.value(segment) {
                    comparison.holds(left, right) ? .yes : .no
                } else {
                    .unknown
                }
            case .otherProtocol: .no
            case .anyTCP: .yes
            case .ofConnection: .ofConnection
            case .unknown: .unknown
            }
        }
    }

    fileprivate enum Comparison: String, Sendable {
        case equal = "="
        case equalInC = "=="
        case notEqual = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="

        /// BPF compares without a sign.
        func holds(_ left: UInt32, _ right: UInt32) -> Bool {
            switch self {
            case .equal, .equalInC: left == right
            case .notEqual: left != right
            case .less: left < right
            case .lessOrEqual: left <= right
            case .greater: left > right
            case .greaterOrEqual: left >= right
            }
        }
    }

    fileprivate indirect enum Arithmetic: Sendable {
        case constant(UInt32)
        /// Bytes of a header.
        case bytes(of: String, at: Arithmetic, count: Int)
        case length
        case operation(Arithmetic, Character, Arithmetic)

        /// Whether what it is computed from is in a packet of that IP version: tcp[...] reads IPv4 only.
        func isIn(_ segment: Segment) -> Bool {
            switch self {
            case .constant, .length: true
            case .bytes(let header, let place, _):
                place.isIn(segment)
                    && (header == "tcp" || header == "ip" ? segment.isIPv4 : header == "ip6" ? !segment.isIPv4 : true)
            case .operation(let left, _, let right): left.isIn(segment) && right.isIn(segment)
            }
        }

        /// Nil where it depends on more than flags.
        func value(_ segment: Segment) -> UInt32? {
            switch self {
            case .constant(let number): return number
            case .length: return nil
            case .bytes(let header, let place, let count):
                guard count == 1, let place = place.value(segment) else { return nil }
                switch (header, place) {
                case ("tcp", 13), ("ip6", 53): return UInt32(segment.flags.rawValue & 0xff)
                case ("ip", 9), ("ip6", 6): return 6
                default: return nil
                }
            case .operation(let left, let sign, let right):
                guard let left = left.value(segment), let right = right.value(segment) else { return nil }
                switch sign {
                case "&": return left & right
                case "|": return left | right
                case "^": return left ^ right
                case "+": return left &+ right
                case "-": return left &- right
                case "*": return left &* right
                case "/": return right == 0 ? nil : left / right
                case "%": return right == 0 ? nil : left % right
                case "«": return right < 32 ? left << right : 0
                case "»": return right < 32 ? left >> right : 0
                default: return nil
                }
            }
        }
    }
}

// MARK: - Reading

/// Reads the grammar of libpcap (grammar.y, scanner.l): `and` and `or` bind alike and group from the left.
private struct Parser {
    private var tokens: [String] = []
    private var place = 0
    private var depth = 0
    /// An expression of a file that nobody wrote by hand must not use up the stack.
    private static let mostDepth = 100
    private static let mostBytes = 1 << 16

    init(_ text: String) {
        if text.utf8.count <= Self.mostBytes { tokens = Self.tokens(text) }
    }

    /// Nil if it is no filter.
    mutating func parse() -> CaptureFilter.Node? {
        if tokens.isEmpty { return nil }
        guard let node = expression(), place == tokens.count else { return nil }
        return node
    }

    private var next: String? { place < tokens.count ? tokens[place] : nil }

    private mutating func take(_ words: String...) -> String? {
        guard let next, words.contains(next) else { return nil }
        place += 1
        return next
    }

    private mutating func expression() -> CaptureFilter.Node? {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.mostDepth, var node = term() else { return nil }
        var count = 0
        while let sign = take("and", "&&", "or", "||") {
            count += 1
            guard count <= Self.mostDepth, let right = term() else { return nil }
            node = sign == "and" || sign == "&&" ? .both(node, right) : .either(node, right)
        }
        return node
    }

    private mutating func term() -> CaptureFilter.Node? {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.mostDepth else { return nil }
        if take("not", "!") != nil { return term().map { .not($0) } }
        let begin = place
        if let comparison = comparison() { return comparison }
        place = begin
        if take("(") != nil {
            guard let inside = expression(), take(")") != nil else { return nil }
            return inside
        }
        return primitive()
    }

    /// Words up to the next operator.
    private mutating func primitive() -> CaptureFilter.Node? {
        var words: [String] = []
        while let word = next, !Self.ends.contains(word) {
            words.append(word)
            place += 1
        }
        guard let first = words.first, words.allSatisfy(Self.isPlain) else { return nil }
        // `port (80 or 443)`
        if next == "(" {
            place += 1
            guard expression() != nil, take(")") != nil else { return nil }
        }
        if words.contains(
            where: ["less", "greater", "gateway", "broadcast", "multicast", "inbound", "outbound"].contains)
        {
            return .unknown
        }
        if words == ["tcp"] || words == ["ip", "proto", "tcp"] { return .anyTCP }
        return Self.others.contains(first) ? .otherProtocol : .ofConnection
    }

    /// A name, a number, or what joins two: `10.0.0.0/8`, `1-1000`.
    private static func isPlain(_ word: String) -> Bool {
        word == "/" || word == "-" || word.first.map { $0.isLetter || $0.isNumber } == true
    }

    private static let ends: Set<String> = ["and", "&&", "or", "||", "(", ")"]
    private static let others: Set<String> = [
        "udp", "icmp", "icmp6", "igmp", "sctp", "arp", "rarp", "igrp", "pim", "vrrp", "carp", "ah", "esp", "stp", "iso",
    ]

    private mutating func comparison() -> CaptureFilter.Node? {
        guard let left = arithmetic(0), let sign = next, let comparison = CaptureFilter.Comparison(rawValue: sign)
        else { return nil }
        place += 1
        guard let right = arithmetic(0) else { return nil }
        return .comparison(left, comparison, right)
    }

    /// From the loosest to the tightest.
    private static let levels: [Set<String>] = [["|", "&", "^"], ["<<", ">>"], ["+", "-"], ["*", "/", "%"]]

    private mutating func arithmetic(_ level: Int) -> CaptureFilter.Arithmetic? {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.mostDepth else { return nil }
        guard level < Self.levels.count else { return operand() }
        guard var value = arithmetic(level + 1) else { return nil }
        var count = 0
        while let sign = next, Self.levels[level].contains(sign) {
            place += 1
            count += 1
            guard count <= Self.mostDepth, let right = arithmetic(level + 1) else { return nil }
            value = .operation(value, sign == "<<" ? "«" : sign == ">>" ? "»" : Character(sign), right)
        }
        return value
    }

    private mutating func operand() -> CaptureFilter.Arithmetic? {
        if take("(") != nil {
            guard let inside = arithmetic(0), take(")") != nil else { return nil }
            return inside
        }
        guard let word = next else { return nil }
        place += 1
        if word == "len" { return .length }
        if let number = Self.names[word] ?? Self.number(word) { return .constant(number) }
        guard take("[") != nil, let index = arithmetic(0) else { return nil }
        var count = 1
        if take(":") != nil {
            guard let size = next.flatMap(Self.number) else { return nil }
            place += 1
            count = Int(size)
        }
        return take("]") == nil ? nil : .bytes(of: word, at: index, count: count)
    }

    private static let names: [String: UInt32] = [
        "tcpflags": 13, "tcp-fin": 1, "tcp-syn": 2, "tcp-rst": 4, "tcp-push": 8, "tcp-ack": 16, "tcp-urg": 32,
        "tcp-ece": 64, "tcp-cwr": 128,
    ]

    private static func number(_ word: String) -> UInt32? {
        if word.hasPrefix("0x") || word.hasPrefix("0X") { return UInt32(word.dropFirst(2), radix: 16) }
        return word.hasPrefix("0") && word.count > 1 ? UInt32(word, radix: 8) : UInt32(word)
    }

    /// Words, numbers and operators. An address with colons is one word, but not inside of brackets.
    private static func tokens(_ text: String) -> [String] {
        var tokens: [String] = []
        var (word, brackets) = ("", 0)
        func isPart(_ character: Character) -> Bool {
            character.isLetter || character.isNumber || "._".contains(character)
                || (brackets == 0 && ":".contains(character) && !word.isEmpty)
                // `tcp-syn`, but `4-2`; a host name may have one, too.
                || (character == "-" && word.first?.isLetter == true)
        }
        func end() {
            if !word.isEmpty { tokens.append(word) }
            word = ""
        }
        var rest = text[...]
        while let character = rest.first {
            if isPart(character) {
                word.append(character)
                rest = rest.dropFirst()
                continue
            }
            end()
            if character.isWhitespace {
                rest = rest.dropFirst()
                continue
            }
            let pair = String(rest.prefix(2))
            let token = ["&&", "||", "!=", "==", "<=", ">=", "<<", ">>"].contains(pair) ? pair : String(character)
            if token == "[" { brackets += 1 }
            if token == "]" { brackets -= 1 }
            tokens.append(token)
            rest = rest.dropFirst(token.count)
        }
        end()
        return tokens
    }
}

/// Finds the ends of requests in what a client sends: HTTP/1 by header and body; of anything else, each chunk is a request.
///
/// The bytes are untrusted: it keeps at most `limit` of them, and a longer header counts as a request.
struct RequestFramer {
    private static let limit = 65_536
    private var head: [UInt8] = []
    private var body: Body = .none
    private(set) var requests = 0
    /// The first bytes of the connection, for the length of its first TLS record.
    private var first: [UInt8] = []
    private var total = 0

    private enum Body: Equatable {
        case none
        case bytes(Int)
        /// Up to the last chunk, with the bytes that came last.
        case chunks(tail: [UInt8])
    }

    /// Whether the first TLS record (RFC 8446, section 5.1) is complete, or, without TLS, the first 5 bytes.
    var hasHello: Bool {
        guard first.count == 5 else { return false }
        guard first[0] == 22 else { return true }
        return total >= 5 + (Int(first[3]) << 8 | Int(first[4]))
    }

    mutating func append(_ bytes: some Collection<UInt8>) {
        first += bytes.prefix(5 - first.count)
        total += bytes.count
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            switch body {
            case .none: readHead(&rest)
            case .bytes(let left):
                let count = min(left, rest.count)
                rest = rest.dropFirst(count)
                end(left - count == 0, else: .bytes(left - count))
            case .chunks(let tail):
                readChunks(tail, &rest)
            }
        }
    }

    private mutating func end(_ isOver: Bool, else body: Body) {
        self.body = isOver ? .none : body
        if isOver { requests += 1 }
    }

    private mutating func readHead(_ rest: inout ArraySlice<UInt8>) {
        let before = head.count
        let taken = rest.prefix(Self.limit - head.count)
        head += taken
        guard isText else {
            // Not HTTP: each chunk is a request.
            head = []
            rest = []
            requests += 1
            return
        }
        guard let end = endOfHead(from: max(0, before - 3)) else {
            rest = rest.dropFirst(taken.count)
            if head.count == Self.limit { self.finishHead(.none) }
            return
        }
        rest = rest.dropFirst(end - before)
        let fields = String(decoding: head[..<end], as: UTF8.self).lowercased().split(separator: "\r\n")
        func value(_ name: String) -> Substring? {
            fields.first { $0.hasPrefix(name) }.map { $0.dropFirst(name.count).drop { $0 == " " } }
        }
        if value("transfer-encoding:")?.contains("chunked") == true {
            finishHead(.chunks(tail: []))
        } else if let length = value("content-length:").flatMap({ Int($0) }), length > 0 {
            finishHead(.bytes(length))
        } else {
            finishHead(.none)
        }
    }

    private mutating func finishHead(_ body: Body) {
        head = []
        self.body = body
        if body == .none { requests += 1 }
    }

    /// An HTTP method consists of capital letters and is followed by a space.
    private var isText: Bool {
        let word = head.prefix { $0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z") }
        return !word.isEmpty && word.count < 16 && (word.count == head.count || head[word.count] == UInt8(ascii: " "))
    }

    private func endOfHead(from start: Int) -> Int? {
        let mark = Array("\r\n\r\n".utf8)
        guard head.count >= 4 else { return nil }
        for index in start...(head.count - 4)
        where head[index] == mark[0] && head[index..<index + 4].elementsEqual(mark) {
            return index + 4
        }
        return nil
    }

    private mutating func readChunks(_ tail: [UInt8], _ rest: inout ArraySlice<UInt8>) {
        let mark = Array("\r\n0\r\n\r\n".utf8)
        let bytes = tail + rest
        if bytes.count >= mark.count {
            for index in 0...(bytes.count - mark.count) where bytes[index..<index + mark.count].elementsEqual(mark) {
                rest = rest.dropFirst(index + mark.count - tail.count)
                end(true, else: .none)
                return
            }
        }
        rest = []
        body = .chunks(tail: bytes.suffix(mark.count - 1))
    }
}

/// When a connection is reset, and which ones.
public struct When: Sendable, Equatable, CustomStringConvertible {
    public enum Moment: Sendable, Equatable {
        /// As soon as it is accepted.
        case connected
        /// After this many bytes from the client.
        case received(Int)
        /// After this many bytes of an answer, or at the end of the first answer.
        case sent(Int)
        /// Nanoseconds after it was accepted.
        case elapsed(Int64)
        /// After the request with this number, before its answer.
        case request(Int)
        /// In the middle of a TLS handshake: the client has sent its first record and gets part of one.
        case hello
    }

    public var moment: Moment
    /// Every how many connections one is reset.
    public var every: Int

    public init(_ moment: Moment = .connected, every: Int = 1) {
        self.moment = moment
        self.every = every
    }

    /// As in the log, in the words of the command line.
    public var description: String {
        let text =
            switch moment {
            case .connected: "connect"
            case .received(let count): "received=\(count)"
            case .sent(let count): "sent=\(count)"
            case .elapsed(let time): "after=\(Double(time) / 1e9)s"
            case .request(let number): "request=\(number)"
            case .hello: "tls"
            }
        return every == 1 ? text : "\(text),every=\(every)"
    }
}

/// Chooses the connections that are reset.
struct Selection {
    let every: Int
    /// The share of the chosen connections that is reset, 0 to 1.
    let rate: Double
    /// How many more are to be reset; nil for no limit.
    private(set) var left: Int?
    private var number = 0

    init(every: Int, rate: Double, count: Int?) {
        self.every = max(1, every)
        self.rate = rate
        left = count
    }

    /// Whether the next connection is one of them.
    mutating func next() -> Bool {
        number &+= 1
        guard number % every == 0, left != 0 else { return false }
        guard rate >= 1 || Double.random(in: 0..<1) < rate else { return false }
        if let some = left { left = some - 1 }
        return true
    }

    /// Notes that a connection that was chosen ended before it could be reset.
    mutating func giveBack() {
        if let some = left { left = some + 1 }
    }
}

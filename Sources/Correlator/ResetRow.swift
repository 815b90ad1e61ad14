public import NetworkTypes

/// What a line about a RST needs.
public struct ResetRow: Sendable, Equatable {
    /// See `Reset`.
    public internal(set) var id: Int
    public let time: Int64
    public let tuple: FourTuple
    public let cause: Cause
    public let certainty: Certainty
    public let outcome: Outcome
    public let direction: Direction
    public let hasWallClock: Bool
    /// Those of the cause.
    let traits: CauseTraits
    /// It was captured while no hook was there to report it.
    public let outsideEvents: EventGapSide?
    /// When it was by a clock that nobody sets, nanoseconds: the order of the list.
    let steadyTime: Int64
    public let service: ServiceEnd
    /// Neither end was seen to send data, of a cause for which that is asked.
    let hasNoData: Bool
    /// The sender had an answer to all that it had asked in this connection, as far as both is known.
    let isAnswered: Bool
    /// Nanoseconds without any segment before it, where the packets had to speak for themselves.
    let silence: UInt64?
    /// See `ResetList.attribution(of:)`.
    var attribution: Int32 = -1

    /// Its place among the regular checks of the list; -1 for none.
    var check: Int32 = -1

    /// Judged by packets, to which those that come after it belong.
    public var isOpen: Bool { outcome == .wireOnly }
    /// The RST refuses a connection in which no data was sent: what a scanner gets for an answer.
    var turnsAway: Bool { hasNoData && traits.contains(.turnsAway) }
    /// See `Reset`; 0 if it follows from none.
    var followed: Int32 = 0
    /// The first RST of the connection, from which this one follows.
    public var follows: Int? { followed == 0 ? nil : Int(followed) }
}

extension ResetRow {
    init(_ reset: Reset) {
        let opener = reset.flow?.opener
        let traits = reset.cause.traits
        self.init(
            id: reset.id, time: reset.time, tuple: reset.tuple, cause: reset.cause, certainty: reset.certainty,
            outcome: reset.outcome, direction: reset.direction, hasWallClock: reset.hasWallClock, traits: traits,
            outsideEvents: reset.outsideEvents, steadyTime: reset.time,
            service: ServiceEnd(reset.tuple, opener: opener, Evidence()),
            hasNoData: reset.flow.map { $0.sender.bytes == 0 && $0.receiver.bytes == 0 } ?? traits.contains(.turnsAway),
            isAnswered: false,
            silence: reset.flow?.silence, followed: Int32(truncatingIfNeeded: reset.follows ?? 0))
    }
}

/// What a report needs to know about a cause besides its texts. A RST carries the traits of its cause, to save lookups.
struct CauseTraits: OptionSet, Sendable {
    let rawValue: UInt16

    /// Answers a peer that was not expected.
    static let turnsAway = CauseTraits(rawValue: 1 << 0)
    /// Answers the attempt to open a connection.
    static let refusesConnection = CauseTraits(rawValue: 1 << 1)
    /// A service that sends such a RST was running.
    static let showsService = CauseTraits(rawValue: 1 << 2)
    /// Answers a segment of a connection that this host may have had.
    static let answersEndedConnection = CauseTraits(rawValue: 1 << 3)
    /// The segment no longer met a socket of its connection.
    static let meetsNoConnection = CauseTraits(rawValue: 1 << 4)
    /// May be a consequence of an earlier RST of its connection.
    static let mayFollow = CauseTraits(rawValue: 1 << 5)
    /// The same for packets alone: they do not show what each segment met, and a kernel refuses data after close() only once.
    static let mayFollowOnWire = CauseTraits(rawValue: 1 << 6)
    /// A health check may end its connection this way.
    static let mayEndCheck = CauseTraits(rawValue: 1 << 7)
    /// A scanner may end its connection this way.
    static let mayEndScan = CauseTraits(rawValue: 1 << 8)
    /// Sent by a scanner's host, whose kernel knows nothing of the connection.
    static let sentByScanner = CauseTraits(rawValue: 1 << 9)
    /// The way the process ended decides what to do. (SO_LINGER, in contrast, was set by the program, however it ended.)
    static let explainedByProcessEnd = CauseTraits(rawValue: 1 << 10)

    /// What a scanner gets as an answer, or uses to end its connection.
    static let mayBeOfScan: CauseTraits = [.turnsAway, .mayEndScan]
}

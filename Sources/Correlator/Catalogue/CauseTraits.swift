/// What a report asks of a cause beyond its words. A RST carries the traits of its cause, so that nobody has to look them up.
struct CauseTraits: OptionSet, Sendable {
    let rawValue: UInt16

    /// Answers a peer that was not expected.
    static let turnsAway = CauseTraits(rawValue: 1 << 0)
    /// Answers the attempt to open a connection.
    static let refusesConnection = CauseTraits(rawValue: 1 << 1)
    /// A service that sends such a RST was there.
    static let showsService = CauseTraits(rawValue: 1 << 2)
    /// Answers a segment of a connection that this host may have had.
    static let answersEndedConnection = CauseTraits(rawValue: 1 << 3)
    /// The segment met no socket of its connection any more.
    static let meetsNoConnection = CauseTraits(rawValue: 1 << 4)
    /// May be what an earlier RST of its connection left.
    static let mayFollow = CauseTraits(rawValue: 1 << 5)
    /// The same where only packets speak: they do not show what each segment met, and a kernel refuses data after close()
    /// once.
    static let mayFollowOnWire = CauseTraits(rawValue: 1 << 6)
    /// A health check may end its connection so.
    static let mayEndCheck = CauseTraits(rawValue: 1 << 7)
    /// A scanner may end its connection so.
    static let mayEndScan = CauseTraits(rawValue: 1 << 8)
    /// Sent by a scanner's host, whose kernel knows nothing of the connection.
    static let sentByScanner = CauseTraits(rawValue: 1 << 9)
    /// How the process ended says what to do. SO_LINGER was set by the program, however the process ended.
    static let explainedByProcessEnd = CauseTraits(rawValue: 1 << 10)

    /// What a scanner gets for an answer, or ends its connection with.
    static let mayBeOfScan: CauseTraits = [.turnsAway, .mayEndScan]
}

import NetworkTypes

extension Injection {
    /// What speaks for a third party. Words are made of it where somebody wants to read them: every RST is asked, and few
    /// have any.
    enum Sign: Sendable {
        /// The RST's TTL is not that of all segments of its end.
        case otherTTL(UInt8, usual: UInt8, segments: Int)
        case otherID(UInt16, last: UInt16)
        /// The IP identification is that of a segment it has seen of the other end, and the window too, perhaps.
        case copied(UInt16, from: Int, window: Bool)
        /// Without ACK, and with a window: stacks answer with 0.
        case oddWindow(UInt16)
        case goesOn(LaterNote)
        /// The packet that accepts the SYN that the RST refuses.
        case races(Int)
        case knownStep(UInt32, from: Int, who: String)
        case climbs([UInt32])
        /// Nanoseconds after the first segment that it can be an answer to, where the end needs so much longer.
        case tooFast(UInt64, roundTrip: UInt64)
        /// RSTs of one end within a moment.
        case severalTTLs([UInt8])
        /// It denies a segment that the end had taken.
        case deniesTaken(Int, by: Int)
        /// The other end had reset the connection, so that this end no longer had it.
        case afterReset(Int, UInt64)
        /// Bytes in no known format.
        case payload(UInt32)
        /// It is like a RST of this connection that a third party sent, and not like the end.
        case sibling(Int)
        /// It is like one of another connection.
        case knownElsewhere(Int)
        /// The file of a capture at its end that never saw it.
        case absent(String)
    }
}

extension Injection.Sign {
    enum Weight { case decisive, header, slight, behaviour }

    var weight: Weight {
        switch self {
        case .races, .absent, .sibling: .decisive
        // Who chooses a TTL for each segment at random.
        case .severalTTLs(let all): all.count > 2 ? .decisive : .behaviour
        // A router that answers for a host, or a path that differs from the way back, changes it by one or two.
        case .otherTTL(let ttl, let usual, _): max(ttl, usual) - min(ttl, usual) > 2 ? .header : .slight
        case .otherID, .copied: .header
        case .oddWindow: .slight
        case .goesOn, .knownStep, .climbs, .tooFast, .deniesTaken, .afterReset, .payload,
            .knownElsewhere:
            .behaviour
        }
    }

    /// It is explained by a rule that rejects segments before the end.
    var isThatOfReject: Bool {
        switch self {
        case .otherTTL, .goesOn, .tooFast: true
        default: false
        }
    }

    /// A clause, with packet numbers.
    var text: String {
        switch self {
        case .otherTTL(let ttl, let usual, let segments):
            segments == 1
                ? "TTL \(ttl), but \(usual) in the other segment of that end"
                : "TTL \(ttl), but \(usual) in all \(segments) segments of that end"
        case .otherID(let id, let last): "IP ID \(id), but that end continues counting from \(last)"
        case .copied(let id, let number, let window):
            "its IP ID \(id)\(window ? " and its window are" : " is") copied from packet \(number)"
        case .oddWindow(let window): "it has no ACK, and a window of \(window) where stacks send 0"
        case .goesOn(let next):
            next.length > 0
                ? "that end sends new data after it (packet \(next.number), \(next.length) bytes)"
                : "that end acknowledges new data after it (packet \(next.number))"
        case .races(let number): "packet \(number) accepts the SYN that this RST refuses"
        case .knownStep(let step, let number, let who):
            "its sequence number and that of packet \(number) differ by \(step): \(who)"
        case .climbs(let steps):
            "one of \(steps.count + 1) RSTs whose sequence numbers increase by \(steps.map(String.init).joined(separator: ", ")), ahead of what that end has sent: a series meant to hit the window"
        case .tooFast(let delay, let roundTrip):
            "it comes \(TimeSpan(nanoseconds: delay)) after what it answers, but the round trip from here to that end takes \(TimeSpan(nanoseconds: roundTrip))"
        case .severalTTLs(let all):
            "RSTs from that end within a millisecond have the TTLs \(all.map(String.init).joined(separator: ", "))"
        case .deniesTaken(let trigger, let number):
            "it refuses packet \(trigger), which that end had accepted (packet \(number))"
        case .afterReset(let number, let age):
            "the other end had reset the connection \(TimeSpan(nanoseconds: age)) earlier (packet \(number)): that end had nothing left to reset"
        case .payload(let length): "it carries \(length) bytes in an unknown format"
        case .sibling(let number):
            "it resembles packet \(number), which a third party sent, and not that end's segments"
        case .knownElsewhere(let number):
            "it resembles packet \(number) of another connection, which a third party sent"
        case .absent(let file): "\(file), captured at that end, does not have it"
        }
    }
}

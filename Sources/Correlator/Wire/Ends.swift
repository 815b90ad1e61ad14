/// What both ends of a connection have sent, as one value that is copied when it is changed and somebody else has it: most
/// RSTs are the last segment of their connection, and what came before them is then what there is of it.
struct Ends: Sendable {
    /// Empty as long as neither end has sent anything: many a RST is all there is of its connection.
    private var storage: [Pair] = []
    private static let nothing = FlowSide()

    private struct Pair: Sendable {
        // Two properties, not an array: a segment changes one while the other is looked at, and neither is copied.
        var first = FlowSide()
        var second = FlowSide()
    }

    /// 0 for the sender of the first segment, 1 for the other end.
    subscript(side: Int) -> FlowSide {
        _read {
            if storage.isEmpty {
                yield Self.nothing
            } else if side == 0 {
                yield storage[0].first
            } else {
                yield storage[0].second
            }
        }
        _modify {
            if storage.isEmpty { storage.append(Pair()) }
            if side == 0 { yield &storage[0].first } else { yield &storage[0].second }
        }
    }

    var both: [FlowSide] { [self[0], self[1]] }

    /// Changes one end with a look at the other, and the other way round.
    mutating func withEnds<Result>(
        of side: Int, _ body: (_ own: inout FlowSide, _ peer: inout FlowSide) -> Result
    ) -> Result {
        if storage.isEmpty { storage.append(Pair()) }
        return Self.apply(&storage[0], side, body)
    }

    private static func apply<Result>(
        _ pair: inout Pair, _ side: Int, _ body: (_ own: inout FlowSide, _ peer: inout FlowSide) -> Result
    ) -> Result {
        side == 0 ? body(&pair.first, &pair.second) : body(&pair.second, &pair.first)
    }
}

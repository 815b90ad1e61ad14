/// What both ends of a connection have sent, as one value that is copied when it is changed and somebody else has it: most
/// RSTs are the last segment of their connection, and what came before them is then what there is of it. Many a RST is all
/// there is of its connection.
struct Ends: Sendable {
    private var pair = Seldom<Pair>()

    private struct Pair: Sendable, StartsEmpty {
        // Two properties, not an array: a segment changes one while the other is looked at, and neither is copied.
        var first = FlowSide()
        var second = FlowSide()
    }

    /// Neither end has sent anything.
    var isEmpty: Bool { pair.isEmpty }

    /// 0 for the sender of the first segment, 1 for the other end.
    subscript(side: Int) -> FlowSide {
        _read {
            if side == 0 { yield pair.value.first } else { yield pair.value.second }
        }
        _modify {
            if side == 0 { yield &pair.value.first } else { yield &pair.value.second }
        }
    }

    /// Changes one end with a look at the other, and the other way round.
    mutating func withEnds<Result>(
        of side: Int, _ body: (_ own: inout FlowSide, _ peer: inout FlowSide) -> Result
    ) -> Result {
        Self.apply(&pair.value, side, body)
    }

    private static func apply<Result>(
        _ pair: inout Pair, _ side: Int, _ body: (_ own: inout FlowSide, _ peer: inout FlowSide) -> Result
    ) -> Result {
        side == 0 ? body(&pair.first, &pair.second) : body(&pair.second, &pair.first)
    }
}

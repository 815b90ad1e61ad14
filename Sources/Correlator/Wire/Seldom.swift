/// A value that few owners have: one word until it is changed, and copied only when it is changed while somebody else has
/// it too.
struct Seldom<Value: Sendable & StartsEmpty>: Sendable {
    private var box: Box?

    // What is shared is never changed: `value` copies it first.
    private final class Box: @unchecked Sendable {
        var value: Value
        init(_ value: Value) { self.value = value }
    }

    var value: Value {
        _read {
            if let box { yield box.value } else { yield Value() }
        }
        _modify {
            if box == nil {
                box = Box(Value())
            } else if !isKnownUniquelyReferenced(&box), let shared = box {
                box = Box(shared.value)
            }
            yield &box!.value
        }
    }
}

extension Seldom: Equatable where Value: Equatable {
    static func == (a: Self, b: Self) -> Bool { a.box === b.box || a.value == b.value }
}

/// What there is before anything has happened.
protocol StartsEmpty {
    init()
}

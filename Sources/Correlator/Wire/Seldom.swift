/// A value that few owners have: one word until it is changed, and copied only when it is changed while somebody else has
/// it too.
struct Seldom<Value: Sendable & Equatable & StartsEmpty>: Sendable, Equatable {
    /// None or one.
    private var storage: [Value] = []

    var value: Value {
        _read {
            if storage.isEmpty { yield Value() } else { yield storage[0] }
        }
        _modify {
            if storage.isEmpty { storage.append(Value()) }
            yield &storage[0]
        }
    }
}

/// What there is before anything has happened.
protocol StartsEmpty {
    init()
}

/// A value that takes one word of its owner. Owners may share a copy, which is never changed.
struct Shared<Value: Sendable & Equatable>: Sendable, Equatable {
    private let box: Box

    private final class Box: Sendable {
        let value: Value
        init(_ value: Value) { self.value = value }
    }

    init(_ value: Value) { box = Box(value) }

    var value: Value { box.value }

    static func == (a: Self, b: Self) -> Bool { a.box === b.box || a.value == b.value }
}

/// Values that come again and again: who ran, who owns a socket.
///
/// The table is small and forgets: a new value takes the slot of the one it collides with.
struct SharedValues<Value: Sendable & Equatable> {
    private static var size: Int { 256 }
    private var slots = [Shared<Value>?](repeating: nil, count: size)

    /// - Parameter number: equal for equal values, and as often as not another one for others.
    mutating func shared(_ value: Value, number: Int32) -> Shared<Value> {
        let slot = Int(number) & (Self.size - 1)
        if let known = slots[slot], known.value == value { return known }
        let new = Shared(value)
        slots[slot] = new
        return new
    }
}

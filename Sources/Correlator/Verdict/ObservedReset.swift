import KernelEvents

/// The observations of one RST, told apart.
struct ObservedReset {
    /// In the order of time.
    let packets: FewReferences
    /// A RST that crosses several devices is emitted on each.
    let emits: FewReferences
    let decision: Reference?

    /// - Parameter members: not empty.
    init(_ members: ArraySlice<Reference>, _ inventory: Inventory) {
        var packets = FewReferences()
        var emits = FewReferences()
        var decisions = FewReferences()
        for member in members {
            if !inventory.isEvent(member) {
                packets.append(member)
            } else if inventory.event(member).kind == .emit {
                emits.append(member)
            } else {
                decisions.append(member)
            }
        }
        func isEarlier(_ a: Reference, _ b: Reference) -> Bool { inventory.time(a) < inventory.time(b) }
        packets.sort(by: isEarlier)
        emits.sort(by: isEarlier)
        self.packets = packets
        self.emits = emits
        decision = decisions.min(by: isEarlier)
    }

    /// The first device shows who made the RST.
    var origin: Reference? { emits.first }
    var lead: Reference? { emits.first ?? decision }
}

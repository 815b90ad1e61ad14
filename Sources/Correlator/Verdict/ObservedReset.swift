import KernelEvents

/// The observations of one RST, told apart.
struct ObservedReset {
    /// In the order of time.
    let packets: FewReferences
    /// A RST that crosses several devices is emitted on each.
    let emits: FewReferences
    let decision: Reference?
    /// What the host that received it recorded.
    let reception: Reference?

    /// - Parameter members: not empty.
    init(_ members: ArraySlice<Reference>, _ inventory: Inventory) {
        var packets = FewReferences()
        var emits = FewReferences()
        var decisions = FewReferences()
        var receptions = FewReferences()
        for member in members {
            guard inventory.isEvent(member) else {
                packets.append(member)
                continue
            }
            switch inventory.event(member).kind {
            case .emit: emits.append(member)
            case .decide: decisions.append(member)
            case .receive, .fail: receptions.append(member)
            }
        }
        func isEarlier(_ a: Reference, _ b: Reference) -> Bool { inventory.time(a) < inventory.time(b) }
        packets.sort(by: isEarlier)
        emits.sort(by: isEarlier)
        self.packets = packets
        self.emits = emits
        decision = decisions.min(by: isEarlier)
        let accepted = receptions.filter { inventory.event($0).reception?.fate == .accepted }
        reception = accepted.min(by: isEarlier) ?? receptions.min(by: isEarlier)
    }

    /// The first device shows who made the RST.
    var origin: Reference? { emits.first }
    var lead: Reference? { emits.first ?? decision }
}

extension Reset {
    /// What became of a RST that the host that it was for did not receive.
    public enum Delivery: String, Sendable, CaseIterable {
        /// That host's capture, which has all of that time, does not have it.
        case lost
        /// It ended no established connection there: it was lost on the way, filtered or ignored, or ended a handshake.
        case withoutEffect = "without-effect"
    }
}

extension HostWitness.Delivery {
    var outcome: Reset.Delivery {
        switch self {
        case .lost: .lost
        case .withoutEffect: .withoutEffect
        }
    }

    /// Why the other end did not get it.
    var sentence: String {
        switch self {
        case .lost(let host):
            "not received by \(host): its capture and its kernel events are complete, and have no such RST: lost on the way, or filtered"
        case .withoutEffect(let host):
            // A request that is not a socket yet ends without an event.
            "without effect on \(host), unless the handshake was not over there: its kernel events are complete, and no RST ended an established connection there: lost on the way, filtered or ignored"
        }
    }
}

import Correlator

/// `abort-on-close or linger-zero, inferred`: cause, candidates and certainty wherever one line names them.
func verdict(_ cause: Cause, _ candidates: [Cause], _ certainty: Certainty) -> String {
    let names = candidates.map(\.rawValue)
    if cause == .unknown { return names.isEmpty ? "unknown" : "unknown: \(names.joined(separator: " or "))" }
    let others = names.filter { $0 != cause.rawValue }
    return ([cause.rawValue] + others).joined(separator: " or ") + ", " + certainty.rawValue
}

extension Reset.Location {
    /// Where a process runs: its container, pod or unit, as the tools of runtimes show them; nil without any.
    var shortName: String? {
        // Of 64 digits, the first twelve are shown.
        if let container = identity.container {
            return "container \(container.count == 64 ? String(container.prefix(12)) : container)".printable
        }
        if let pod = identity.pod { return "pod \(pod)".printable }
        return identity.unit?.printable
    }
}

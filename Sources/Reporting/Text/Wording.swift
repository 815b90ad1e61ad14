import Correlator
import KernelEvents

/// `abort-on-close or linger-zero, inferred`: cause, candidates and certainty wherever one line names them.
func verdict(_ cause: Cause, _ candidates: [Cause], _ certainty: Certainty) -> String {
    let names = candidates.map(\.rawValue)
    if cause == .unknown { return names.isEmpty ? "unknown" : "unknown: \(names.joined(separator: " or "))" }
    // A cause that stands for several others is none of them.
    guard names.isEmpty || names.contains(cause.rawValue) else {
        return "\(cause.rawValue) (\(names.joined(separator: " or "))), \(certainty.rawValue)"
    }
    let others = names.filter { $0 != cause.rawValue }
    return ([cause.rawValue] + others).joined(separator: " or ") + ", " + certainty.rawValue
}

/// A duration for a headline: `2 h 10 min`, `3 days 4 h`.
func roughly(nanoseconds: UInt64) -> String {
    let minutes = nanoseconds / 60_000_000_000
    if minutes < 2 { return TimeSpan(nanoseconds: nanoseconds).description }
    if minutes < 120 { return "\(minutes) min" }
    if minutes < 48 * 60 { return "\(minutes / 60) h \(minutes % 60) min" }
    return "\(minutes / 1440) days \(minutes / 60 % 24) h"
}

extension Reset.Location {
    /// Where a process runs: its container, pod or unit, as container tools show it; nil if none.
    var shortName: String? {
        if let container {
            if let pod = container.podTitle { return "pod \(pod)".printable }
            if let name = container.name { return "container \(name)".printable }
        }
        if let id = shortID { return "container \(id)".printable }
        if let pod = identity.pod { return "pod \(pod)".printable }
        return identity.unit?.printable
    }

    /// `container web (9bca8d63d5fa)`; nil if there is none.
    var containerNames: String? {
        guard let id = shortID else { return nil }
        return (container?.name.map { "container \($0) (\(id))" } ?? "container \(id)").printable
    }

    /// Of the 64 digits of an ID, the first twelve are shown.
    private var shortID: String? {
        identity.container.map { $0.count == 64 ? String($0.prefix(12)) : $0 }
    }

    /// `pod shop/web-0 (214f3ba8-4b69-4bdb-a7d5-5ecc73f04ae9)`; nil if there is none.
    var podNames: String? {
        guard let name = container?.podTitle else { return identity.pod.map { "pod \($0)".printable } }
        return (identity.pod.map { "pod \(name) (\($0))" } ?? "pod \(name)").printable
    }
}

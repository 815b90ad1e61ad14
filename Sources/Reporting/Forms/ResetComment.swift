public import Correlator

/// A comment on the packet of a RST, for programs that show packets: what `report -v` says of it.
///
/// The first line is for programs: `rst-analyze: CAUSE, CERTAINTY`, with the other candidates after `or`.
public func packetComment(on reset: Reset) -> String {
    var options = TextReport.Options()
    options.width = .max
    var page = TextReport(options: options)
    page.details(reset)
    let details = page.text.split(separator: "\n").map { $0.drop { $0 == " " } }
    let direction = reset.direction == .unknown ? "" : "; \(reset.direction.rawValue)"
    return
        (["rst-analyze: " + verdict(reset.cause, reset.candidates, reset.certainty) + direction]
        + details.map(String.init))
        .joined(separator: "\n")
}

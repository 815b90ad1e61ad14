import Correlator
import NetworkTypes

extension TextReport {
    /// What ICMP errors ended: the person who asks why a connection was refused gets the answer beside the RSTs.
    mutating func refusals(_ refusals: [ICMPRefusal]) {
        guard !refusals.isEmpty else { return }
        wrap("\(refusals.count.counted("connection")) ended by ICMP errors, not by RSTs:", indent: 0)
        for refusal in refusals.prefix(Self.shownRefusals) {
            let tuple = refusal.tuple
            let ends =
                "\(tuple.source.text(port: tuple.sourcePort)) > \(tuple.destination.text(port: tuple.destinationPort))"
            wrap(
                "icmp-refused, \(refusal.certainty.rawValue): \(ends): \(refusal.sentence)".printable, indent: 2,
                hanging: 4)
        }
        if refusals.count > Self.shownRefusals {
            wrap("and \((refusals.count - Self.shownRefusals).grouped) more (--format json has them)", indent: 2)
        }
    }

    private static let shownRefusals = 10
}

import Correlator
import NetworkTypes

extension TextReport {
    /// If there is no RST, what else ended connections in the middle of an exchange.
    mutating func unfinished(_ report: Report) {
        for (file, connections) in report.unfinished where connections.count > 0 {
            let name = report.unfinished.count > 1 ? "\(file.printable): " : ""
            wrap(
                "\(name)\(connections.count.grouped) of \(connections.connections.counted("connection")) ended in the middle of an exchange without a RST:",
                indent: 0)
            for group in connections.groups {
                let tuple = group.tuple
                let ends =
                    "\(tuple.source.text(port: tuple.sourcePort)) > \(tuple.destination.text(port: tuple.destinationPort))"
                wrap("\(group.count.grouped) \(Self.words(group)), e.g. packet \(group.packet), \(ends)", indent: 2)
            }
        }
        for file in report.tooLarge {
            wrap(
                "\(file.printable): not examined for connections that ended without a RST (more than \(UnfinishedConnections.mostSegments.grouped) TCP segments)",
                indent: 0)
        }
    }

    private static func words(_ group: UnfinishedConnections.Group) -> String {
        switch group.kind {
        case .unacknowledged: "fell silent with data that was retransmitted and never acknowledged"
        case .windowClosed: "fell silent while the receiver's window was closed"
        case .probesUnanswered: "fell silent after keepalive probes that were not answered"
        case .closedUnanswered:
            "\(group.count == 1 ? "was" : "were") closed (FIN) with the other end's last data unanswered"
        case .neverAnswered: "never began: \(group.count == 1 ? "its SYN was" : "their SYNs were") never answered"
        }
    }
}

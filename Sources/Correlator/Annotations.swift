import NetworkTypes
import PcapReader

extension EntryBuilder {
    /// How many names of an address are shown; a file may have thousands.
    private static let shownNames = 3

    /// The captures' comments on a RST, and their names for its ends.
    func annotations(_ packets: FewReferences, _ tuple: FourTuple) -> [Fact] {
        var facts: [Fact] = []
        for packet in packets {
            let capture = inventory.captures[Int(packet.source)]
            guard !capture.remarks.comments.isEmpty else { continue }
            let number = inventory.packet(packet).number
            for comment in capture.remarks.comments[number] ?? [] {
                let lines = comment.split(whereSeparator: \.isNewline).joined(separator: "; ")
                facts.append(Fact("comment in the capture: \(lines)", from: .packet(number)))
            }
        }
        for end in [tuple.source, tuple.destination] {
            var names: [String] = []
            for capture in inventory.captures where !capture.summary.names.isEmpty && names.count < Self.shownNames {
                for name in (capture.summary.names[end.description] ?? []).prefix(Self.shownNames)
                where !names.contains(name) {
                    names.append(name)
                }
            }
            guard !names.isEmpty else { continue }
            let list = names.prefix(Self.shownNames).joined(separator: ", ")
            facts.append(Fact("name in the capture: \(end) is \(list)", from: .report))
        }
        return facts
    }
}

import Glibc
package import Laboratory
package import NetworkTypes

extension Scenarios {
    /// The server's port in `forged(_:in:)`.
    package static let forgedPort: UInt16 = 82

    /// A router between two hosts forges RSTs in the name of each, with the number that the other one expects, and each of
    /// these hosts sends data afterwards, which the other one refuses.
    ///
    /// - Parameter count: how many connections, half of which end at each host. After `translatedBurst`, in the same lab.
    package static func forged(_ count: Int, in lab: Lab) throws -> [FourTuple] {
        let router = lab.router!
        let inner = try router.tap("port0")
        let outer = try router.tap("eth1")
        let listener = try lab.server.listen(forgedPort, backlog: 64)
        defer { listener.close() }
        let service = lab.server.endpoint(forgedPort)
        var forged: [FourTuple] = []
        for index in 0..<count {
            let own = lab.client.endpoint(UInt16(50_000 + index))
            let client = try lab.client.connect(to: service) { try $0.bind(own) }
            let server = try listener.accept()
            let (inside, outside) = (try client.local(), try server.remote())
            let syn = try outer.next("SYN") { $0.flags == .syn && $0.source == outside }
            let answer = try outer.next("SYN+ACK") {
                $0.flags.isSuperset(of: [.syn, .ack]) && $0.destination == outside
            }
            if index % 2 == 0 {
                let reset = RawSegment(from: service, to: inside, .rst, seq: answer.nextSeq)
                try inner.send(reset.packet, to: try lab.client.hardwareAddress(), hidden: true)
                forged.append(reset.tuple)
                try wait(for: "the client's end") { try client.state() == .close }
                try server.send(10)
                try wait(for: "the server's end") { try server.state() == .close }
            } else {
                let reset = RawSegment(from: outside, to: service, .rst, seq: syn.nextSeq)
                try outer.send(reset.packet, to: try lab.server.hardwareAddress(), hidden: true)
                forged.append(reset.tuple)
                try wait(for: "the server's end") { try server.state() == .close }
                try client.send(10)
                try wait(for: "the client's end") { try client.state() == .close }
            }
            client.close()
            server.close()
        }
        return forged
    }
}

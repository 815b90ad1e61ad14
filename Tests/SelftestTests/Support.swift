import Foundation
import Glibc
import NetworkTypes
import Testing

@testable import Laboratory
@testable import Selftest

/// The executable that stands in for `rst-analyze selftest-actor`: it is beside the test bundle.
let actor: ActorCommand = {
    let executable = Bundle.allBundles.map(\.bundleURL).first { $0.pathExtension == "xctest" }
    let folder =
        executable?.deletingLastPathComponent()
        ?? URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    return ActorCommand(path: folder.appendingPathComponent("SelftestRunner").path, arguments: ["actor"])
}()

let isRoot = geteuid() == 0

/// Taps on every capture point of a lab.
struct Sniffer {
    private let taps: [(CapturePoint, PacketTap)]

    init(_ lab: Lab) throws {
        taps = try lab.captures.map { point in
            let node = try #require(
                [lab.server, lab.client, lab.router].compactMap { $0 }.first { $0.netns == point.netns })
            return (point, try node.tap(point.interface))
        }
    }

    /// The four-tuples of the resets that passed each capture point until now, and for a little longer.
    func resets() throws -> [CapturePoint: [RawSegment]] {
        var seen: [CapturePoint: [RawSegment]] = [:]
        let deadline = Deadline(milliseconds: 20)
        for (point, tap) in taps {
            while let segment = try tap.next(until: deadline) {
                if segment.flags.contains(.rst) { seen[point, default: []].append(segment) }
            }
        }
        return seen
    }
}

/// Runs the helper process and returns the lines that it printed.
func runner(_ words: String...) throws -> [String] {
    try Command.run([actor.path] + words).split(separator: "\n").map(String.init)
}

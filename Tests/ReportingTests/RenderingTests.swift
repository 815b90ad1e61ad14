import Foundation
import JSONText
import KernelEvents
import NetworkTypes
import Testing

@testable import Correlator
@testable import Reporting

@Suite struct UTCTimeTests {
    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00.000000000Z"), (1_795_223_793_561_466_836, "2026-11-21T01:16:33.561466836Z"),
        (951_782_400_000_000_000, "2000-02-29T00:00:00.000000000Z"), (-1, "1969-12-31T23:59:59.999999999Z"),
        (.max, "2262-04-11T23:47:16.854775807Z"), (.min, "1677-09-21T00:12:43.145224192Z"),
    ])
    func dates(_ nanoseconds: Int64, _ text: String) {
        var json = JSONWriter()
        json.time(UTCTime(nanoseconds: nanoseconds))
        #expect(String(decoding: json.finish(), as: UTF8.self) == "\"\(text)\"")
    }
}

@Suite struct JSONNumberTests {
    @Test func everyLengthIsWritten() {
        var powers: [UInt64] = [1]
        while let next = powers.last?.multipliedReportingOverflow(by: 10), !next.overflow {
            powers.append(next.partialValue)
        }
        #expect(powers.count == 20)
        let bits = (0..<64).map { UInt64(1) << UInt64($0) }
        for value in [0, .max] + (powers + bits).flatMap({ [$0 - 1, $0, $0 + 1] }) {
            var json = JSONWriter()
            json.number(value)
            #expect(String(decoding: json.finish(), as: UTF8.self) == "\(value)")
        }
        for value in [Int64.min, -10, -1, 0, .max] {
            var json = JSONWriter()
            json.number(value)
            #expect(String(decoding: json.finish(), as: UTF8.self) == "\(value)")
        }
    }
}

@Suite struct JSONStringTests {
    /// Several bytes are examined at once: what has to be escaped may be at any place among them.
    @Test func whatIsEscapedDoesNotDependOnItsPlace() throws {
        let scalars = (0...0x17f).compactMap(Unicode.Scalar.init) + ["\u{2028}", "\u{202e}", "\u{1f980}"]
        let texts = scalars.flatMap { scalar in
            (0...17).map { String(repeating: "x", count: $0) + String(scalar) + String(repeating: "y", count: 17 - $0) }
        }
        var json = JSONWriter()
        for (index, text) in texts.enumerated() {
            json.raw(index == 0 ? "[" : ",")
            json.string(text)
        }
        json.raw("]")
        let bytes = json.finish()
        #expect(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String] == texts)
        let isPlain = String(decoding: bytes, as: UTF8.self).unicodeScalars.allSatisfy {
            $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value)
        }
        #expect(isPlain)
    }
}

@Suite struct RenderingTests {
    private func report(
        comm: String, interface: String, changing change: (inout Reset) -> Void = { _ in }
    ) -> Report {
        let tuple = FourTuple(
            source: IPAddress(ipv4: 0x0a00_0001), sourcePort: 80, destination: IPAddress(ipv4: 0x0a00_0002),
            destinationPort: 40000)
        var reset = Reset(
            time: 0, tuple: tuple, seq: 1, ack: 2, flags: [.rst, .ack], direction: .sent, outcome: .matched,
            sightings: [Reset.Sighting(file: "f", packet: 1, interface: interface, time: 0)], cause: .closedPort,
            category: .refused, certainty: .proven, summary: "s.", evidence: [], match: nil, reason: nil, state: nil,
            path: KernelPath(frames: ["tcp_v4_send_reset+0x1"]),
            process: Reset.Process(pid: 1, comm: comm, role: .owner), netns: nil)
        reset.id = 1
        reset.owner = Reset.Process(pid: 2, comm: comm, role: .owner)
        reset.location = Reset.Location(
            netns: 3, cgroup: "/lxc.payload." + comm, identity: CgroupIdentity(path: "/lxc.payload." + comm))
        change(&reset)
        return Report(inputs: [], losses: Report.Losses(), resets: ResetList([reset]))
    }

    /// Without the date, times of different days would look alike.
    @Test func everyDayHasItsDate() throws {
        var reset = try #require(report(comm: "a", interface: "b").resets.first)
        let times: [Int64] = [1000, 2000, 86_400, 86_401]
        func text(_ times: [Int64]) -> String {
            let resets = times.enumerated().map { number, time in
                reset.id = number + 1
                reset.time = time * 1_000_000_000
                return reset
            }
            var text = ""
            var renderer = TextReport()
            let report = Report(inputs: [], losses: Report.Losses(), resets: ResetList(resets))
            renderer.render(report) { text += $0 }
            return text
        }
        let lines = text(times).split(separator: "\n").filter {
            $0.hasPrefix("1970") && $0.count == 14 || $0.contains(":00.000000") || $0.contains(".000000 ")
        }
        #expect(
            lines.map { $0.prefix(14) } == [
                "1970-01-01 UTC", "#1 00:16:40.00", "#2 00:33:20.00", "1970-01-02 UTC", "#3 00:00:00.00",
                "#4 00:00:01.00",
            ])
        #expect(text([1000, 2000]).components(separatedBy: "\n1970-01-01 UTC\n").count == 2)
    }

    /// Names of processes, interfaces and files are untrusted.
    @Test(arguments: ["\u{1b}[31mred", "a\u{202e}b", "line\nbreak", "\u{9b}31m", "quote\"\\", "a\u{feff}", "\r\u{7}"])
    func hostileNamesCannotSteerATerminal(_ name: String) throws {
        var options = TextReport.Options()
        options.verbose = true
        var text = ""
        var renderer = TextReport(options: options)
        renderer.render(report(comm: name, interface: name)) { text += $0 }
        #expect(!text.unicodeScalars.contains { $0 != "\n" && $0.properties.generalCategory == .control })
        #expect(!text.unicodeScalars.contains { $0.properties.generalCategory == .format })
        var json = JSONReport(tool: "t")
        var bytes: [UInt8] = []
        json.render(report(comm: name, interface: name)) { bytes += $0 }
        let object = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
        let resets = try #require(object["resets"] as? [[String: Any]])
        let process = try #require(resets[0]["process"] as? [String: Any])
        #expect(process["comm"] as? String == name)
        let owner = try #require(resets[0]["owner"] as? [String: Any])
        #expect(owner["comm"] as? String == name)
        let place = try #require(resets[0]["where"] as? [String: Any])
        #expect(place["cgroup"] as? String == "/lxc.payload." + name)
        #expect(place["container"] as? String == name)
        #expect(place["netns"] as? Int == 3)
    }

    @Test func nobodyIsSaidToBeNobody() throws {
        let report = report(comm: "c", interface: "i") { reset in
            reset.process = Reset.Process(pid: nil, comm: nil, role: .none)
            reset.owner = nil
            reset.location = nil
        }
        var options = TextReport.Options()
        options.verbose = true
        var text = ""
        var renderer = TextReport(options: options)
        renderer.render(report) { text += $0 }
        #expect(text.contains("\n    process: none (kernel, no socket)\n"))
        #expect(!text.contains("owner"))
        #expect(!text.contains("where"))
        var json = JSONReport(tool: "t")
        var bytes: [UInt8] = []
        json.render(report) { bytes += $0 }
        let rendered = String(decoding: bytes, as: UTF8.self)
        #expect(rendered.contains(#""process":{"role":"none"}"#))
        #expect(!rendered.contains("null"))
    }

    @Test func aContainerIsShownAsItsToolsShowIt() {
        let id = String(repeating: "0123456789abcdef", count: 4)
        let path = "/system.slice/docker-\(id).scope"
        let report = report(comm: "c", interface: "i") {
            $0.location = Reset.Location(netns: 3, cgroup: path, identity: CgroupIdentity(path: path))
        }
        var options = TextReport.Options()
        options.verbose = true
        var text = ""
        var renderer = TextReport(options: options)
        renderer.render(report) { text += $0 }
        #expect(text.contains("where: container 0123456789ab, cgroup"))
        #expect(text.contains(path))
    }

    /// By name where it is known, and untrusted like any other.
    @Test func aContainerIsCalledByItsName() {
        let id = String(repeating: "0123456789abcdef", count: 4)
        let path = "/kubepods/burstable/pod214f3ba8-4b69-4bdb-a7d5-5ecc73f04ae9/crio-\(id)"
        func text(_ name: String?, pod: String? = nil, namespace: String? = nil, verbose: Bool) -> String {
            var container = ContainerRecord(id: id)
            (container.name, container.pod, container.namespace) = (name, pod, namespace)
            let report = report(comm: "c", interface: "i") {
                $0.location = Reset.Location(
                    netns: 3, cgroup: path, identity: CgroupIdentity(path: path), container: container)
            }
            var options = TextReport.Options()
            options.verbose = verbose
            var text = ""
            var renderer = TextReport(options: options)
            renderer.render(report) { text += $0 }
            // However the lines are broken.
            return text.split(whereSeparator: { $0 == " " || $0 == "\n" }).joined(separator: " ")
        }
        #expect(text("web", verbose: false).contains("container web)"))
        #expect(text("web", verbose: true).contains("where: container web (0123456789ab), pod 214f3ba8-4b69-"))
        #expect(text("nginx", pod: "web-0", namespace: "shop", verbose: false).contains("pod shop/web-0)"))
        #expect(
            text("nginx", pod: "web-0", namespace: "shop", verbose: true).contains(
                "where: container nginx (0123456789ab), pod shop/web-0 (214f3ba8-4b69-"))
        let hostile = text("\u{1b}[31m", pod: "a\nb", namespace: "\u{202e}", verbose: true)
        #expect(!hostile.contains("\u{1b}") && !hostile.contains("\u{202e}") && hostile.contains("a\\u{a}b"))
    }

    @Test func withoutColourThereAreNoEscapes() {
        var plain = ""
        var renderer = TextReport()
        renderer.render(report(comm: "c", interface: "i")) { plain += $0 }
        #expect(!plain.contains("\u{1b}"))
        var options = TextReport.Options()
        options.color = true
        var colored = ""
        var other = TextReport(options: options)
        other.render(report(comm: "c", interface: "i")) { colored += $0 }
        #expect(colored.contains("\u{1b}[32m"))
    }

    @Test func lossesStandBeforeTheList() {
        var report = report(comm: "c", interface: "i")
        report.losses.eventsLost = 3
        report.losses.captureDropped = 4
        var text = ""
        var renderer = TextReport()
        renderer.render(report) { text += $0 }
        #expect(text.contains("3 kernel events lost"))
        #expect(text.contains("4 packets dropped while capturing"))
    }
}

import KernelEvents
import NetworkTypes
import Testing

@testable import Correlator
@testable import Reporting

@Suite struct MetricsTests {
    static func reset(_ id: Int, unit: String? = nil) -> Reset {
        let tuple = FourTuple(
            source: IPAddress(ipv4: 1), sourcePort: 80, destination: IPAddress(ipv4: 2), destinationPort: 4000)
        var reset = Reset(
            time: 1_000, tuple: tuple, direction: .sent, outcome: .matched, sightings: [], cause: .closedPort,
            category: .refused, certainty: .proven, summary: "", evidence: [])
        reset.id = id
        if let unit {
            reset.location = Reset.Location(
                netns: nil, cgroup: nil, identity: CgroupIdentity(path: "/system.slice/\(unit)"))
        }
        return reset
    }

    @Test func whatNamesSayIsEscaped() {
        var metrics = Metrics(version: "a\"b\\c\nd")
        metrics.add(ResetList([Self.reset(1, unit: "a.service")]), at: 2_500_001_000)
        let text = metrics.text(at: 2_500_001_000)
        #expect(text.contains(#"version="a\"b\\c\nd"} 1"#) && text.contains(#"unit="a.service""#), "\(text)")
        #expect(text.contains("rst_watch_lag_seconds 2.500000000\n"), "\(text)")
        #expect(metrics.text(at: 80_000_000_000).contains("rst_watch_lag_seconds 0.000000000\n"))
        #expect(text.split(separator: "\n").allSatisfy { $0.hasPrefix("#") || $0.split(separator: " ").count == 2 })
    }

    @Test func containersHaveTheirNames() {
        let id = String(repeating: "ab", count: 32)
        func label(_ name: String?, pod: String? = nil) -> String {
            var container = ContainerRecord(id: id)
            (container.name, container.pod, container.namespace) = (name, pod, pod.map { _ in "shop" })
            var reset = Self.reset(1)
            reset.location = Reset.Location(identity: CgroupIdentity(path: "/docker/\(id)"), container: container)
            var metrics = Metrics(version: "1")
            metrics.add(ResetList([reset]), at: 0)
            return metrics.text(at: 0)
        }
        #expect(label("we\"b").contains(#"container="we\"b"}"#))
        #expect(label("nginx", pod: "web-0").contains(#"container="shop/web-0/nginx"}"#))
        #expect(label(nil).contains(#"container="\#(id)"}"#))
    }

    /// A series is there before it grows, and a lag stays until it was scraped.
    @Test func lossesHaveTheirPlaces() {
        var metrics = Metrics(version: "1")
        #expect(metrics.text(at: 0).contains(#"rst_events_lost_total{where="ring"} 0"#))
        metrics.eventsLost = ["ring": 3, "drain": 1]
        metrics.add(ResetList([Self.reset(1)]), at: 3_000_001_000)
        let text = metrics.text(at: 4_000_000_000)
        #expect(text.contains(#"rst_events_lost_total{where="ring"} 3"#))
        #expect(text.contains(#"rst_events_lost_total{where="drain"} 1"#))
        #expect(metrics.text(at: 40_000_000_000).contains("rst_watch_lag_seconds 3.000000000\n"))
    }

    /// Anyone who can start units may start any number of them.
    @Test func seriesAreBounded() {
        var metrics = Metrics(version: "1")
        for number in 0..<Metrics.mostSeries + 50 {
            metrics.add(ResetList([Self.reset(1, unit: "u\(number).service")]), at: 0)
        }
        let lines = metrics.text(at: 0).split(separator: "\n").filter { $0.hasPrefix("rst_resets_total{") }
        #expect(lines.count == Metrics.mostSeries + 1)
        #expect(lines.contains { $0.contains(#"unit="other""#) && $0.hasSuffix(" 50") })
    }
}

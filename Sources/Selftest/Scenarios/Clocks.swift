import Glibc
import Laboratory
import NetworkTypes

extension Scenarios {
    /// The wall clock is set while connections are refused. For a moment every program on the host has the wrong time, so these
    /// run only on request.
    static let clocks: [Scenario] = [
        Scenario(
            "clock-set-forward", "Connections are refused while the clock is set forward by 3 s and back again.",
            needs: [.hostWideSetting("the clock")]
        ) { lab in try whileClockIsSet(by: 3_000_000_000, lab) },
        Scenario(
            "clock-set-back", "Connections are refused while the clock is set back by 3 s and forward again.",
            needs: [.hostWideSetting("the clock")]
        ) { lab in try whileClockIsSet(by: -3_000_000_000, lab) },
    ]

    private static func whileClockIsSet(by step: Int64, _ lab: Lab) throws -> [ExpectedReset] {
        let tap = try lab.server.tap()
        var expected: [ExpectedReset] = []
        func refuse(_ ports: ClosedRange<UInt16>) throws {
            for port in ports {
                let socket = try lab.client.run { try Socket(family: lab.ipVersion.family) }
                let (target, source) = (lab.server.endpoint(Lab.closedPort), lab.client.endpoint(port))
                try socket.bind(source)
                try socket.expectRefusal(of: target)
                let tuple = FourTuple(from: target, to: source)
                try tap.awaitReset(tuple)
                expected.append(ExpectedReset(tuple, "closed-port", at: lab.server) { $0.withoutSocket() })
            }
        }
        try refuse(40001...40003)
        let offset = reading(CLOCK_REALTIME) - reading(CLOCK_MONOTONIC)
        do {
            try set(offset: offset + step)
            defer { try? set(offset: offset) }
            try refuse(40004...40006)
            // Long enough for the recorder to compare the clocks.
            usleep(500_000)
            try refuse(40007...40009)
        }
        try refuse(40010...40012)
        return expected
    }

    private static func reading(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Sets CLOCK_REALTIME to CLOCK_MONOTONIC plus an offset in nanoseconds.
    private static func set(offset: Int64) throws {
        let now = reading(CLOCK_MONOTONIC) + offset
        var time = timespec(tv_sec: Int(now / 1_000_000_000), tv_nsec: Int(now % 1_000_000_000))
        try check(clock_settime(CLOCK_REALTIME, &time), "clock_settime", "CLOCK_REALTIME")
    }
}

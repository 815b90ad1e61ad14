import CLibBPF
import CLinux
import Glibc
import KernelEvents
import NetworkTypes

/// What the hooks remember of a connection's end, in the words of events.jsonl.
struct EndingConverter {
    var ticks = TickRate()
    /// The thread that reads all open files (`SocketHolders`): it may be the last to hold one, and is not who closed it.
    private let reader = linux_thread()

    mutating func ending(_ record: rst_ending) -> ResetEvent.Ending? {
        guard var how = ResetEvent.Ending.How(record) else { return nil }
        let isOfReader = record.by.tid != 0 && Int32(bitPattern: record.by.tid) == reader
        let hasProcess = record.by.pid != 0 && !isOfReader
        if isOfReader { how = .close }
        var ending = ResetEvent.Ending(how: how, monotonic: Int64(clamping: record.mono_ns))
        if hasProcess {
            let comm = String(kernelArray: record.by.comm)
            ending.process = ResetEvent.Owner(pid: Int32(bitPattern: record.by.pid), comm: comm)
            let thread = String(kernelArray: record.by.thread)
            ending.thread = thread == comm ? nil : thread
            ending.cgroup = record.by.cgroup == 0 ? nil : record.by.cgroup
        }
        if record.owner_pid != 0, !hasProcess || record.owner_pid != record.by.pid {
            ending.owner = ResetEvent.Owner(
                pid: Int32(bitPattern: record.owner_pid), comm: String(kernelArray: record.owner_comm))
        }
        ending.state = TCPState(rawValue: record.state)
        // No connection has no silence.
        ending.idle =
            ending.state == .synSent
            ? nil : ticks.nanoseconds(record.idle_jiffies, at: record.jiffies, monotonic: record.mono_ns)
        ending.signal = record.signal == 0 ? nil : record.signal
        ending.errno = record.error == 0 ? nil : record.error
        ending.unacknowledged = record.unacknowledged
        ending.userTimeout = record.user_timeout_ms == 0 ? nil : record.user_timeout_ms
        ending.seq = record.write_seq
        return ending
    }
}

extension ResetEvent.Ending.How {
    fileprivate init?(_ record: rst_ending) {
        switch Int(record.how) {
        case Int(RST_ENDED_BY_CLOSE.rawValue):
            self = record.signal != 0 ? .killed : record.exiting != 0 ? .exit : .close
        case Int(RST_ENDED_BY_SHUTDOWN.rawValue): self = .shutdown
        case Int(RST_ENDED_BY_DISCONNECT.rawValue): self = .disconnect
        case Int(RST_ENDED_WITH_LISTENER.rawValue): self = .listener
        case Int(RST_ENDED_BY_DESTRUCTION.rawValue): self = .destroyed
        case Int(RST_ENDED_BY_RESET.rawValue): self = .reset
        case Int(RST_ENDED_BY_ERROR.rawValue): self = Int32(record.error) == ETIMEDOUT ? .timeout : .error
        default: return nil
        }
    }
}

/// How long a jiffy is: 1/CONFIG_HZ seconds, which not every kernel tells user space.
///
/// It counts them from 300 seconds before an overflow of 32 bits (`INITIAL_JIFFIES`) at its start, when CLOCK_MONOTONIC is
/// zero: one reading of both tells the rate.
struct TickRate {
    /// CONFIG_HZ as kernel/Kconfig.hz offers it.
    private static let rates: [UInt64] = [100, 250, 300, 1000]
    private(set) var perSecond: UInt64?

    /// - Returns: nil as long as the rate is not known.
    mutating func nanoseconds(_ jiffies: UInt32, at now: UInt64, monotonic: UInt64) -> Int64? {
        perSecond = perSecond ?? Self.rate(jiffies: now, monotonic: monotonic)
        // A socket is not idle for longer than half of the counter's range.
        guard let perSecond, jiffies <= UInt32.max / 2 else { return nil }
        return Int64(UInt64(jiffies) * 1_000_000_000 / perSecond)
    }

    /// The rate that the reading fits; nil where another one fits nearly as well, as about 300 seconds after the start.
    static func rate(jiffies: UInt64, monotonic: UInt64) -> UInt64? {
        let (whole, part) = (monotonic / 1_000_000_000, monotonic % 1_000_000_000)
        guard whole < 1 << 40 else { return nil }
        let distances = rates.map { rate in
            let expected = (1 << 32) - 300 * rate + whole * rate + part * rate / 1_000_000_000
            return (rate: rate, distance: max(expected, jiffies) - min(expected, jiffies))
        }.sorted { $0.distance < $1.distance }
        // The clock runs before the first tick, by some tenths of a second: 63 jiffies of 4 ms were seen.
        guard distances[0].distance <= 5 * distances[0].rate, distances[0].distance < distances[1].distance / 4 else {
            return nil
        }
        return distances[0].rate
    }
}

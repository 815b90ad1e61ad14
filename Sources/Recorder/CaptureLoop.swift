import CPcap
import Glibc
import KernelEvents
import PcapReader

/// Writes the packets of all interfaces into one pcapng file. The thread that runs it owns it meanwhile (`OwnedThread`).
final class CaptureLoop {
    private let sources: [PacketSource]
    private let file: OutputFile
    private var writer = PcapngWriter(reserving: 1 << 20)
    private let started: Int64
    /// When all interfaces were open, CLOCK_MONOTONIC in nanoseconds.
    let opened: Int64
    private let limit: Int
    private let limitReached: @Sendable () -> Void
    private let stopping: StopFlag
    /// Packets that are in the file.
    private(set) var packets = 0
    /// The same, and those that are not written yet.
    private var taken = 0
    private(set) var failure: String?
    /// When the first interface took no more packets, CLOCK_MONOTONIC in nanoseconds; nil while all do.
    private(set) var closed: Int64?
    private var gone: Set<Int> = []

    private static let flushAt = 1 << 18

    /// - Parameter stopping: set when no more packets are to be taken; those that were taken are still written.
    init(
        _ options: RecorderOptions, host: String, until stopping: StopFlag,
        limitReached: @escaping @Sendable () -> Void
    ) throws(RecorderError) {
        self.stopping = stopping
        var sources: [PacketSource] = []
        for interface in options.interfaces {
            let source = try NetworkNamespace.run(in: interface.namespace) { () throws(RecorderError) in
                try PacketSource(
                    name: interface.name, filter: options.filter, snaplen: options.snaplen,
                    bufferBytes: options.captureBuffer)
            }
            sources.append(source)
        }
        self.sources = sources
        file = try OutputFile(path: options.capturePath)
        started = clockNanoseconds(CLOCK_REALTIME)
        opened = clockNanoseconds(CLOCK_MONOTONIC)
        limit = options.packetLimit ?? .max
        self.limitReached = limitReached
        writer.appendSection(operatingSystem: host, application: options.tool)
        for source in sources {
            writer.appendInterface(
                name: source.name, linkType: source.linkType, snaplen: UInt32(source.snaplen),
                filter: options.filter.isEmpty ? nil : options.filter)
        }
    }

    var warnings: [String] { sources.flatMap(\.warnings) }

    /// Writes the beginning of the file, which may have been another recording's until now.
    func begin() throws(RecorderError) { try flush() }

    func run() {
        do {
            while !stopping.isSet {
                wait()
                try readAll()
                try flush()
            }
            noteEnd(clockNanoseconds(CLOCK_MONOTONIC))
            for source in sources { source.takeNoMore() }
            // A block that is not full is handed over after its timeout.
            let last = clockNanoseconds(CLOCK_MONOTONIC) + Int64(PacketSource.blockTimeout) * 3 * 1_000_000
            while clockNanoseconds(CLOCK_MONOTONIC) < last {
                wait()
                try readAll()
            }
            let now = clockNanoseconds(CLOCK_REALTIME)
            for (index, source) in sources.enumerated() {
                var statistics = InterfaceStatistics()
                statistics.started = started
                statistics.ended = now
                let counts = source.dropped()
                statistics.received = counts.received
                statistics.interfaceDropped = counts.device
                statistics.systemDropped = counts.kernel
                writer.appendStatistics(interface: index, time: now, statistics)
            }
            try flush()
        } catch {
            noteEnd(clockNanoseconds(CLOCK_MONOTONIC))
            failure = "\(error)"
            limitReached()
        }
    }

    private func noteEnd(_ time: Int64) { closed = min(closed ?? .max, time) }

    /// When a packet was taken, CLOCK_MONOTONIC; what has waited longer than a block may was stamped by another clock.
    private static func monotonic(ofPacket time: Int64) -> Int64 {
        let age = clockNanoseconds(CLOCK_REALTIME) - time
        return clockNanoseconds(CLOCK_MONOTONIC) - min(max(age, 0), Int64(PacketSource.blockTimeout) * 20_000_000)
    }

    /// Dropped by the kernel and the devices, over all interfaces.
    var dropped: Int {
        sources.reduce(0) { sum, source in
            let counts = source.dropped()
            return sum + Int(clamping: counts.kernel) + Int(clamping: counts.device)
        }
    }

    private func wait() {
        var descriptors = sources.enumerated().map { index, source in
            pollfd(fd: gone.contains(index) ? -1 : source.descriptor, events: Int16(POLLIN), revents: 0)
        }
        poll(&descriptors, nfds_t(descriptors.count), PacketSource.blockTimeout)
    }

    private func readAll() throws(RecorderError) {
        for (index, source) in sources.enumerated() where !gone.contains(index) {
            do {
                try source.read { bytes, time, length throws(RecorderError) in
                    guard taken < limit else { return }
                    writer.appendPacket(bytes, interface: index, time: time, originalLength: length)
                    taken += 1
                    if taken == limit {
                        noteEnd(Self.monotonic(ofPacket: time))
                        limitReached()
                    }
                    if writer.buffer.count >= Self.flushAt { try flush() }
                }
            } catch {
                // One interface that goes away does not end the recording on the others.
                gone.insert(index)
                noteEnd(clockNanoseconds(CLOCK_MONOTONIC))
                failure = "\(error)"
                if gone.count == sources.count { throw error }
            }
        }
    }

    private func flush() throws(RecorderError) {
        guard !writer.buffer.isEmpty else { return }
        try file.write(writer.buffer)
        writer.clear()
        packets = taken
    }
}

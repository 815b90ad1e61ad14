import CPcap
import Glibc
import KernelEvents
import PcapReader
import Synchronization

/// Writes the packets of all interfaces into one pcapng file, on a thread of its own.
final class CaptureLoop: @unchecked Sendable {
    private let sources: [PacketSource]
    private let file: OutputFile
    private var writer = PcapngWriter(reserving: 1 << 20)
    private let started: Int64
    private let limit: Int
    private let limitReached: @Sendable () -> Void
    private let stopping = Atomic<Bool>(false)
    // Used by the thread, and by others only after it has ended.
    /// Packets that are in the file.
    private(set) var packets = 0
    /// The same, and those that are not written yet.
    private var taken = 0
    private(set) var failure: String?
    private var gone: Set<Int> = []

    private static let flushAt = 1 << 18

    init(
        _ options: RecorderOptions, host: String, limitReached: @escaping @Sendable () -> Void
    ) throws(RecorderError) {
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

    /// Asks the thread to take what is still on its way, and to end.
    func stop() { stopping.store(true, ordering: .releasing) }

    /// Writes the beginning of the file, which may have been another recording's until now.
    func begin() throws(RecorderError) { try flush() }

    func run() {
        do {
            while !stopping.load(ordering: .acquiring) {
                wait()
                try readAll()
                try flush()
            }
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
            failure = "\(error)"
            limitReached()
        }
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
                    if taken == limit { limitReached() }
                    if writer.buffer.count >= Self.flushAt { try flush() }
                }
            } catch {
                // One interface that goes away does not end the recording on the others.
                gone.insert(index)
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

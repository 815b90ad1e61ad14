import CPcap
import Glibc
import HostFiles
import KernelEvents
import PcapReader

/// Writes the packets of all interfaces into one pcapng file. The thread that runs it owns it meanwhile (`OwnedThread`).
final class CaptureLoop {
    private var interfaces: [CapturedInterface]
    private let file: OutputFile
    private var watch: FileWatch
    private var writer = PcapngWriter(reserving: 1 << 20)
    /// When the file was begun, CLOCK_REALTIME and CLOCK_MONOTONIC in nanoseconds.
    private var started: Int64
    private var begun: Int64
    /// When all interfaces were open, CLOCK_MONOTONIC in nanoseconds.
    let opened: Int64
    private let options: RecorderOptions
    private let host: String
    /// Packets that may still be taken into this file and those that follow.
    private var remaining: Int
    /// Of a series, the number of the file.
    private var number: Int
    /// Packets that are in files before this one.
    private(set) var packetsBefore = 0
    private let bulletin: Bulletin
    private let stopping: StopFlag
    /// Packets that are in the file.
    private(set) var packets = 0
    /// Packets that are in the recording.
    var allPackets: Int { packetsBefore + packets }
    /// Packets of the file, and those that are not written yet.
    private var taken = 0
    /// Packets that were in files that are gone.
    private(set) var packetsDeleted = 0
    private(set) var failure: String?
    /// When the last interface took no more packets, CLOCK_MONOTONIC in nanoseconds; nil while some do.
    private(set) var closed: Int64?
    /// What libpcap wants the user to know.
    let warnings: [String]

    private static let flushAt = 1 << 18

    /// - Parameter stopping: set when no more packets are to be taken; those that were taken are still written.
    init(_ options: RecorderOptions, host: String, until stopping: StopFlag, _ bulletin: Bulletin) throws(RecorderError)
    {
        self.stopping = stopping
        self.options = options
        self.host = host
        self.bulletin = bulletin
        var interfaces: [CapturedInterface] = []
        for interface in options.interfaces { interfaces.append(try CapturedInterface(interface, options)) }
        self.interfaces = interfaces
        file = try OutputFile(options.capture, of: options.owner, until: stopping)
        watch = FileWatch(file)
        started = clockNanoseconds(CLOCK_REALTIME)
        opened = clockNanoseconds(CLOCK_MONOTONIC)
        begun = opened
        remaining = options.packetLimit ?? .max
        number = options.series?.current ?? 0
        warnings =
            interfaces.compactMap(\.source).flatMap(\.warnings)
            + interfaces.filter { $0.source == nil }.map { "\($0.interface.name) is not there: waiting for it" }
        appendBeginning()
    }

    private func appendBeginning() {
        writer.appendSection(operatingSystem: host, application: options.tool)
        for index in interfaces.indices { appendInterface(index) }
    }

    private func appendInterface(_ index: Int) {
        guard let source = interfaces[index].source else { return }
        interfaces[index].number = writer.appendInterface(
            name: source.name, linkType: source.linkType, snaplen: UInt32(source.snaplen),
            filter: options.filter.isEmpty ? nil : options.filter)
    }

    /// Writes the beginning of the file, which is not in place yet.
    func begin() throws(RecorderError) { try flush() }

    /// Gives the file its name.
    func commit() throws(RecorderError) { try file.commit() }

    /// Where the file is by now.
    var path: String { watch.path }

    func run() {
        do {
            while !stopping.isSet {
                wait()
                try readAll()
                try flush()
                try lookAround()
                try goOnIfDue()
            }
            noteEnd(clockNanoseconds(CLOCK_MONOTONIC))
            for interface in interfaces { interface.source?.takeNoMore() }
            // A block that is not full is handed over after its timeout.
            let last = clockNanoseconds(CLOCK_MONOTONIC) + Int64(PacketSource.blockTimeout) * 3 * 1_000_000
            while clockNanoseconds(CLOCK_MONOTONIC) < last {
                wait()
                try readAll()
            }
            for index in interfaces.indices { appendStatistics(index) }
            try flush()
            // What was deleted is said, even if it was deleted only now.
            try lookAfterFile()
            options.series?.complete(.capture, number, now: clockNanoseconds(CLOCK_MONOTONIC))
        } catch {
            noteEnd(clockNanoseconds(CLOCK_MONOTONIC))
            failure = "\(error)"
            bulletin.wantsToStop()
        }
    }

    private func appendStatistics(_ index: Int) {
        guard let counts = interfaces[index].takeCounts() else { return }
        var statistics = InterfaceStatistics()
        statistics.started = started
        statistics.ended = clockNanoseconds(CLOCK_REALTIME)
        statistics.received = counts.received
        statistics.interfaceDropped = counts.device
        statistics.systemDropped = counts.kernel
        writer.appendStatistics(
            interface: interfaces[index].number, time: statistics.ended ?? 0, statistics)
    }

    private func noteEnd(_ time: Int64) { closed = min(closed ?? .max, time) }

    /// When a packet was taken, CLOCK_MONOTONIC; what has waited longer than a block may was stamped by another clock.
    private static func monotonic(ofPacket time: Int64) -> Int64 {
        let age = clockNanoseconds(CLOCK_REALTIME) - time
        return clockNanoseconds(CLOCK_MONOTONIC) - min(max(age, 0), Int64(PacketSource.blockTimeout) * 20_000_000)
    }

    /// Dropped by the kernel and the devices, over all interfaces, or deleted with a file.
    var dropped: Int { interfaces.reduce(packetsDeleted) { $0 + $1.dropped } }

    /// Those that are not captured.
    var missing: [String] { interfaces.filter { $0.source == nil }.map(\.interface.name) }

    private func wait() {
        var descriptors = interfaces.map {
            pollfd(fd: $0.source?.descriptor ?? -1, events: Int16(POLLIN), revents: 0)
        }
        poll(&descriptors, nfds_t(descriptors.count), PacketSource.blockTimeout)
    }

    private func readAll() throws(RecorderError) {
        for index in interfaces.indices {
            guard let source = interfaces[index].source else { continue }
            let number = interfaces[index].number
            do {
                try source.read { bytes, time, length throws(RecorderError) in
                    guard taken < remaining else { return }
                    let kept =
                        options.payload?.kept(of: bytes, linkType: source.linkType, originalLength: length)
                        ?? bytes.count
                    writer.appendPacket(
                        UnsafeRawBufferPointer(rebasing: bytes.prefix(kept)), interface: number, time: time,
                        originalLength: length)
                    taken += 1
                    if taken == remaining {
                        noteEnd(Self.monotonic(ofPacket: time))
                        bulletin.wantsToStop()
                    }
                    if writer.buffer.count >= Self.flushAt { try flush() }
                }
            } catch {
                guard case .interfaceLost(let name, let reason) = error else { throw error }
                try lose(index, name, reason)
            }
        }
    }

    /// One interface that goes away does not end the recording on the others.
    private func lose(_ index: Int, _ name: String, _ reason: String) throws(RecorderError) {
        let now = clockNanoseconds(CLOCK_MONOTONIC)
        bulletin.note(interfaces[index].change(.lost, at: now, detail: reason))
        appendStatistics(index)
        interfaces[index].lose(at: now)
        if options.waits {
            bulletin.tell("\(name): \(reason): waiting for it to come back")
            return
        }
        failure = "\(name): \(reason)"
        guard interfaces.contains(where: { $0.source != nil }) else {
            throw RecorderError.interfaceLost(interface: name, reason: reason)
        }
        bulletin.tell("\(name): \(reason): recording goes on without it")
    }

    /// Looks for interfaces that are missing, and after the file.
    private func lookAround() throws(RecorderError) {
        let now = clockNanoseconds(CLOCK_MONOTONIC)
        for index in interfaces.indices where try interfaces[index].lookForIt(at: now) {
            let time = clockNanoseconds(CLOCK_MONOTONIC)
            appendInterface(index)
            bulletin.note(interfaces[index].change(.attached, at: time))
            let gap = Double((time - interfaces[index].missingSince) / 100_000_000) / 10
            bulletin.tell("\(interfaces[index].interface.name) is captured; it was missing for \(gap) s")
        }
        if watch.isDue(now) { try lookAfterFile() }
    }

    /// Completes the file and begins the next one of a series.
    private func goOnIfDue() throws(RecorderError) {
        let now = clockNanoseconds(CLOCK_MONOTONIC)
        guard let series = options.series, let next = series.next(after: number, size: file.size, now: now) else {
            return
        }
        for index in interfaces.indices { appendStatistics(index) }
        try flush()
        try lookAfterFile()
        try file.goOn(to: series.path(.capture, next))
        watch.startAgain()
        packetsBefore += packets
        let completed = number
        number = next
        try beginFile(now)
        series.complete(.capture, completed, now: now)
    }

    private func beginFile(_ now: Int64) throws(RecorderError) {
        begun = now
        started = clockNanoseconds(CLOCK_REALTIME)
        remaining -= taken
        taken = 0
        packets = 0
        writer.clear()
        appendBeginning()
        try flush()
    }

    private func lookAfterFile() throws(RecorderError) {
        guard let message = watch.look() else { return }
        guard watch.isGone else { return bulletin.tell(message) }
        try file.beginAgain()
        bulletin.tell("\(message), with \(packets) packets: recording goes on in a new file")
        packetsDeleted += packets
        let now = clockNanoseconds(CLOCK_MONOTONIC)
        for interface in interfaces where interface.source != nil {
            bulletin.note(interface.change(.lost, at: begun, detail: message))
            bulletin.note(interface.change(.attached, at: now))
        }
        try beginFile(now)
    }

    private func flush() throws(RecorderError) {
        guard !writer.buffer.isEmpty else { return }
        try file.write(writer.buffer)
        writer.clear()
        packets = taken
    }
}

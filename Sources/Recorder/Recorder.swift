import CLibBPF
import Dispatch
import Glibc
import KernelEvents
import NetworkTypes
import PcapReader

/// A recording in progress: packets and kernel events, each on a thread of its own.
public final class Recorder {
    private let capture: OwnedThread<CaptureLoop>
    private let captureStop = StopFlag()
    private let events: OwnedThread<EventLoop>
    private let eventsStop = StopFlag()
    private let rules: RulesetWatch
    private let containers: ContainerNames?
    private let options: RecorderOptions
    private let rulesDone = DispatchGroup()
    private let started = clockNanoseconds(CLOCK_MONOTONIC)

    /// What the user should know although the recording runs.
    public let warnings: [String]

    /// Opens the interfaces, attaches the hooks and begins to record.
    ///
    /// - Parameters:
    ///   - tell: called from another thread with what the user should know at once.
    ///   - wantsToStop: called from another thread when the packet limit is reached or nothing can be recorded any more; the
    ///     caller then calls `stop()`.
    public init(
        _ options: RecorderOptions, tell: @escaping @Sendable (String) -> Void = { _ in },
        wantsToStop: @escaping @Sendable () -> Void
    ) throws(RecorderError) {
        self.options = options
        let bulletin = Bulletin(say: tell, wantsToStop: wantsToStop)
        var system = utsname()
        uname(&system)
        let kernel = String(kernelArray: system.release)
        // The hooks first, and to the end: of each packet in the capture they have seen the RST.
        let events = try EventLoop(options, until: eventsStop, bulletin)
        let capture = try CaptureLoop(
            options, host: "\(String(kernelArray: system.sysname)) \(kernel)", until: captureStop, bulletin)
        events.seeProcesses()
        rules = RulesetWatch(options, kallsyms: readFile("/proc/kallsyms"))
        events.rules = rules
        containers = options.containerNames ? ContainerNames(ContainerPlaces.ofHost()) : nil
        events.containers = containers
        warnings = [HostProbe.clock].filter { $0.state != .ok }.map(\.message) + capture.warnings + events.warnings
        var header = RecordingHeader()
        header.tool = options.tool
        header.host = String(kernelArray: system.nodename)
        header.kernel = kernel
        header.arch = String(kernelArray: system.machine)
        header.bootID = String(
            decoding: readFile("/proc/sys/kernel/random/boot_id").prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        header.clock = events.firstClock
        header.marksClockSteps = true
        header.since = RecordingTimes(hooks: events.attached, capture: capture.opened)
        header.started = UTCTime(nanoseconds: header.clock.realtime).description
        header.hooks = events.hooks
        header.interfaces = try Self.interfaces(options)
        header.endings = events.endingsKept
        header.cgroupObstacle = events.cgroupObstacle
        header.netns = NetworkNamespace.number(NetworkNamespace.current)
        header.scope = options.scope.isEmpty ? nil : options.scope
        try capture.begin()
        try events.write(header: header)
        try capture.commit()
        try events.commit()
        self.capture = OwnedThread("capture", capture) { $0.run() }
        self.events = OwnedThread("events", events) { $0.run() }
        DispatchQueue(label: "rules").async(group: rulesDone, execute: rules.run)
        containers?.start()
    }

    /// Why this process cannot record kernel events here, with what to do about it; nil if it can.
    public static var obstacle: String? {
        var message = [CChar](repeating: 0, count: Int(RSTBPF_MESSAGE_LENGTH))
        guard rstbpf_probe(&message) != 0 else { return nil }
        return String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static func interfaces(_ options: RecorderOptions) throws(RecorderError) -> [RecordingHeader.Interface] {
        var found: [RecordingHeader.Interface] = []
        var namespaces: [NetworkNamespace?] = [nil]
        for interface in options.interfaces where !namespaces.contains(interface.namespace) {
            namespaces.append(interface.namespace)
        }
        for namespace in namespaces {
            let captured = Set(options.interfaces.filter { $0.namespace == namespace }.map(\.name))
            found += try NetworkNamespace.run(in: namespace) { () throws(RecorderError) in
                networkInterfaces(captured: captured)
            }
        }
        return found
    }

    /// Ends the recording: nothing that the kernel had handed over is lost, and both files are complete.
    public func stop() -> RecordingSummary {
        captureStop.set()
        let capture = self.capture.join()
        eventsStop.set()
        let events = self.events.join()
        // Only now: a rejection may have been the last event, and a container its sender.
        rules.stop()
        containers?.stop()
        rulesDone.wait()
        containers?.wait()
        var summary = RecordingSummary()
        guard let capture, let events else { return summary }
        summary.packets = capture.allPackets
        summary.events = events.events
        summary.packetsDropped = capture.dropped
        summary.eventsLost = events.lost
        let now = clockNanoseconds(CLOCK_MONOTONIC)
        summary.duration = now - started
        summary.packetsDeleted = capture.packetsDeleted
        summary.eventsDeleted = events.deletedEvents
        summary.interfacesMissing = capture.missing
        summary.capturePath = options.series?.directory ?? capture.path
        summary.eventsPath = options.series?.directory ?? events.path
        summary.failure = capture.failure ?? events.failure
        var footer = RecordingFooter(
            monotonic: now, events: summary.events, lost: summary.eventsLost, captured: summary.packets,
            kernelDropped: summary.packetsDropped)
        // Of a series, the captures count.
        if capture.packetsBefore > 0 { (footer.captured, footer.kernelDropped) = (capture.packets, 0) }
        footer.failure = summary.failure
        footer.until = RecordingTimes(hooks: events.detached, capture: capture.closed)
        do {
            if summary.failure == nil { try events.writeAnswers() }
            try events.write(footer: footer)
        } catch {
            summary.failure = summary.failure ?? error.description
        }
        return summary
    }
}

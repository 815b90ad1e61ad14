import Glibc
import KernelEvents

/// An interface that is to be captured, whether it is there or not.
struct CapturedInterface {
    let interface: RecorderOptions.Interface
    /// Nil while it is not there.
    private(set) var source: PacketSource?
    /// Its number in the file that is being written.
    var number = 0
    /// Of the sources that are gone.
    private var droppedBefore = 0
    /// Since when it is missing, CLOCK_MONOTONIC in nanoseconds.
    private(set) var missingSince: Int64 = 0
    /// When it was last looked for.
    private var looked: Int64 = 0
    /// What the files before this one say that it received and dropped.
    private var counted: (received: UInt64, kernel: UInt64, device: UInt64) = (0, 0, 0)
    private let options: RecorderOptions

    /// Nanoseconds between two looks for an interface that is missing.
    private static let interval: Int64 = 100_000_000

    /// Opens it. Throws if that cannot be; one that is not there may yet come if that is waited for.
    init(_ interface: RecorderOptions.Interface, _ options: RecorderOptions) throws(RecorderError) {
        self.interface = interface
        self.options = options
        do {
            source = try open()
        } catch  where options.waits && error.isOfAbsence {
            missingSince = clockNanoseconds(CLOCK_MONOTONIC)
        }
    }

    /// Why it cannot be captured now is not said: it may be half made.
    ///
    /// - Returns: whether it is there again.
    mutating func lookForIt(at now: Int64) throws(RecorderError) -> Bool {
        guard source == nil, options.waits, now - looked >= Self.interval else { return false }
        looked = now
        do {
            source = try open()
            return true
        } catch  where error.isOfAbsence {
            return false
        }
    }

    /// Packets received and dropped since this was asked the last time; nil while it is not there.
    mutating func takeCounts() -> (received: UInt64, kernel: UInt64, device: UInt64)? {
        guard let now = source?.dropped() else { return nil }
        defer { counted = now }
        return (
            now.received &- counted.received, now.kernel &- counted.kernel, now.device &- counted.device
        )
    }

    /// Lets go of it.
    mutating func lose(at time: Int64) {
        counted = (0, 0, 0)
        droppedBefore = dropped
        source = nil
        missingSince = time
    }

    /// Packets dropped by the kernel and the device.
    var dropped: Int {
        guard let counts = source?.dropped() else { return droppedBefore }
        return droppedBefore + Int(clamping: counts.kernel) + Int(clamping: counts.device)
    }

    func change(_ status: InterfaceChange.Status, at time: Int64, detail: String? = nil) -> InterfaceChange {
        InterfaceChange(
            monotonic: time, status: status, name: interface.name, ifindex: source?.index, netns: source?.netns,
            detail: detail)
    }

    private func open() throws(RecorderError) -> PacketSource {
        try NetworkNamespace.run(in: interface.namespace) { () throws(RecorderError) in
            try PacketSource(
                name: interface.name, filter: options.filter, snaplen: options.snaplen,
                bufferBytes: options.captureBuffer)
        }
    }
}

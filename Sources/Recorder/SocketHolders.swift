import KernelEvents

/// Which processes have which TCP socket open: a table that is read anew when it is asked and too old to tell.
///
/// Reading it takes time from the events: a fiftieth of it in the long run, however many sockets nobody is found to
/// have, and at once no more than was saved up and one reading.
struct SocketHolders {
    struct Holder: Equatable {
        var pid: Int32
        var comm: String
        /// CLOCK_BOOTTIME of the process's start, nanoseconds.
        var start: UInt64 = 0
    }

    /// By the inode number of the socket's file; in no order, a process once for each descriptor.
    typealias Table = [UInt64: [Holder]]

    private(set) var table: Table = [:]
    /// How often it was read.
    private(set) var readings = 1
    private var readAt: Int64 = .min
    /// Nanoseconds that may be spent on reading, as of `readAt`.
    private var credit = Self.savings
    private let read: () -> Table
    private let now: () -> Int64

    /// Nanoseconds after which an answer is doubted: sockets are handed from process to process.
    static let freshness: Int64 = 1_000_000_000
    /// Of the time, one part in so many goes into reading.
    static let share: Int64 = 50
    /// Nanoseconds of reading that are saved up at most.
    static let savings: Int64 = 100_000_000
    /// A reading costs no less, nanoseconds: it makes work for the kernel beside its own time.
    static let leastCost: Int64 = 1_000_000

    /// - Parameters:
    ///   - read: the table as it is now.
    ///   - now: a monotonic clock, nanoseconds.
    init(read: @escaping () -> Table, now: @escaping () -> Int64) {
        self.read = read
        self.now = now
        table = read()
        readAt = now()
    }

    /// Whose socket it is, of those who have it open: `remembered` if it is one of them, or else who was there first.
    ///
    /// - Returns: `remembered` itself if nobody is seen to have the socket.
    mutating func owner(inode: UInt64, remembered: ResetEvent.Owner?) -> ResetEvent.Owner? {
        let time = now()
        if table[inode] == nil || time - readAt > Self.freshness { refresh(time) }
        guard let holders = table[inode], let first = holders.min(by: { $0.pid < $1.pid }) else { return remembered }
        let count = Int32(clamping: Set(holders.map(\.pid)).count)
        if let remembered, holders.contains(where: { $0.pid == remembered.pid }) {
            return ResetEvent.Owner(pid: remembered.pid, comm: remembered.comm, holders: count)
        }
        // A child that is about to run another program has its parent's descriptors for a moment: of several, the
        // lowest number is the likeliest to be the parent's.
        return ResetEvent.Owner(pid: first.pid, comm: first.comm, holders: count)
    }

    private mutating func refresh(_ time: Int64) {
        let saved = min(Self.savings, credit + (time - readAt) / Self.share)
        guard saved > 0 else { return }
        table = read()
        readings += 1
        readAt = now()
        credit = saved - max(Self.leastCost, readAt - time)
    }
}

import Glibc

/// A file with counts for Prometheus, as node_exporter's textfile collector reads it: it takes the place of the one before in
/// one step.
struct MetricsFile {
    private let path: String
    private let metrics: MetricsHub
    private var written: Int64?
    /// It is to be written now.
    var isDue = false

    /// Nanoseconds from one text to the next.
    private static let interval: Int64 = 5_000_000_000

    init(_ path: String, _ metrics: MetricsHub) {
        self.path = path
        self.metrics = metrics
    }

    /// Writes the file if it is time for that.
    ///
    /// - Parameter now: CLOCK_MONOTONIC; nil at the end.
    mutating func write(at now: Int64?) throws(WriteFailure) {
        if let now, let written, now - written < Self.interval, !isDue { return }
        written = now
        isDue = false
        let temporary = "\(path).\(getpid()).tmp"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw WriteFailure("create", temporary) }
        let isWhole = writeAll(metrics.text(), to: descriptor)
        let number = errno
        close(descriptor)
        guard isWhole, rename(temporary, path) == 0 else {
            if !isWhole { errno = number }
            let failure = WriteFailure("write", path)
            unlink(temporary)
            throw failure
        }
    }
}

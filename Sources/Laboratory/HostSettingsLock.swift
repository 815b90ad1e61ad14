import Glibc
import Synchronization

/// Keeps a scenario that changes a setting of the whole host apart from all other labs of the machine, of this process
/// and of others: a connection that is closed below a low tcp_max_orphans is reset, whatever its own scenario expects.
///
/// An advisory lock on the directory of the settings themselves: nothing is left behind, and it goes with the process.
package final class HostSettingsLock: Sendable {
    private static let path = "/proc/sys"
    private let descriptor: Atomic<Int32>

    /// Waits until no lab stands in the way. Without the directory there is nothing to change either.
    package init(isExclusive: Bool) {
        let file = open(Self.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        descriptor = Atomic(file)
        guard file >= 0 else { return }
        while flock(file, isExclusive ? LOCK_EX : LOCK_SH) != 0, errno == EINTR {}
    }

    /// Safe to call twice.
    package func release() {
        let file = descriptor.exchange(-1, ordering: .acquiringAndReleasing)
        if file >= 0 { close(file) }
    }

    deinit { release() }
}

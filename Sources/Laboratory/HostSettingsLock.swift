import Glibc
import Synchronization

/// Keeps a scenario that changes a host-wide setting from running beside any other lab on the machine, in this process or
/// another: a connection closed under a low tcp_max_orphans is reset, whatever its own scenario expects.
///
/// It is an advisory lock on the directory of the settings: nothing is left behind, and it ends with the process.
package final class HostSettingsLock: Sendable {
    private static let path = "/proc/sys"
    private let descriptor: Atomic<Int32>

    /// Waits until no lab is in the way. Without the directory there is nothing to change, and so nothing to lock.
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

import Foundation
import Synchronization
import Testing

@testable import Laboratory
@testable import Selftest

@Suite struct HostSettingsLockTests {
    private final class Seen: Sendable {
        let others = Mutex(2)
        let whenItCame = Mutex<Int?>(nil)
    }

    /// With a thread of its own, and never suspended: other tests hold such locks too, on the threads that tasks share.
    @Test func whoChangesTheHostWaitsForAllOthers() {
        let seen = Seen()
        let shared = [HostSettingsLock(isExclusive: false), HostSettingsLock(isExclusive: false)]
        let done = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            let lock = HostSettingsLock(isExclusive: true)
            let others = seen.others.withLock { $0 }
            seen.whenItCame.withLock { $0 = others }
            lock.release()
            done.signal()
        }
        for lock in shared {
            usleep(20_000)
            seen.others.withLock { $0 -= 1 }
            lock.release()
            lock.release()
        }
        done.wait()
        #expect(seen.whenItCame.withLock { $0 } == 0)
    }
}

import KernelEvents
import Synchronization

/// What the threads of a recording tell each other and the user while it runs.
final class Bulletin: Sendable {
    private let changes = Mutex<[InterfaceChange]>([])
    private let say: @Sendable (String) -> Void
    /// To be called when nothing more can be recorded, or enough was.
    let wantsToStop: @Sendable () -> Void

    init(say: @escaping @Sendable (String) -> Void, wantsToStop: @escaping @Sendable () -> Void) {
        self.say = say
        self.wantsToStop = wantsToStop
    }

    /// Tells the user at once.
    func tell(_ message: String) { say(message) }

    /// Says in the events what has become of an interface.
    func note(_ change: InterfaceChange) { changes.withLock { $0.append(change) } }

    /// What was noted since this was asked the last time.
    func take() -> [InterfaceChange] {
        changes.withLock { changes in
            defer { changes = [] }
            return changes
        }
    }
}

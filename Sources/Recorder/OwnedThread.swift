import Dispatch
import Synchronization

/// A thread that owns its state until it has ended, and hands it over to whoever joins it.
final class OwnedThread<State>: Sendable {
    private let state: Mutex<State?>
    private let ended = DispatchGroup()

    /// Starts the thread: the caller no longer has the state.
    init(_ label: String, _ state: sending State, _ body: @escaping @Sendable (inout State) -> Void) {
        self.state = Mutex(state)
        DispatchQueue(label: label, qos: .userInitiated).async(group: ended) { [self] in
            self.state.withLock { state in
                if var owned = state.take() {
                    body(&owned)
                    state = owned
                }
            }
        }
    }

    /// Waits for the end of the thread and hands over its state; nil if that was done before.
    func join() -> sending State? {
        ended.wait()
        return state.withLock { state in
            let owned = state
            state = nil
            return owned
        }
    }
}

/// Tells a thread from another one that it is to end.
final class StopFlag: Sendable {
    private let value = Atomic<Bool>(false)

    var isSet: Bool { value.load(ordering: .acquiring) }

    func set() { value.store(true, ordering: .releasing) }
}

import Glibc
import Synchronization

/// Empties a pipe on a thread of its own, so that who writes into it need not wait while what came before is judged.
final class PipeReader: Sendable {
    private let state = Mutex(State())
    private let descriptor: Int32
    /// Bytes that wait for whoever takes them: with more the writer waits after all.
    private let limit: Int

    private struct State {
        var bytes: [UInt8] = []
        var hasEnded = false
        var failure: Int32 = 0
    }

    /// - Parameter descriptor: of a pipe, which belongs to the caller and outlives its last byte.
    init(_ descriptor: Int32, limit: Int) {
        self.descriptor = descriptor
        self.limit = limit
        let reference = Unmanaged.passRetained(self)
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread, nil,
            { argument in
                if let argument { unsafe Unmanaged<PipeReader>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, reference.toOpaque())
        if status == 0 {
            pthread_detach(thread)
        } else {
            reference.release()
            state.withLock { $0.failure = status }
        }
    }

    private func run() {
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            let failure = count < 0 ? errno : 0
            let waiting = state.withLock { state in
                if count > 0 {
                    state.bytes += buffer[..<count]
                } else {
                    state.hasEnded = true
                    state.failure = failure
                }
                return state.bytes.count
            }
            guard count > 0 else { return }
            if waiting > limit { waitForRoom() }
        }
    }

    private func waitForRoom() {
        while state.withLock({ $0.bytes.count > limit }) { usleep(1000) }
    }

    /// What came since this was asked the last time, and whether nothing more comes.
    func take() throws -> (bytes: [UInt8], hasEnded: Bool) {
        let (bytes, hasEnded, failure) = state.withLock { state in
            defer { state.bytes = [] }
            return (state.bytes, state.hasEnded, state.failure)
        }
        guard failure == 0 else {
            throw LiveFileError(description: "cannot read: \(String(cString: strerror(failure)))")
        }
        return (bytes, hasEnded)
    }
}

import Dispatch
import Glibc
import HostFiles
import Logging
import Synchronization

/// Lets Ctrl-C end what writes into a pipe, and not who reads it: in `tcpdump -w - | rst-analyze report -` both get the signal,
/// and the report is wanted.
///
/// A second Ctrl-C ends the program. In effect as long as the object exists, which one thread makes and frees.
final class PipedInput {
    private let handler: SignalHandler
    private let state = State()
    /// Of the thread that reads: one that has had the signal blocks all of them since (see `SignalHandler`).
    private var mask = sigset_t()

    private final class State: Sendable {
        let isInterrupted = Mutex(false)
        let hasEnded = Mutex(false)
    }

    /// Milliseconds within which a writer that got the signal, too, is expected to end.
    private static let patience = 1_000

    /// Nil if no pipe is read, or if the signal is ignored anyway.
    init?(_ files: [String]) {
        guard files.contains(where: Self.isPipe), !SignalHandler.isIgnored(SIGINT) else { return nil }
        pthread_sigmask(SIG_SETMASK, nil, &mask)
        handler = SignalHandler([SIGINT]) { [state] number in
            guard !state.isInterrupted.withLock(\.self) else { return SignalHandler.endProgram(by: number) }
            state.isInterrupted.withLock { $0 = true }
            DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(Self.patience)) {
                guard !state.hasEnded.withLock(\.self) else { return }
                log.info("reading on until what writes into the pipe ends; Ctrl-C again ends without a report")
            }
        }
    }

    deinit {
        state.hasEnded.withLock { $0 = true }
        signal(SIGINT, SIG_DFL)
        pthread_sigmask(SIG_SETMASK, &mask, nil)
    }

    private static func isPipe(_ file: String) -> Bool {
        var status = stat()
        let failure = file == "-" ? fstat(STDIN_FILENO, &status) : stat(file.pathBytes, &status)
        return failure == 0 && [S_IFIFO, S_IFSOCK].contains(status.st_mode & S_IFMT)
    }
}

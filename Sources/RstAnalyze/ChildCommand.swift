import ArgumentParser
import Dispatch
import Glibc
import HostFiles
import Logging
import Recorder
import Synchronization

/// A command in a process group of its own, as a shell runs it.
final class ChildCommand: Sendable {
    /// Why it could not be started (`errno`).
    struct StartError: Error {
        var number: Int32
    }

    private let pid: pid_t
    private let ended = DispatchSemaphore(value: 0)
    /// The status of waitpid(2).
    private let waitStatus = Mutex<Int32>(0)
    /// Whether the command got the terminal, because this process was in its foreground.
    private let hasTerminal: Bool
    /// Ends it if this process is killed.
    private let guardian: Mutex<GroupGuard?>

    /// How long a command may take to end before it is killed, nanoseconds.
    private static let patience: Int64 = 5_000_000_000

    /// The file that a shell would run; if there is none, logs why and throws a shell's exit status.
    static func locate(_ name: String) throws -> String {
        let directories = getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
        let candidates =
            name.contains("/")
            ? [name]
            : directories.split(separator: ":", omittingEmptySubsequences: false).map {
                "\($0.isEmpty ? "." : $0)/\(name)"
            }
        var isThere = false
        for path in candidates {
            var status = stat()
            guard !name.isEmpty, stat(path.pathBytes, &status) == 0 else { continue }
            guard status.st_mode & S_IFMT == S_IFREG, access(path.pathBytes, X_OK) == 0 else {
                isThere = true
                continue
            }
            return path
        }
        log.error("cannot run \(name): \(isThere ? "permission denied" : "command not found")")
        throw ExitCode(isThere ? 126 : 127)
    }

    /// - Parameters:
    ///   - arguments: including the command's own name.
    ///   - whenEnded: called on another thread.
    init(_ path: String, _ arguments: [String], whenEnded: @escaping @Sendable () -> Void) throws(StartError) {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Signals that are ignored here must have their default effect there.
        var defaults = sigset_t()
        sigemptyset(&defaults)
        for number in StopConditions.signals + [SIGTTOU, SIGPIPE, SIGUSR1, SIGXFSZ] { sigaddset(&defaults, number) }
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0.pathBytes) }
        words.append(nil)
        defer { for word in words { free(word) } }
        // A background process that gives the terminal away would be stopped.
        signal(SIGTTOU, SIG_IGN)
        let isForeground = tcgetpgrp(STDIN_FILENO) == getpgrp()
        var child: pid_t = 0
        let failure = posix_spawn(&child, path.pathBytes, nil, &attributes, words, environ)
        guard failure == 0 else { throw StartError(number: failure) }
        let pid = child
        self.pid = pid
        guardian = Mutex(GroupGuard(pid))
        hasTerminal = isForeground && tcsetpgrp(STDIN_FILENO, pid) == 0
        // The command may have been stopped for using the terminal before it had it.
        if hasTerminal { kill(-pid, SIGCONT) }
        DispatchQueue(label: "command").async { [self] in
            let status = waitForEnd()
            waitStatus.withLock { $0 = status }
            guardian.withLock { $0 = nil }
            if hasTerminal { tcsetpgrp(STDIN_FILENO, getpgrp()) }
            ended.signal()
            whenEnded()
        }
    }

    /// Returns the status of waitpid(2). A command stopped at the terminal (Ctrl-Z) stops this program too, like any job of
    /// the shell, and continues with it.
    private func waitForEnd() -> Int32 {
        var status: Int32 = 0
        while true {
            let result = waitpid(pid, &status, hasTerminal ? WUNTRACED : 0)
            if result < 0, errno == EINTR { continue }
            // WIFSTOPPED of wait(2).
            guard result == pid, status & 0xff == 0x7f else { return status }
            tcsetpgrp(STDIN_FILENO, getpgrp())
            kill(getpid(), SIGSTOP)
            if tcgetpgrp(STDIN_FILENO) == getpgrp() { tcsetpgrp(STDIN_FILENO, pid) }
            kill(-pid, SIGCONT)
        }
    }

    /// Waits for its end and returns its exit status, or 128 plus the number of the signal that killed it.
    func status() -> Int32 {
        ended.wait()
        ended.signal()
        let status = waitStatus.withLock(\.self)
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
    }

    /// Sends its process group a signal, and after a while kills whatever has not ended.
    func end(with number: Int32) -> Int32 {
        if ended.wait(timeout: .now()) == .success {
            ended.signal()
            return status()
        }
        let deadline = clockNanoseconds(CLOCK_MONOTONIC) + Self.patience
        kill(-pid, number)
        // Wait for the command and for whatever it started and left behind.
        while kill(-pid, 0) == 0, clockNanoseconds(CLOCK_MONOTONIC) < deadline { usleep(10_000) }
        kill(-pid, SIGKILL)
        return status()
    }
}

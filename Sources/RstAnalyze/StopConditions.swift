import CLinux
import Dispatch
import Glibc
import Logging

/// What ends a recording: a signal, a time, a command's end, or the recorder itself.
final class StopConditions: @unchecked Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private let queue = DispatchQueue(label: "stop")
    private var sources: [any DispatchSourceProtocol] = []

    /// How long after the command's end to go on: its last resets are still on their way.
    private static let grace = DispatchTimeInterval.milliseconds(100)

    init() {
        for number in [SIGINT, SIGTERM, SIGHUP] {
            Glibc.signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { [semaphore] in semaphore.signal() }
            source.resume()
            sources.append(source)
        }
    }

    @Sendable func signal() { semaphore.signal() }

    func wait() { semaphore.wait() }

    func after(nanoseconds: Int64) {
        queue.asyncAfter(deadline: .now() + .nanoseconds(Int(nanoseconds))) { [semaphore] in semaphore.signal() }
    }

    /// Starts a command and stops when it has ended. Returns what went wrong, if it cannot be started.
    func afterCommand(_ command: [String]) -> String? {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The signals that are ignored here must work there.
        var defaults = sigset_t()
        sigemptyset(&defaults)
        for number in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&defaults, number) }
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var pid: pid_t = 0
        let status = posix_spawnp(&pid, command[0], nil, &attributes, arguments, environ)
        guard status == 0 else { return "cannot run \(command[0]): \(String(cString: strerror(status)))" }
        let child = pid
        let semaphore = semaphore
        DispatchQueue.global().async {
            var status: Int32 = 0
            while waitpid(child, &status, 0) < 0, errno == EINTR {}
            if status & 0x7f != 0 {
                log.info("\(command[0]) was killed by signal \(status & 0x7f)")
            } else if status >> 8 != 0 {
                log.info("\(command[0]) ended with status \(status >> 8)")
            }
            DispatchQueue.global().asyncAfter(deadline: .now() + Self.grace) { semaphore.signal() }
        }
        return nil
    }
}

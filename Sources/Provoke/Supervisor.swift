import CLaboratory
import Glibc
import HostFiles
import Laboratory

/// Ends an event loop: on SIGINT, SIGTERM or SIGHUP, or when COMMAND ends.
public final class Supervisor: EventHandler {
    private let loop: EventLoop
    private let signals: Descriptor
    private var child: pid_t?
    private var isEnding = false
    /// The status to exit with: that of COMMAND, or 128 plus the signal number if it was killed.
    public private(set) var status: Int32 = 0

    /// RLIMIT_NOFILE of this process when it began, which COMMAND gets back.
    private let fileLimit: rlimit

    /// Blocks the signals in this thread and in those that it starts later, and raises the limit of open files as far as
    /// this process may.
    public init(_ loop: EventLoop) throws {
        self.loop = loop
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        fileLimit = limit
        limit.rlim_cur = limit.rlim_max
        Self.limitFiles(limit)
        signal(SIGPIPE, SIG_IGN)
        signals = Descriptor(try check(laboratory_take_signals(), "signalfd"))
        try loop.add(signals.number, EventLoop.readable, self)
    }

    private static func limitFiles(_ limit: rlimit) {
        var limit = limit
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// Ends COMMAND if it still runs, because its server has failed.
    public func finish() {
        guard let child else { return }
        kill(child, SIGTERM)
        var raw: Int32 = 0
        while waitpid(child, &raw, 0) < 0, errno == EINTR {}
        self.child = nil
        status = 1
    }

    /// Starts COMMAND in the namespace of the calling thread, with these variables in addition to those of this process.
    public func start(_ command: [String], environment: [(String, String)] = []) throws {
        for (name, value) in environment { setenv(name, value, 1) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Signals that are blocked or ignored here must have their default effect there.
        var set = sigset_t()
        sigemptyset(&set)
        posix_spawnattr_setsigmask(&attributes, &set)
        sigaddset(&set, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &set)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        var words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0.pathBytes) }
        words.append(nil)
        defer { for word in words { free(word) } }
        // select(2) does not accept descriptors above 1023, and some programs close all possible ones.
        var raised = fileLimit
        raised.rlim_cur = raised.rlim_max
        Self.limitFiles(fileLimit)
        defer { Self.limitFiles(raised) }
        var pid: pid_t = 0
        let status = posix_spawnp(&pid, command[0].pathBytes, nil, &attributes, words, environ)
        guard status == 0 else { throw LabError.system(call: "cannot run", subject: command[0], errno: status) }
        child = pid
    }

    func ready(_ descriptor: Int32, _ events: UInt32) {
        while true {
            let number = laboratory_next_signal(descriptor)
            if number == 0 { return }
            if number == SIGCHLD { reap() } else { end(number) }
        }
    }

    /// Passes the signal on to COMMAND and waits for its end; a second signal is final.
    private func end(_ signal: Int32) {
        guard let child else { return loop.stop() }
        kill(child, isEnding ? SIGKILL : signal)
        isEnding = true
    }

    private func reap() {
        var raw: Int32 = 0
        guard let child, waitpid(child, &raw, WNOHANG) == child else { return }
        self.child = nil
        status = raw & 0x7f != 0 ? 128 + raw & 0x7f : raw >> 8 & 0xff
        loop.stop()
    }
}

import Glibc

/// Ends a process group if this process ends without having said so: killed, or crashed.
///
/// It is a shell that waits for the end of a socket, in a process group and a session of its own, so that neither the
/// terminal's signals nor those for COMMAND reach it.
final class GroupGuard {
    /// A socket and no pipe: writing to it when the shell has gone must not raise SIGPIPE.
    private let socket: Int32
    private let pid: pid_t

    /// What has not ended five seconds later is killed.
    private static let script = """
        trap "" INT TERM HUP QUIT
        read -r word && exit 0
        kill -s TERM -- "-$1" || exit 0
        n=0
        while kill -s 0 -- "-$1" && [ $n -lt 50 ]; do sleep 0.1; n=$((n + 1)); done
        kill -s KILL -- "-$1"
        """

    /// Nil where there is no shell; then nobody guards the group.
    init?(_ group: pid_t) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { return nil }
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO)
        // Who reads what this program writes waits for its end, not for the guard's.
        for descriptor in [STDOUT_FILENO, STDERR_FILENO] {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Until it has its session, Ctrl-C reaches it as well, and would end it before it can ignore anything.
        var blocked = sigset_t()
        sigemptyset(&blocked)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP] { sigaddset(&blocked, number) }
        posix_spawnattr_setsigmask(&attributes, &blocked)
        posix_spawnattr_setflags(&attributes, Int16(0x80 /* POSIX_SPAWN_SETSID */ | POSIX_SPAWN_SETSIGMASK))
        let arguments = ["sh", "-c", Self.script, "rst-analyze-guard", "\(group)"]
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        words.append(nil)
        defer { for word in words { free(word) } }
        var child: pid_t = 0
        guard posix_spawn(&child, "/bin/sh", &actions, &attributes, words, environ) == 0 else {
            close(ends[1])
            return nil
        }
        pid = child
        socket = ends[1]
    }

    /// The group has ended, or needs no guard any more.
    deinit {
        var newline: UInt8 = 0x0a
        _ = send(socket, &newline, 1, Int32(MSG_NOSIGNAL))
        close(socket)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    }
}

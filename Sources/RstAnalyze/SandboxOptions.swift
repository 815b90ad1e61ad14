import ArgumentParser
import Glibc
import HostFiles
import Logging
import Recorder

/// What a recorder gives up once it has begun.
struct SandboxOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Become this user, with no other group than its own, once the hooks are attached and the files open.",
            valueName: "name"))
    var user: String?

    @Flag(
        name: .customLong("no-sandbox"),
        help: "Keep all capabilities, and install no seccomp filter, once recording has begun.")
    var noSandbox = false

    func validate() throws {
        if noSandbox, user != nil { throw ValidationError("--user and --no-sandbox cannot be combined") }
    }

    /// Who to become; nil for nobody else. If there is no such user, logs that and throws the exit status.
    func owner() throws -> FileOwner? {
        guard let user else { return nil }
        guard let entry = getpwnam(user) else {
            log.error("there is no user \(user)")
            throw ExitCode(1)
        }
        return FileOwner(user: entry.pointee.pw_uid, group: entry.pointee.pw_gid)
    }

    /// Gives a directory that was just made to who is to write into it.
    static func give(_ directory: String, to owner: FileOwner) {
        let descriptor = open(directory.pathBytes, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var status = stat()
        // Nobody else's.
        guard fstat(descriptor, &status) == 0, status.st_uid == geteuid() else { return }
        fchown(descriptor, owner.user, owner.group)
    }

    /// Gives up what is not needed any more; a failure is an error only where another user was asked for.
    ///
    /// - Parameters:
    ///   - directories: where files are made from now on.
    ///   - others: where files are made if somebody has moved or deleted those that are there.
    ///   - runsCommand: whether a command was started that may have to be ended.
    func enter(
        _ options: RecorderOptions, directories: [String], others: [String] = [], runsCommand: Bool = false
    ) throws {
        guard !noSandbox else { return }
        let owner = try owner()
        var tasks = Sandbox.Tasks(options, directories: directories + others, owner: owner)
        tasks.endsCommand = runsCommand
        do {
            try Sandbox(tasks, owner: owner).enter()
        } catch {
            guard user == nil else {
                log.error("\(error)")
                throw ExitCode(1)
            }
            log.warning("\(error) (--no-sandbox keeps them)")
        }
        guard let user else { return }
        for directory in directories where faccessat(AT_FDCWD, directory.pathBytes, W_OK | X_OK, AT_EACCESS) != 0 {
            log.error("\(user) must be able to make files in \(directory): chown \(user) \(directory)")
            throw ExitCode(1)
        }
    }
}

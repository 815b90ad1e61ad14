import ArgumentParser
import Glibc
import Laboratory
import Logging
import Provoke

/// Runs any subcommand of `provoke`: with a log, and until something ends it.
struct ProvokeRun {
    /// The maximum number of resets; nil for no limit.
    var count: Int?
    /// Nil for standard output.
    var logFile: String?
    /// The command whose end it waits for; empty for none.
    var command: [String]

    /// The settings that the options request; throws if this process cannot do that here.
    func settings(_ how: How?, _ when: When) throws -> Settings {
        if let how, let obstacle = how.obstacle(isRoot: geteuid() == 0) {
            log.error("\(obstacle)")
            throw ExitCode(1)
        }
        var settings = Settings()
        settings.how = how
        settings.when = when
        settings.count = count
        settings.stopsAtCount = command.isEmpty
        settings.tool = Version.tool
        return settings
    }

    func openLog() throws -> ResetLog {
        guard let path = logFile else {
            // Its number would be reused for a socket.
            guard fcntl(STDOUT_FILENO, F_GETFD) >= 0 else {
                log.error("standard output is closed: name a file with --log")
                throw ExitCode(1)
            }
            return ResetLog(descriptor: STDOUT_FILENO)
        }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            log.error("cannot create \(path): \(String(cString: strerror(errno)))")
            throw ExitCode(1)
        }
        return ResetLog(descriptor: descriptor)
    }

    /// Runs what `start` starts, and COMMAND, until something ends them. Throws the exit status unless it is 0.
    ///
    /// - Parameter start: returns the variables for COMMAND.
    func serve(_ start: (EventLoop, ResetLog) throws -> [(String, String)]) throws {
        try serve(whileRunning: { loop, log, supervisor in
            let variables = try start(loop, log)
            if !command.isEmpty { try supervisor.start(command, environment: variables) }
        })
    }

    /// Like the above, but the closure starts COMMAND itself.
    func serve(whileRunning start: (EventLoop, ResetLog, Supervisor) throws -> Void) throws {
        let resets = try openLog()
        var status: Int32 = 0
        do {
            let loop = try EventLoop()
            let supervisor = try Supervisor(loop)
            try start(loop, resets, supervisor)
            defer { supervisor.finish() }
            if !resets.hasFailed { try loop.run() }
            supervisor.finish()
            resets.end()
            status = supervisor.status
        } catch {
            log.error("\(error)")
            throw ExitCode(1)
        }
        if resets.hasFailed {
            log.error("cannot write the log")
            throw ExitCode(1)
        }
        if resets.hasGivenUp, status == 0 { status = 1 }
        if status != 0 { throw ExitCode(status) }
    }
}

import ArgumentParser
import Dispatch
import Glibc
import HostFiles
import KernelEvents
import Logging
import Recorder

/// Records until something ends it: a signal, a limit, or the end of a command.
struct RecordingSession {
    let options: RecorderOptions
    let duration: TimeLength?
    /// A file to create once recording has begun.
    var readyFile: String?
    /// The file to run, and its arguments including its name.
    var command: (path: String, arguments: [String])?
    /// Whether not to log the interfaces when recording begins.
    var isQuiet = false

    init(_ options: RecorderOptions, duration: TimeLength?) {
        self.options = options
        self.duration = duration
    }

    struct Result {
        var summary: RecordingSummary
        /// The status as a shell has it; nil without a command, or if the command was ended because a limit was reached.
        var commandStatus: Int32?
    }

    /// How long to continue after the command's end, since its last resets are still on their way (microseconds).
    private static let grace: UInt32 = 100_000

    /// If nothing could be recorded, logs why and throws the exit status.
    ///
    /// - Parameter stop: what ends the recording; it must be new.
    func run(until stop: StopConditions = StopConditions()) throws -> Result {
        let recorder: Recorder
        do {
            recorder = try Recorder(options, wantsToStop: { stop.stop(.limit) })
        } catch {
            log.error("\(error)")
            throw ExitCode(1)
        }
        for warning in recorder.warnings { log.warning("\(warning)") }
        if let duration { stop.after(nanoseconds: duration.nanoseconds) }
        if let readyFile { try createReadyFile(readyFile) }
        var child: ChildCommand?
        if let command {
            do {
                child = try ChildCommand(command.path, command.arguments) { stop.stop(.command) }
            } catch {
                _ = recorder.stop()
                log.error("cannot run \(command.path): \(String(cString: strerror(error.number)))")
                throw ExitCode(error.number == ENOENT ? 127 : 126)
            }
        } else if !isQuiet {
            log.info("recording on \(names), Ctrl-C to stop")
        }
        let reason = stop.wait()
        var status: Int32?
        if let child {
            switch reason {
            case .command: status = child.status()
            case .signal(let number): status = child.end(with: number)
            case .limit: _ = child.end(with: SIGTERM)
            }
            usleep(Self.grace)
        }
        return Result(summary: recorder.stop(), commandStatus: status)
    }

    private var names: String {
        var names: [String] = []
        for interface in options.interfaces where !names.contains(interface.name) { names.append(interface.name) }
        let scope = options.scope.isEmpty ? "" : "; kernel events of \(options.scope)"
        return names.joined(separator: ", ") + scope
    }

    private func createReadyFile(_ path: String) throws {
        let descriptor = open(path.pathBytes, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            log.error("cannot create \(path): \(String(cString: strerror(errno)))")
            throw ExitCode(1)
        }
        close(descriptor)
    }

    /// Logs what was lost and what may help; throws if the recorder failed.
    static func tellLosses(of summary: RecordingSummary) throws {
        if summary.packetsDropped > 0 {
            log.warning("packets were dropped: try a larger --buffer-size, or a narrower --filter, --host or --port")
        }
        if summary.eventsLost > 0, summary.failure == nil {
            log.warning("kernel events were lost: try a larger --ring-size, or a narrower --netns, --host or --port")
        }
        if let failure = summary.failure {
            log.error("\(failure)")
            throw ExitCode(1)
        }
    }
}

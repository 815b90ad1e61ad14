import ArgumentParser
import Correlator
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
    /// Causes for which a flight recorder keeps what it has.
    var triggers: Set<Cause> = []
    /// Gives up rights, once everything is open and the command runs.
    var confine: (() throws -> Void)?
    /// Whether not to log the interfaces when recording begins.
    var isQuiet = false

    init(_ options: RecorderOptions, duration: TimeLength?) {
        self.options = options
        self.duration = duration
    }

    struct Result {
        var summary: RecordingSummary
        /// The status as a shell has it; nil without a command, or if the command ended only because it was told to when a limit was
        /// reached.
        var commandStatus: Int32?
        /// Of a flight recorder: the command succeeded, and what there was of it is deleted.
        var isDiscarded = false
    }

    /// How long to continue after the command's end, since its last resets are still on their way (microseconds).
    private static let grace: UInt32 = 100_000

    /// If nothing could be recorded, logs why and throws the exit status.
    ///
    /// - Parameter stop: what ends the recording; it must be new.
    func run(until stop: StopConditions = StopConditions()) throws -> Result {
        let saving = options.series.flatMap { $0.isFlight ? SaveSignal($0) : nil }
        defer { withExtendedLifetime(saving) {} }
        let recorder: Recorder
        do {
            recorder = try Recorder(
                options, tell: { log.warning("\($0)") }, wantsToStop: { stop.stop(.limit) })
        } catch {
            log.error("\(HostProbe.explain(error, captures: !options.interfaces.isEmpty))")
            throw ExitCode(1)
        }
        for warning in recorder.warnings { log.warning("\(warning)") }
        if let duration { stop.after(nanoseconds: duration.nanoseconds) }
        if let readyFile, !createReadyFile(readyFile) {
            _ = recorder.stop()
            throw ExitCode(1)
        }
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
        do {
            try confine?()
        } catch {
            if let child { _ = child.end(with: SIGTERM) }
            _ = recorder.stop()
            throw error
        }
        let trigger = triggers.isEmpty ? nil : options.series.map { CauseTrigger($0, triggers) }
        let reason = stop.wait()
        var status: Int32?
        if let child {
            switch reason {
            case .command: status = child.status()
            case .signal(let number): status = child.end(with: number)
            case .limit:
                // Whatever it has to say of its own; that it was ended is no failure.
                let own = child.end(with: SIGTERM)
                status = [SIGTERM, SIGKILL].contains(own - 128) ? nil : own
            }
            usleep(Self.grace)
        }
        var result = Result(summary: recorder.stop(), commandStatus: status)
        if let series = options.series, series.isFlight {
            let isFailed = status ?? 0 != 0 || result.summary.failure != nil
            let isTriggered = trigger?.finish() ?? false
            if isFailed || isTriggered {
                series.finish(saving: SaveSignal.name())
            } else if status == 0 {
                series.discard()
                result.isDiscarded = true
            }
        }
        return result
    }

    private var names: String {
        var names: [String] = []
        for interface in options.interfaces where !names.contains(interface.name) { names.append(interface.name) }
        let scope = options.scope.isEmpty ? "" : "; kernel events of \(options.scope)"
        return names.joined(separator: ", ") + scope
    }

    /// Logs why it cannot be created.
    private func createReadyFile(_ path: String) -> Bool {
        // Neither a link nor a pipe that somebody has put there.
        let descriptor = open(path.pathBytes, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o600 as mode_t)
        guard descriptor >= 0 else {
            log.error("cannot create \(path): \(String(cString: strerror(errno)))")
            return false
        }
        close(descriptor)
        return true
    }

    /// Logs what was lost and what may help; throws if the recorder failed.
    static func tellLosses(of summary: RecordingSummary) throws {
        if summary.packetsDropped > summary.packetsDeleted {
            log.warning("packets were dropped: try a larger --buffer-size, or a narrower --filter, --host or --port")
        }
        if summary.eventsLost > summary.eventsDeleted, summary.failure == nil {
            log.warning("kernel events were lost: try a larger --ring-size, or a narrower --netns, --host or --port")
        }
        if summary.failure == nil, !summary.interfacesMissing.isEmpty {
            log.warning("not captured at the end: \(summary.interfacesMissing.joined(separator: ", "))")
        }
        if let failure = summary.failure {
            log.error("\(failure)")
            throw ExitCode(1)
        }
    }
}

import Dispatch
import Glibc
import InputFiles
import SelftestDriver

/// A directory for what a command makes and nobody keeps. It goes when the command ends, also by SIGINT, SIGTERM or SIGHUP.
final class Scratch {
    let path: String
    private let sources: [any DispatchSourceSignal]

    /// Nil if there is no room for it; `errno` says why.
    ///
    /// - Parameter endsBySignal: a signal ends the program, and the directory goes first; otherwise the caller sees to it that
    ///   the program lives to let go of this object.
    init?(endsBySignal: Bool = true) {
        guard let path = makeTemporaryDirectory() else { return nil }
        self.path = path
        guard endsBySignal else {
            sources = []
            return
        }
        sources = [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                Self.removeTree(path)
                // Whoever waits for the program is to see what ended it.
                signal(number, SIG_DFL)
                kill(getpid(), number)
            }
            source.resume()
            return source
        }
    }

    deinit {
        for source in sources { source.cancel() }
        Self.removeTree(path)
    }

    /// The directory, the recordings' directories in it, and their files.
    private static func removeTree(_ path: String) {
        // Files may still be made while the directory is emptied: the program ends right after.
        for _ in 0..<3 {
            for directory in namesInDirectory(path).map({ "\(path)/\($0)" }) {
                if unlink(directory) == 0 { continue }
                for name in namesInDirectory(directory) { unlink("\(directory)/\(name)") }
                rmdir(directory)
            }
            if rmdir(path) == 0 || errno == ENOENT { return }
        }
    }
}

import Dispatch
import Glibc
import InputFiles
import SelftestDriver

/// A directory for temporary files, removed with this object.
final class Scratch {
    let path: String
    private var sources: [any DispatchSourceSignal] = []

    /// Nil if it cannot be created; `errno` says why.
    init?() {
        guard let path = makeTemporaryDirectory() else { return nil }
        self.path = path
    }

    /// From now on SIGINT, SIGTERM and SIGHUP remove the directory, and then end the program.
    func goWhenInterrupted() {
        sources = StopConditions.signals.map { [path] number in
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
    static func removeTree(_ path: String) {
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

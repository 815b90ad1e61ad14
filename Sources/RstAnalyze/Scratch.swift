import Dispatch
import Glibc

/// A directory for what a command makes and nobody keeps. It goes when the command ends, also by SIGINT, SIGTERM or SIGHUP.
final class Scratch {
    let path: String
    private let sources: [any DispatchSourceSignal]

    /// Nil if there is no room for it; `errno` says why.
    init?() {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(base)/rst-selftest-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { return nil }
        let path = String(decoding: template.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        self.path = path
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
            for directory in entries(of: path) {
                for file in entries(of: directory) { unlink(file) }
                rmdir(directory)
            }
            if rmdir(path) == 0 || errno == ENOENT { return }
        }
    }

    private static func entries(of path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var paths: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { paths.append("\(path)/\(name)") }
        }
        return paths
    }
}

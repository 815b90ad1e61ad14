import Glibc

/// Notices that a file that is being written was deleted, truncated or moved.
struct FileWatch {
    private let file: OutputFile
    private var last = OutputFile.Fate.inPlace
    private var looked: Int64 = 0

    /// Nanoseconds between two looks.
    private static let interval: Int64 = 200_000_000

    init(_ file: OutputFile) { self.file = file }

    /// - Parameter now: CLOCK_MONOTONIC.
    mutating func isDue(_ now: Int64) -> Bool {
        guard now - looked >= Self.interval else { return false }
        looked = now
        return true
    }

    /// The file that is watched is another one.
    mutating func startAgain() { last = .inPlace }

    /// What was in it is lost.
    var isGone: Bool { last == .deleted || last == .truncated }

    /// Where the file is by now.
    var path: String {
        if case .moved(let path) = last { path } else { file.name }
    }

    /// What is to be said of it; nil if nothing has changed.
    mutating func look() -> String? {
        let fate = file.fate()
        defer { last = fate }
        switch fate {
        case .inPlace: return nil
        case .deleted: return "\(file.name) was deleted"
        case .truncated: return "\(file.name) was truncated"
        case .moved(let path): return fate == last ? nil : "\(file.name) was moved: it is \(path) by now"
        }
    }
}

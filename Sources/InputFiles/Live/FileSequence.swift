import Glibc
import HostFiles

/// Files that are read one after the other: those of one stream of a recording, or a single one. They need not be there yet.
struct FileSequence {
    private let directory: String?
    private let stream: RecordingStream
    /// The file that is read; nil before there is one.
    private(set) var path: String?
    /// Of a divided recording, the number of that file.
    private(set) var number: Int?

    /// A single file.
    init(_ path: String) {
        directory = nil
        stream = .capture
        self.path = path
    }

    init(_ stream: RecordingStream, in directory: String) {
        self.directory = directory
        self.stream = stream
    }

    /// Of a divided recording, the files that come after a number.
    init(_ stream: RecordingStream, in directory: String, after number: Int) {
        self.init(stream, in: directory)
        self.number = number
    }

    /// What can be said of it at any time.
    var description: String { path ?? directory.map { "\($0)/\(stream.name)" } ?? "" }

    /// The same, at the file that comes next; nil as long as that is not there.
    ///
    /// Files of a divided recording may be gone before they are read: the next is the one with the lowest number then.
    func next() -> FileSequence? {
        guard let directory, path == nil || number != nil else { return nil }
        var next = self
        let names = namesInDirectory(directory) ?? []
        // They cannot be followed, which whoever opens one says.
        let compressed = names.filter {
            $0.hasPrefix("\(stream)") && $0.hasSuffix(".jsonl" + RecordingStream.compressedEnding)
        }
        if stream == .events, let name = compressed.min() {
            next.path = "\(directory)/\(name)"
            return path == next.path ? nil : next
        }
        if path == nil, number == nil, names.contains(stream.name) {
            next.path = "\(directory)/\(stream.name)"
            return next
        }
        next.number = names.compactMap(stream.number).filter { $0 > number ?? .min }.min()
        guard let number = next.number else { return nil }
        next.path = "\(directory)/\(stream.name(number))"
        return next
    }

    /// What lies between another file of the sequence, which was read, and this one; nil if nothing does.
    func gap(after read: Int?) -> String? {
        guard let read, let number, number > read + 1 else { return nil }
        let names =
            read + 2 == number ? stream.name(read + 1) : "\(stream.name(read + 1)) to \(stream.name(number - 1))"
        return "\(directory ?? ""): \(names) had been deleted before the contents could be read"
    }
}

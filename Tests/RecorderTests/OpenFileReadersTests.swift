import Foundation
import Testing

@testable import Recorder

@Suite struct OpenFileReadersTests {
    /// Of each process: the links of its descriptors, and what fdinfo says of them.
    private static let processes: [(pid: Int32, files: [(link: String, info: String)], reads: Bool)] = [
        (
            10, [("/dev/null", "pos:\t0\n"), ("anon_inode:bpf_link", "link_type:\titer\ntarget_name:\ttask_file\n")],
            true
        ),
        // Other iterators and links hold no files.
        (11, [("anon_inode:bpf_link", "link_type:\titer\ntarget_name:\ttcp\n")], false),
        (12, [("anon_inode:bpf_link", "link_type:\ttracing\n"), ("anon_inode:bpf-map", "map_type:\t1\n")], false),
        // What a file is called is for its owner to say.
        (13, [("/tmp/anon_inode:bpf_link", "target_name:\ttask_file\n"), ("socket:[1]", "pos:\t0\n")], false),
        (14, [], false),
    ]

    @Test func anIteratorOverFilesIsFound() throws {
        let proc = FileManager.default.temporaryDirectory.appending(path: "proc-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: proc) }
        for process in Self.processes {
            let place = proc.appending(path: "\(process.pid)")
            for name in ["fd", "fdinfo"] {
                try FileManager.default.createDirectory(
                    at: place.appending(path: name), withIntermediateDirectories: true)
            }
            for (number, file) in process.files.enumerated() {
                try FileManager.default.createSymbolicLink(
                    atPath: place.appending(path: "fd/\(number)").path, withDestinationPath: file.link)
                try Data(file.info.utf8).write(to: place.appending(path: "fdinfo/\(number)"))
            }
        }
        var readers = OpenFileReaders(proc: proc.path)
        func reads(_ pid: Int32, start: UInt64, comm: String = "rst-analyze") -> Bool {
            readers.includes(pid, start: start, comm: comm)
        }
        for process in Self.processes {
            #expect(reads(process.pid, start: 1) == process.reads, "\(process.pid)")
        }
        #expect(!reads(99, start: 1), "it has ended")
        // The number is given to another process.
        try FileManager.default.moveItem(at: proc.appending(path: "10"), to: proc.appending(path: "15"))
        #expect(reads(10, start: 1, comm: "a") && !reads(10, start: 2, comm: "a"))
        #expect(reads(15, start: 3, comm: "a"))
    }
}

import Glibc
import HostFiles

/// Processes that read all open files of the host through a BPF iterator, as `SocketHolders` does: another recorder, or
/// bpftool.
///
/// The kernel holds each file for such a reader for a moment. If its program closes it meanwhile, the file is released, and a RST
/// sent, in the context of the reader, which is not who closed it.
struct OpenFileReaders {
    private struct Key: Hashable {
        let pid: Int32
        let start: UInt64
    }

    private let proc: String
    private var known: [Key: Bool] = [:]

    private static let capacity = 4096
    /// Descriptors that are looked at: what a program sets up has low numbers.
    private static let mostDescriptors = 256

    /// - Parameter proc: where proc(5) is mounted.
    init(proc: String = "/proc") { self.proc = proc }

    /// - Parameters:
    ///   - start: CLOCK_BOOTTIME of the process's start, nanoseconds: a number may be given again.
    ///   - comm: of its leader, for one whose descriptors may not be seen.
    mutating func includes(_ pid: Int32, start: UInt64, comm: String) -> Bool {
        let key = Key(pid: pid, start: start)
        if let answer = known[key] { return answer }
        if known.count >= Self.capacity { known = [:] }
        let answer = hasIterator(pid) ?? (comm == "rst-analyze")
        known[key] = answer
        return answer
    }

    /// Nil if its descriptors may not be seen.
    private func hasIterator(_ pid: Int32) -> Bool? {
        let place = "\(proc)/\(pid)"
        guard let names = namesInDirectory("\(place)/fd") else {
            return errno == EACCES || errno == EPERM ? nil : false
        }
        return names.compactMap { Int($0) }.sorted().prefix(Self.mostDescriptors).contains { number in
            // bpf_link_prime() in kernel/bpf/syscall.c, bpf_iter_link_show_fdinfo() in kernel/bpf/bpf_iter.c.
            guard ProcessTable.link("\(place)/fd/\(number)")?.hasPrefix("anon_inode:bpf") == true,
                let content = contents(ofFile: "\(place)/fdinfo/\(number)")
            else { return false }
            return String(decoding: content, as: UTF8.self).split(separator: "\n").contains {
                $0.hasPrefix("target_name:") && $0.hasSuffix("task_file")
            }
        }
    }
}

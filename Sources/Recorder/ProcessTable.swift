import Glibc
import KernelEvents

/// What /proc says of the processes that events name, and which of them the recording has a line about.
///
/// A process may be gone when its event is read: what was read of it before, when it was seen to have a socket, is then all.
struct ProcessTable {
    /// The program of a process.
    private struct Program {
        var exe: String?
        var arguments: [String]?
        var isCut = false
        var parent: ResetEvent.Owner?
        var uid: UInt32?
    }

    /// Which process, and which of its programs.
    private struct Key: Hashable {
        let pid: Int32
        let comm: String
        /// Its start in clock ticks; nil if nobody told.
        let start: UInt64?
    }

    private var programs: [Key: Program] = [:]
    private var noted: [Int32: Key] = [:]
    private var users = UserNames()
    private let keepsArguments: Bool
    /// /proc has the process numbers that the hooks see.
    static let seesAllProcesses = NetworkNamespace.number("/proc/self/ns/pid") == 0xEFFF_FFFC
    private let ticksPerSecond = UInt64(max(1, sysconf(Int32(_SC_CLK_TCK))))

    private static let capacity = 4096
    static let mostArguments = 32
    static let mostBytes = 1024

    init(keepsArguments: Bool) { self.keepsArguments = keepsArguments }

    /// Remembers a process that has a socket.
    ///
    /// - Parameter start: CLOCK_BOOTTIME of its start, nanoseconds.
    /// - Returns: whether it was not known before.
    @discardableResult
    mutating func see(_ pid: Int32, _ comm: String, start: UInt64) -> Bool {
        let key = key(pid, comm, start)
        return programs[key] == nil && program(key) != nil
    }

    /// Forgets which processes there are lines about.
    mutating func forgetRecords() { noted = [:] }

    /// A line about the process, unless the last one about its number was the same.
    mutating func record(
        _ process: ResetEvent.Owner, start: UInt64? = nil, uid: UInt32? = nil, parent: ResetEvent.Owner? = nil
    ) -> ProcessRecord? {
        let key = key(process.pid, process.comm, start == 0 ? nil : start)
        if let last = noted[process.pid], last.comm == key.comm, last.start == key.start || key.start == nil {
            return nil
        }
        if noted.count >= Self.capacity { noted = [:] }
        noted[process.pid] = key
        let program = program(key)
        var record = ProcessRecord(pid: process.pid, comm: process.comm)
        record.uid = uid ?? program?.uid
        record.user = record.uid.flatMap { users.name($0) }
        record.exe = program?.exe
        record.arguments = program?.arguments
        record.argumentsAreCut = program?.isCut == true
        record.parent = parent ?? program?.parent
        return record
    }

    private func key(_ pid: Int32, _ comm: String, _ start: UInt64?) -> Key {
        // nsec_to_clock_t(), as /proc/PID/stat has it.
        Key(pid: pid, comm: comm, start: start.map { $0 / (1_000_000_000 / ticksPerSecond) })
    }

    private mutating func program(_ key: Key) -> Program? {
        if let known = programs[key] { return known }
        guard let program = read(key) else { return nil }
        if programs.count >= Self.capacity { programs = [:] }
        programs[key] = program
        return program
    }

    /// What /proc says now; nil if the number is of another process by now, or it runs another program.
    private func read(_ key: Key) -> Program? {
        guard Self.seesAllProcesses, key.pid > 0 else { return nil }
        let path = "/proc/\(key.pid)"
        guard let status = ProcessStatus(readFile("\(path)/stat")), status.comm == key.comm,
            key.start.map({ $0 == status.start }) ?? true
        else { return nil }
        var program = Program()
        program.exe = Self.link("\(path)/exe")
        if keepsArguments { (program.arguments, program.isCut) = Self.arguments(readFile("\(path)/cmdline")) }
        var owner = stat()
        if stat(path, &owner) == 0 { program.uid = owner.st_uid }
        if let parent = ProcessStatus(readFile("/proc/\(status.parent)/stat")) {
            program.parent = ResetEvent.Owner(pid: status.parent, comm: parent.comm)
        }
        // It may have ended and its number been given away meanwhile.
        guard let again = ProcessStatus(readFile("\(path)/stat")), again.start == status.start, again.comm == key.comm
        else { return nil }
        return program
    }

    /// What a link points to; nil if it cannot be read.
    static func link(_ path: String) -> String? {
        var target = [UInt8](repeating: 0, count: 4096)
        let count = target.withUnsafeMutableBytes {
            readlink(path, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
        }
        return count > 0 ? String(kernelName: target[..<count]) : nil
    }

    /// The words of /proc/PID/cmdline, as far as they are kept; nil if there are none.
    static func arguments(_ text: [UInt8]) -> (words: [String]?, isCut: Bool) {
        guard !text.isEmpty else { return (nil, false) }
        let kept = text.prefix(mostBytes)
        var words = kept.split(separator: 0, omittingEmptySubsequences: false)
        // Each ends with a NUL, unless the process wrote a title of its own over them.
        if words.last?.isEmpty == true { words.removeLast() }
        let isCut = text.count > kept.count || words.count > mostArguments
        return (words.prefix(mostArguments).map { String(kernelName: $0) }, isCut)
    }
}

/// The fields of /proc/PID/stat (proc_pid_stat(5)) that tell a process.
struct ProcessStatus: Equatable {
    let comm: String
    let parent: Int32
    /// Clock ticks since the boot.
    let start: UInt64

    init?(_ text: [UInt8]) {
        // The name may hold anything, also parentheses and spaces: it ends at the last one.
        guard let open = text.firstIndex(of: UInt8(ascii: "(")), let close = text.lastIndex(of: UInt8(ascii: ")")),
            open < close
        else { return nil }
        let fields = text[(close + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 19, let parent = Int32(String(decoding: fields[1], as: UTF8.self)),
            let start = UInt64(String(decoding: fields[19], as: UTF8.self))
        else { return nil }
        comm = String(kernelName: text[(open + 1)..<close])
        self.parent = parent
        self.start = start
    }
}

/// The names of users in /etc/passwd: a directory service might take its time.
struct UserNames {
    private var names: [UInt32: String] = [:]
    private var isRead = false

    mutating func name(_ uid: UInt32) -> String? {
        if !isRead {
            isRead = true
            names = Self.parse(readFile("/etc/passwd"))
        }
        return names[uid]
    }

    /// passwd(5); of several entries of one number the first.
    ///
    /// - Parameter field: its number, from 0: the name, or 5 for the home directory.
    static func parse(_ text: [UInt8], field: Int = 0) -> [UInt32: String] {
        var names: [UInt32: String] = [:]
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard fields.count > max(3, field), let uid = UInt32(String(decoding: fields[2], as: UTF8.self)),
                names[uid] == nil
            else { continue }
            names[uid] = String(kernelName: fields[field])
        }
        return names
    }
}

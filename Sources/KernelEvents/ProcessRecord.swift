/// What is known of a process beyond its number and name: a line of its own, before the first event that names it.
public struct ProcessRecord: Sendable, Hashable {
    public var pid: Int32
    /// The name of its thread group's leader when it used the socket. A process that runs another program later, or another
    /// process that gets the number, has another record.
    public var comm: String
    public var uid: UInt32?
    /// The name of the user in /etc/passwd of the recorder.
    public var user: String?
    /// The path of its program.
    public var exe: String?
    public var arguments: [String]?
    /// There are more arguments, or longer ones.
    public var argumentsAreCut = false
    public var parent: ResetEvent.Owner?
    /// 1-based line in the file; 0 for one that was never in a file.
    public var line = 0
    public init(pid: Int32, comm: String) {
        self.pid = pid
        self.comm = comm
    }
}

extension Recording {
    /// What is known of the process that an event names.
    public func process(_ pid: Int32, _ comm: String, line: Int) -> ProcessRecord? {
        guard let known = processes[pid] else { return nil }
        return known.last { $0.line <= line && $0.comm == comm }
    }
}

extension LineScanner {
    /// A `process` line; nil for one without number or name.
    mutating func process() throws(LineProblem) -> ProcessRecord? {
        var pid: Int32?
        var comm: String?
        var record = ProcessRecord(pid: 0, comm: "")
        try beginObject()
        var isFirst = true
        while let key = try nextKey(&isFirst) {
            switch key {
            case .pid: pid = try integer(from: 0)
            case .comm: comm = try string()
            case .uid: record.uid = try integer()
            case .user: record.user = try string()
            case .exe: record.exe = try string()
            case .args: record.arguments = try strings()
            case .argsCut: record.argumentsAreCut = try boolean() ?? false
            case .parent: record.parent = try parent()
            default: try skipValue()
            }
        }
        guard let pid, let comm else { return nil }
        record.pid = pid
        record.comm = comm
        return record
    }

    private mutating func parent() throws(LineProblem) -> ResetEvent.Owner? {
        if try skipNull() { return nil }
        var pid: Int32?
        var comm: String?
        try beginObject()
        var isFirst = true
        while let key = try nextKey(&isFirst) {
            switch key {
            case .pid: pid = try integer(from: 0)
            case .comm: comm = try string()
            default: try skipValue()
            }
        }
        guard let pid, let comm else { return nil }
        return ResetEvent.Owner(pid: pid, comm: comm)
    }

    private mutating func strings() throws(LineProblem) -> [String]? {
        if try skipNull() { return nil }
        try expect(UInt8(ascii: "["), "expected an array")
        var strings: [String] = []
        var isFirst = true
        while try nextElement(&isFirst) {
            if let element = try string() { strings.append(element) }
        }
        return strings
    }
}

/// One thing that recording depends on, and how it is on this host.
public struct HostCheck: Sendable, Equatable {
    public enum State: String, Sendable, CaseIterable {
        case ok
        /// Recording works, but the recording tells less or costs more.
        case warning
        /// `record` cannot work.
        case failed
        /// It cannot be examined here.
        case unknown
    }

    /// What is checked: the words are those of the JSON form, and stay.
    public enum Subject: String, Sendable, CaseIterable {
        case kernelBTF = "kernel-btf"
        case capabilities
        case hooks
        case lockdown
        case lockedMemory = "locked-memory"
        case kernelSymbols = "kernel-symbols"
        case interfaces
        case clock
        case cgroups
        case processes
        case containerRuntimes = "container-runtimes"
        case firewallTools = "firewall-tools"
        case tracers
        case seccomp
        case libraries
    }

    public var subject: Subject
    public var state: State
    /// What is so here, as a sentence without a full stop.
    public var found: String
    /// What to do about it; nil if nothing is to be done.
    public var fix: String?

    init(_ subject: Subject, _ state: State, _ found: String, fix: String? = nil) {
        self.subject = subject
        self.state = state
        self.found = found
        self.fix = fix
    }

    /// What is so and what to do about it, in one line.
    public var message: String { fix.map { "\(found): \($0)" } ?? found }
}

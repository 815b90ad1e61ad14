import CSandbox
import Glibc
import HostFiles
import KernelEvents

/// What a recorder is left with once its hooks are attached and its interfaces and files are open.
public struct Sandbox: Sendable, Equatable {
    /// What it still has to do that needs a right.
    public struct Tasks: Sendable, Equatable {
        /// Opens interfaces that come, or come back.
        public var waits = false
        /// Records or captures in other network namespaces than its own.
        public var looksElsewhere = true
        /// Ends a command, which may have become another user.
        public var endsCommand = false
        /// The directories that it makes files in are its own.
        public var ownsOutput = false
        /// `iptables-legacy-save` is there, which opens a raw socket.
        public var runsLegacyTools = true
        /// The kernel's release.
        public var kernel = ""

        public init() {}
    }

    public var capabilities: CapabilitySet
    /// Becomes this user; nil to stay who it is.
    public var owner: FileOwner?
    var mayOpenInterfaces: Bool
    var mayEnterNamespaces: Bool

    /// - Parameter owner: becomes this user; nil to stay who it is.
    public init(_ tasks: Tasks, owner: FileOwner? = nil) {
        capabilities = CapabilitySet(Self.capabilities(tasks))
        self.owner = owner
        mayOpenInterfaces = tasks.waits
        mayEnterNamespaces = tasks.looksElsewhere
    }

    /// Those that are still needed, each for what docs/security.md says.
    static func capabilities(_ tasks: Tasks) -> [Capability] {
        var kept: [Capability] = [.syslog, .netAdmin, .sysPtrace, .dacReadSearch]
        if !mayUseBPFWithout(tasks.kernel) { kept.append(.bpf) }
        if tasks.waits || tasks.runsLegacyTools { kept.append(.netRaw) }
        if tasks.looksElsewhere { kept.append(.sysAdmin) }
        if tasks.endsCommand { kept.append(.kill) }
        if !tasks.ownsOutput { kept.append(.dacOverride) }
        return kept
    }

    /// Whether what was loaded can be used without CAP_BPF: up to Linux 5.18 kernel.unprivileged_bpf_disabled forbids all of
    /// bpf(2), from then on only loading (c8644cd0efe7).
    static func mayUseBPFWithout(_ kernel: String) -> Bool {
        let numbers = kernel.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        return numbers.count == 2 && (numbers[0], numbers[1]) >= (5, 19)
    }

    /// What could not be taken away, and why.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// Takes everything else away from all threads of this process and the programs that it runs from now on. There is no way
    /// back.
    public func enter() throws(Failure) {
        var rights = sandbox_rights()
        rights.capabilities = capabilities.bits
        // Who is not root hands capabilities on only so: the firewall tools need them.
        let user = owner?.user ?? geteuid()
        rights.ambient = user != 0
        rights.changes_user = owner != nil
        rights.uid = owner?.user ?? 0
        rights.gid = owner?.group ?? 0
        let confined = sandbox_confine(&rights)
        guard confined == 0 else {
            throw Failure(description: "cannot give up privileges: \(String(cString: strerror(confined)))")
        }
        var allowances: UInt32 = 0
        if mayOpenInterfaces { allowances |= SANDBOX_PACKET_SOCKETS.rawValue }
        if mayEnterNamespaces { allowances |= SANDBOX_NAMESPACES.rawValue }
        let filtered = sandbox_filter(allowances)
        guard filtered == 0 else {
            throw Failure(description: "cannot install a seccomp filter: \(String(cString: strerror(filtered)))")
        }
    }
}

extension Sandbox.Tasks {
    /// What a recorder of these options still does.
    ///
    /// - Parameters:
    ///   - directories: where files are made from now on.
    ///   - owner: who makes them; nil for this process's user.
    public init(_ options: RecorderOptions, directories: [String], owner: FileOwner?) {
        self.init()
        var system = utsname()
        uname(&system)
        kernel = withUnsafeBytes(of: system.release) { String(kernelName: $0) }
        waits = options.waits
        let own = NetworkNamespace.number(NetworkNamespace.current)
        looksElsewhere =
            options.scope.netns.isEmpty || options.scope.netns.contains { $0 != own }
            || options.interfaces.contains { $0.namespace != nil }
        runsLegacyTools = RulesetTools.path("iptables-legacy-save") != nil
        let user = owner?.user ?? geteuid()
        ownsOutput =
            owner != nil
            || directories.allSatisfy { directory in
                var status = stat()
                return stat(directory.pathBytes, &status) == 0 && status.st_uid == user
                    && status.st_mode & 0o300 == 0o300
            }
    }
}

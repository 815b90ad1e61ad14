public import KernelEvents
import NetworkTypes

extension Pseudonyms {
    /// What stands in place of texts that may hold anything.
    public static let leftOut = "left out by rst-analyze anonymize"

    /// The same events with other addresses and names, without what only describes the host: rules of firewalls, arguments,
    /// users, directories of programs, messages of errors.
    ///
    /// Ports, times, process numbers and names, uids, interface names, namespaces and kernel functions stay.
    public mutating func recording(_ recording: Recording) -> Recording {
        var result = recording
        if let header = recording.header { result.header = self.header(header) }
        for place in result.events.indices { change(&result.events[place]) }
        for place in result.failures.indices { change(&result.failures[place]) }
        result.containers = [:]
        for container in recording.containers.values {
            let renamed = self.container(container)
            result.containers[renamed.key] = renamed
        }
        result.processes = recording.processes.mapValues { $0.map(Self.process) }
        for place in result.interfaceChanges.indices where result.interfaceChanges[place].detail != nil {
            result.interfaceChanges[place].detail = Self.leftOut
        }
        for place in result.rulesets.indices {
            result.rulesets[place].content = nil
            result.rulesets[place].listing = nil
            result.rulesets[place].problem = Self.leftOut
        }
        if result.footer?.failure != nil { result.footer?.failure = Self.leftOut }
        // What could not be read is not in the copy, which must not be taken for complete.
        if recording.damagedLines > 0 {
            let problem = "\(recording.damagedLines) lines could not be read when the recording was anonymised"
            result.footer?.failure = problem
        }
        result.damagedLines = 0
        result.damage = []
        result.ignoredLines = 0
        return result
    }

    private mutating func header(_ header: RecordingHeader) -> RecordingHeader {
        var header = header
        header.host = host(header.host)
        header.bootID = bootID(header.bootID)
        for place in header.interfaces.indices {
            header.interfaces[place].addresses = header.interfaces[place].addresses.map { address($0) }
        }
        if let scope = header.scope { header.scope?.hosts = scope.hosts.compactMap { prefix($0) } }
        for place in header.hooks.indices where header.hooks[place].detail != nil {
            header.hooks[place].detail = Self.leftOut
        }
        if header.cgroupObstacle != nil { header.cgroupObstacle = Self.leftOut }
        return header
    }

    private mutating func change(_ event: inout ResetEvent) {
        event.tuple = tuple(event.tuple)
        event.skb = event.skb.map { pointer($0) }
        if var conntrack = event.conntrack {
            conntrack.original = conntrack.original.map { tuple($0) }
            conntrack.reply = conntrack.reply.map { tuple($0) }
            event.conntrack = conntrack
        }
        if let path = event.socket?.cgroupPath { event.socket?.cgroupPath = cgroup(path) }
        if var task = event.task, let path = task.cgroupPath {
            task.cgroupPath = cgroup(path)
            event.task = task
        }
        if var ending = event.ending, let path = ending.cgroupPath {
            ending.cgroupPath = cgroup(path)
            event.ending = ending
        }
    }

    private func container(_ container: ContainerRecord) -> ContainerRecord {
        var renamed = ContainerRecord(id: cgroup(container.id))
        renamed.runtime = container.runtime
        renamed.name = container.name.map { name($0, "container") }
        renamed.pod = container.pod.map { name($0, "pod") }
        renamed.namespace = container.namespace.map { name($0, "namespace") }
        renamed.slice = container.slice.map { cgroup($0) }
        return renamed
    }

    private static func process(_ process: ProcessRecord) -> ProcessRecord {
        var process = process
        process.user = nil
        process.arguments = nil
        process.argumentsAreCut = false
        process.exe = process.exe.map { path in path.split(separator: "/").last.map(String.init) ?? path }
        return process
    }
}

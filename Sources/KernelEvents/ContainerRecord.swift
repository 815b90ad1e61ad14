import JSONText

/// What a container runtime calls a container: a line of its own, before or after the events of its processes.
public struct ContainerRecord: Sendable, Hashable {
    /// As `CgroupIdentity.container`.
    public var id: String
    /// In Kubernetes its name within the pod.
    public var name: String?
    public var runtime: ContainerRuntime?
    public var image: String?
    /// The name of its Kubernetes pod.
    public var pod: String?
    /// The Kubernetes namespace of that.
    public var namespace: String?
    /// The slice of the user whose runtime said this: it is true of cgroups below that only. Nil for the host's runtimes.
    public var slice: String?

    public init(id: String) { self.id = id }

    /// What one name is of: users can make cgroups with the ids of others' containers.
    public struct Key: Sendable, Hashable {
        public var id: String
        public var slice: String?

        /// - Parameter slice: as `CgroupIdentity.userSlice(path:)`.
        public init(id: String, slice: String? = nil) { (self.id, self.slice) = (id, slice) }
    }

    public var key: Key { Key(id: id, slice: slice) }

    /// Whether it says more than there is a container.
    public var isNamed: Bool { name != nil || pod != nil }

    /// `web`, or `namespace/pod/container` of Kubernetes; nil if it has no name.
    public var title: String? {
        guard pod != nil else { return name }
        return [namespace, pod, name].compactMap(\.self).joined(separator: "/")
    }

    /// `namespace/pod`; nil outside of Kubernetes.
    public var podTitle: String? {
        pod.map { pod in namespace.map { "\($0)/\(pod)" } ?? pod }
    }
}

extension EventEncoder {
    /// A container's name.
    public mutating func append(container: ContainerRecord) {
        begin("container")
        json.member(.id, container.id)
        json.member(.name, container.name)
        json.member(.runtime, container.runtime?.rawValue)
        json.member(.image, container.image)
        json.member(.pod, container.pod)
        json.member(.namespace, container.namespace)
        json.member(.slice, container.slice)
        endLine()
    }
}

extension LineScanner {
    /// A `container` line; nil for one without id.
    mutating func container() throws(LineProblem) -> ContainerRecord? {
        var record = ContainerRecord(id: "")
        try beginObject()
        var isFirst = true
        while let key = try nextKey(&isFirst) {
            switch key {
            case .id: record.id = try string() ?? ""
            case .name: record.name = try text()
            case .runtime: record.runtime = try string().flatMap(ContainerRuntime.init)
            case .image: record.image = try text()
            case .pod: record.pod = try text()
            case .namespace: record.namespace = try text()
            case .slice: record.slice = try text()
            default: try skipValue()
            }
        }
        return record.id.isEmpty ? nil : record
    }

    /// Nil for an empty one, too: it names nothing.
    private mutating func text() throws(LineProblem) -> String? { try string().flatMap { $0.isEmpty ? nil : $0 } }
}

extension Recording {
    /// Adds what another part of the recording says; of two records of one container the later one counts.
    public mutating func add(containers later: [ContainerRecord.Key: ContainerRecord]) {
        containers.merge(later) { _, new in new }
    }
}

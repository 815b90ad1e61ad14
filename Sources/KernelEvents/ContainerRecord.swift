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

    public init(id: String) { self.id = id }

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
            case .name: record.name = try string()
            case .runtime: record.runtime = try string().flatMap(ContainerRuntime.init)
            case .image: record.image = try string()
            case .pod: record.pod = try string()
            case .namespace: record.namespace = try string()
            default: try skipValue()
            }
        }
        return record.id.isEmpty ? nil : record
    }
}

extension Recording {
    /// Adds what another part of the recording says; of two records of one container the later one counts.
    public mutating func add(containers later: [String: ContainerRecord]) {
        containers.merge(later) { _, new in new }
    }
}

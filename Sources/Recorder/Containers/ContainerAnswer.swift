import KernelEvents

/// What runtimes say of a container. All of it is untrusted.
enum ContainerAnswer {
    /// Bytes of a text that are kept: the longest name that Kubernetes allows (RFC 1123).
    static let longest = 253

    /// An answer to `GET /containers/ID/json` of Docker's API, and docker's own `config.v2.json`.
    static func inspection(_ answer: JSONValue, of id: String, by runtime: ContainerRuntime) -> ContainerRecord? {
        guard (answer["Id"] ?? answer["ID"])?.string == id else { return nil }
        let labels = answer["Config"]?["Labels"]
        let name = answer["Name"]?.string.flatMap { given in
            text(.string(given.hasPrefix("/") ? String(given.dropFirst()) : given))
        }
        // cri-dockerd calls it k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT.
        return record(
            id, runtime, name: text(labels?["io.kubernetes.container.name"]) ?? name,
            image: text(answer["Config"]?["Image"]), pod: text(labels?["io.kubernetes.pod.name"]),
            namespace: text(labels?["io.kubernetes.pod.namespace"]))
    }

    /// `config.json` of an OCI bundle, in whose annotations containerd, CRI-O and nerdctl keep names
    /// (containerd's pkg/cri/annotations, CRI-O's pkg/annotations).
    static func bundle(_ config: JSONValue, of id: String) -> ContainerRecord? {
        guard let notes = config["annotations"] else { return nil }
        let criO = notes["io.kubernetes.cri-o.ContainerID"]?.string
        guard criO == nil || criO == id else { return nil }
        let cri = "io.kubernetes.cri."
        return record(
            id, criO == nil ? .containerd : .crio,
            name: text(notes[cri + "container-name"] ?? notes["io.kubernetes.container.name"] ?? notes["nerdctl/name"]),
            image: text(notes[cri + "image-name"] ?? notes["io.kubernetes.cri-o.ImageName"]),
            pod: text(notes[cri + "sandbox-name"] ?? notes["io.kubernetes.pod.name"]),
            namespace: text(notes[cri + "sandbox-namespace"] ?? notes["io.kubernetes.pod.namespace"]))
    }

    /// The list of containers of containers/storage (`containers.json`), which has podman's names.
    static func storage(_ list: JSONValue, of id: String) -> ContainerRecord? {
        guard case .array(let entries) = list, let entry = entries.first(where: { $0["id"]?.string == id }),
            case .array(let names)? = entry["names"]
        else { return nil }
        let metadata = entry["metadata"]?.string.flatMap { JSONValue(Array($0.utf8)) }
        return record(id, .podman, name: text(names.first), image: text(metadata?["image-name"]))
    }

    private static func record(
        _ id: String, _ runtime: ContainerRuntime, name: String?, image: String?, pod: String? = nil,
        namespace: String? = nil
    ) -> ContainerRecord? {
        var record = ContainerRecord(id: id)
        record.runtime = runtime
        record.name = name
        record.image = image
        record.pod = pod
        record.namespace = namespace
        return record.isNamed ? record : nil
    }

    private static func text(_ value: JSONValue?) -> String? {
        guard let text = value?.string, !text.isEmpty else { return nil }
        var kept = String.UnicodeScalarView()
        var count = 0
        for scalar in text.unicodeScalars {
            count += UTF8.width(scalar)
            if count > longest { break }
            kept.append(scalar)
        }
        return String(kept)
    }
}

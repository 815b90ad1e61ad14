import ArgumentParser

/// Whether a recorder asks container runtimes.
struct ContainerNameOptions: ParsableArguments {
    @Flag(
        name: .customLong("no-container-names"),
        help: "Do not ask Docker, Podman, containerd and CRI-O for the names of containers and pods.")
    var noContainerNames = false
}

import ArgumentParser
import KernelEvents
import Logging
import NetworkTypes
import PcapReader
import Recorder

/// What to record: options shared by `record` and `run`.
struct RecordingOptions: ParsableArguments {
    @Option(
        name: [.customShort("i"), .customLong("interface")],
        help: "Interface to capture on; lo and any also work. Repeat for several. (default: any)")
    var interfaces: [String] = []

    @Flag(
        name: .customLong("wait"),
        help: "Wait for interfaces that are not there or go away, and capture them when they come.")
    var waits = false

    @Option(help: ArgumentHelp("Capture only what this pcap-filter(7) expression accepts.", valueName: "expression"))
    var filter: String?

    @Flag(help: "Capture every packet, with its payload.")
    var full = false

    @Option(
        help: ArgumentHelp(
            "Bytes of payload to keep of each TCP segment; --full keeps all. (default: 0)", valueName: "bytes"))
    var payload: Int?

    @Option(
        help: ArgumentHelp(
            """
            Record only this network namespace: own, all, a name as in "ip netns", or an inode number. Repeat for \
            several. (default: own inside a namespace or container, all on the host)
            """, valueName: "namespace"))
    var netns: [String] = []

    @Option(
        help: ArgumentHelp("Record only what this address or network sends or receives.", valueName: "addr[/len]"),
        transform: Prefixes.init)
    var host: [Prefixes] = []

    @Option(help: "Record only connections with this port at either end.")
    var port: [UInt16] = []

    @Option(help: "Stop after this time: 500ms, 30s, 1m30s, 2h.")
    var duration: TimeLength?

    @Option(name: [.customShort("s"), .long], help: "Bytes to keep of each packet.")
    var snaplen: Int32 = 262_144

    @Option(name: [.customShort("B"), .long], help: "Size of libpcap's buffer for each interface, in KiB.")
    var bufferSize: Int32 = 16_384

    @Option(help: "Size of the ring buffer for kernel events, in KiB.")
    var ringSize: UInt32 = 32_768

    @Flag(
        name: .customLong("ignored"),
        help:
            "Also record RSTs that arrive without effect, and why (Linux 5.19 and later); costs 60 ns per dropped packet."
    )
    var ignored = false

    @Flag(
        name: .customLong("no-arguments"), help: "Do not record the arguments of processes, which may contain secrets.")
    var noArguments = false

    @OptionGroup
    var containers: ContainerNameOptions

    func validate() throws {
        if let payload, !(0...262_144).contains(payload) {
            throw ValidationError("--payload must be between 0 and 262144")
        }
        if full, filter != nil { throw ValidationError("--full and --filter cannot be combined") }
        // Cooked v2, IPv6 and TCP with all options are 120 bytes.
        if snaplen < 128 { throw ValidationError("--snaplen must be at least 128, which the headers need") }
        if bufferSize < 64 || bufferSize > 2_000_000 {
            throw ValidationError("--buffer-size must be between 64 and 2000000 KiB")
        }
        if ringSize < 4 || ringSize > 1 << 20 {
            throw ValidationError("--ring-size must be between 4 and 1048576 KiB")
        }
        if let name = interfaces.enumerated().first(where: { interfaces[..<$0].contains($1) })?.element {
            throw ValidationError("-i \(name) is given twice")
        }
        if netns.count > 1, let word = netns.first(where: { $0 == "all" }) {
            throw ValidationError("--netns \(word) cannot be combined with other namespaces")
        }
        try checkCount(netns, 64, "--netns")
        try checkCount(prefixes, 16, "--host")
        try checkCount(port, 16, "--port")
    }

    private func checkCount(_ values: [some Any], _ limit: Int, _ option: String) throws {
        if values.count > limit { throw ValidationError("\(option) can be given at most \(limit) times") }
    }

    private var prefixes: [IPPrefix] { host.flatMap(\.prefixes) }

    /// Interfaces, for messages.
    var names: [String] { interfaces.isEmpty ? ["any"] : interfaces }

    /// The recorder's options; if nothing can be recorded, logs why and throws the exit status.
    func recorderOptions(capture: RecordingOutput, events: RecordingOutput) throws -> RecorderOptions {
        let namespaces = try self.namespaces()
        let places: [NetworkNamespace?] = namespaces.isEmpty ? [nil] : namespaces.map(\.place)
        var options = RecorderOptions(
            interfaces: places.flatMap { place in
                names.map { RecorderOptions.Interface(name: $0, namespace: place) }
            }, capture: capture, events: events)
        options.waits = waits
        options.payload = payload.map(PayloadLimit.init) ?? (full ? nil : PayloadLimit(bytes: 0))
        options.scope = RecordingScope(netns: namespaces.map(\.number), hosts: prefixes, ports: port)
        options.filter = RecorderOptions.narrowed(
            full ? "" : filter ?? RecorderOptions.defaultFilter, to: options.scope)
        options.snaplen = snaplen
        options.captureBuffer = bufferSize * 1024
        options.ringBuffer = ringSize * 1024
        options.arguments = !noArguments
        options.ignoredResets = ignored
        options.containerNames = !containers.noContainerNames
        options.tool = Version.tool
        return options
    }

    /// The namespaces to record, each once; none for the whole host.
    private func namespaces() throws -> [(place: NetworkNamespace?, number: UInt32)] {
        let wanted = netns.isEmpty ? [NetworkNamespace.isApart ? "own" : "all"] : netns
        if wanted == ["all"] { return [] }
        var found: [(place: NetworkNamespace?, number: UInt32)] = []
        for name in wanted {
            let place = name == "own" ? nil : NetworkNamespace(named: name)
            guard name == "own" || place != nil,
                let number = NetworkNamespace.number(place?.path ?? NetworkNamespace.current)
            else {
                log.error("there is no network namespace \(name) (\"ip netns\" and \"lsns -t net\" list them)")
                throw ExitCode(1)
            }
            if !found.contains(where: { $0.number == number }) { found.append((place, number)) }
        }
        return found
    }
}

import Correlator
import JSONText
import KernelEvents
public import NetworkTypes

/// Renders RSTs as lines of `rst-record/1` (docs/records.md): one flat JSON object per line, for what collects the lines of
/// many hosts.
public struct RecordLines: Sendable {
    /// Whose records these are.
    public struct Host: Sendable, Equatable {
        public var name: String
        /// machine-id(5); empty if there is none.
        public var id: String
        public var bootID: String
        public var agent: String
        public var cluster: String?

        public init(name: String, id: String, bootID: String, agent: String, cluster: String? = nil) {
            self.name = name
            self.id = id
            self.bootID = bootID
            self.agent = agent
            self.cluster = cluster
        }
    }

    /// What a host says of itself from time to time: without it, the absence of a record proves nothing.
    public struct Health: Sendable, Equatable {
        /// Nanoseconds since 1970-01-01 UTC, and CLOCK_MONOTONIC.
        public var time: Int64
        public var monotonic: Int64
        /// Nanoseconds for which this record speaks: since the one before it, or since the hooks were attached.
        public var covered: Int64
        public var addresses: [IPAddress]
        /// Since the record before it.
        public var eventsLost: Int
        public var resets: Int
        /// Files of records that went before anybody carried them away, since the start; nil without such files.
        public var filesDropped: Int?
        /// Filters leave records out: then the absence of one proves nothing.
        public var isFiltered: Bool
        /// How many RSTs are in the records with times after `from` and up to `to` (nanoseconds since 1970-01-01 UTC), whose
        /// records have all been written: what has to arrive if none was lost on its way.
        public var counted: Counted

        public struct Counted: Sendable, Equatable {
            public var from: Int64
            public var to: Int64
            public var resets: Int

            public init(from: Int64, to: Int64, resets: Int) { (self.from, self.to, self.resets) = (from, to, resets) }
        }

        public init(
            time: Int64, monotonic: Int64, covered: Int64, addresses: [IPAddress], eventsLost: Int, resets: Int,
            filesDropped: Int? = nil, isFiltered: Bool = false, counted: Counted
        ) {
            self.time = time
            self.monotonic = monotonic
            self.covered = covered
            self.addresses = addresses
            self.eventsLost = eventsLost
            self.resets = resets
            self.filesDropped = filesDropped
            self.isFiltered = isFiltered
            self.counted = counted
        }
    }

    private let host: Host

    public init(host: Host) { self.host = host }

    /// The lines of some RSTs, each with its newline.
    func lines(of resets: some Collection<Reset>) -> [UInt8] {
        var json = JSONWriter(capacity: resets.count * 768)
        for reset in resets { append(reset, to: &json) }
        return json.finish()
    }

    /// One line for RSTs of one kind that have none: what they do not have in common is not in it.
    func line(of more: FloodMerge.More) -> [UInt8] {
        var json = JSONWriter(capacity: 768)
        append(more.reset, more, to: &json)
        return json.finish()
    }

    public func line(of health: Health) -> [UInt8] {
        var json = JSONWriter(capacity: 1024)
        var identity = Identity()
        identity.add(host.id)
        identity.add(host.bootID)
        identity.add(UInt64(bitPattern: health.monotonic))
        begin("health", identity, time: health.time, monotonic: health.monotonic, &json)
        json.raw(",\"covered_ns\":")
        json.number(health.covered)
        json.strings(",\"addresses\":[", health.addresses.map(\.description))
        json.raw(",\"events_lost\":")
        json.number(health.eventsLost)
        json.raw(",\"resets\":")
        json.number(health.resets)
        json.raw(",\"counted\":")
        json.number(health.counted.resets)
        json.raw(",\"counted_from\":")
        json.number(health.counted.from)
        json.raw(",\"counted_to\":")
        json.number(health.counted.to)
        json.member(",\"files_dropped\":", health.filesDropped)
        if health.isFiltered { json.raw(",\"filtered\":true") }
        json.raw("}\n")
        return json.finish()
    }

    private func begin(
        _ kind: String, _ identity: Identity, time: Int64, monotonic: Int64?, _ json: inout JSONWriter
    ) {
        json.raw("{\"schema\":\"rst-record/1\",\"record_id\":\"")
        json.raw(identity.text)
        json.raw("\",\"ts\":")
        json.number(time)
        json.member(",\"mono_ns\":", monotonic)
        add(",\"host\":", host.name, &json)
        add(",\"host_id\":", host.id, &json)
        add(",\"boot_id\":", host.bootID, &json)
        add(",\"cluster\":", host.cluster, &json)
        add(",\"agent\":", host.agent, &json)
        add(",\"kind\":", kind, &json)
    }

    private func append(_ reset: Reset, _ more: FloodMerge.More? = nil, to json: inout JSONWriter) {
        begin(
            reset.direction.rawValue, identity(of: reset), time: more?.first ?? reset.time,
            monotonic: more == nil ? reset.monotonic : nil, &json)
        if let more {
            json.raw(",\"count\":")
            json.number(more.count)
            json.raw(",\"last_ts\":")
            json.number(more.last)
        }
        if reset.revision > 0 {
            json.raw(",\"revision\":")
            json.number(reset.revision)
        }
        if !reset.open.isEmpty {
            json.raw(",\"settled\":false")
            json.strings(",\"open\":[", reset.open)
        }
        if more?.hasOneSource ?? true {
            json.raw(",\"src\":")
            json.address(reset.tuple.source)
        }
        if more?.hasOneSourcePort ?? true {
            json.raw(",\"sport\":")
            json.number(reset.tuple.sourcePort)
        }
        if more?.hasOneDestination ?? true {
            json.raw(",\"dst\":")
            json.address(reset.tuple.destination)
        }
        if more?.hasOneDestinationPort ?? true {
            json.raw(",\"dport\":")
            json.number(reset.tuple.destinationPort)
        }
        if more == nil { numbers(reset, &json) }
        verdict(reset, &json)
        if more == nil || more?.kind.process != nil { process(reset, &json) }
        if more == nil, let receiver = reset.receiver {
            json.member(",\"receiver_pid\":", receiver.process?.pid)
            add(",\"receiver_comm\":", receiver.process?.comm, &json)
            add(",\"receiver_state\":", receiver.state?.name, &json)
            add(",\"receiver_error\":", receiver.error, &json)
            add(",\"receiver_ignored\":", receiver.reason, &json)
        }
        if more?.hasOneLocation ?? true { location(reset, &json) }
        if more == nil { json.member(",\"cookie\":", reset.socketCookie) }
        json.raw("}\n")
    }

    /// What no other RST has.
    private func numbers(_ reset: Reset, _ json: inout JSONWriter) {
        if let local = reset.untranslated {
            json.raw(",\"local_src\":")
            json.address(local.source)
            json.raw(",\"local_sport\":")
            json.number(local.sourcePort)
            json.raw(",\"local_dst\":")
            json.address(local.destination)
            json.raw(",\"local_dport\":")
            json.number(local.destinationPort)
        }
        segment(reset, &json)
    }

    private func verdict(_ reset: Reset, _ json: inout JSONWriter) {
        add(",\"cause\":", reset.cause.rawValue, &json)
        add(",\"category\":", reset.category.rawValue, &json)
        add(",\"certainty\":", reset.certainty.rawValue, &json)
        if !reset.candidates.isEmpty { json.strings(",\"candidates\":[", reset.candidates.map(\.rawValue)) }
        add(",\"reason\":", reset.reason, &json)
        add(",\"state\":", reset.state?.name, &json)
        add(",\"summary\":", reset.summary, &json)
    }

    private func segment(_ reset: Reset, _ json: inout JSONWriter) {
        json.member(",\"seq\":", reset.seq)
        json.member(",\"ack\":", reset.ack)
        if let flags = reset.flags {
            json.raw(",\"flags\":")
            json.flags(flags)
        }
        json.member(",\"ttl\":", reset.header.ttl)
        json.member(",\"ip_id\":", reset.header.ipID)
        json.member(",\"window\":", reset.header.window)
    }

    private func process(_ reset: Reset, _ json: inout JSONWriter) {
        guard let process = reset.process else { return }
        json.member(",\"pid\":", process.pid)
        add(",\"comm\":", process.comm, &json)
        add(",\"exe\":", process.details?.exe, &json)
        add(",\"role\":", process.role.rawValue, &json)
        json.member(",\"uid\":", process.details?.uid)
    }

    private func location(_ reset: Reset, _ json: inout JSONWriter) {
        add(",\"unit\":", reset.location?.identity.unit, &json)
        add(",\"container\":", reset.location?.identity.container, &json)
        add(",\"container_name\":", reset.location?.container?.name, &json)
        add(",\"pod\":", reset.location?.identity.pod, &json)
        add(",\"pod_name\":", reset.location?.container?.pod, &json)
        add(",\"namespace\":", reset.location?.container?.namespace, &json)
        json.member(",\"netns\":", reset.netns ?? reset.location?.netns)
    }

    private func add(_ key: StaticString, _ value: String?, _ json: inout JSONWriter) {
        guard let value, !value.isEmpty else { return }
        json.raw(key)
        json.string(value)
    }

    /// The same record has the same id however often it is delivered: what identifies it is its host and boot, its time, its
    /// processor and its segment.
    private func identity(of reset: Reset) -> Identity {
        var identity = Identity()
        identity.add(host.id)
        identity.add(host.bootID)
        identity.add(UInt64(bitPattern: reset.monotonic ?? reset.time))
        identity.add(UInt64(UInt32(bitPattern: reset.cpu ?? -1)) << 32 | UInt64(reset.seq ?? 0))
        for address in [reset.tuple.source, reset.tuple.destination] {
            identity.add(address.high)
            identity.add(address.low)
        }
        identity.add(UInt64(reset.tuple.sourcePort) << 16 | UInt64(reset.tuple.destinationPort))
        return identity
    }
}

/// 128 bits that are the same for the same content: FNV-1a (RFC draft-eastlake-fnv) twice, from two beginnings. Nobody is
/// kept from making two contents with one id; a host can spoil only its own records with that.
private struct Identity {
    private var first: UInt64 = 0xcbf2_9ce4_8422_2325
    private var second: UInt64 = 0x8422_2325_cbf2_9ce4

    mutating func add(_ byte: UInt8) {
        first = (first ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
        second = (second ^ UInt64(byte ^ 0x5a)) &* 0x0000_0100_0000_01b3
    }

    mutating func add(_ value: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) { add(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    mutating func add(_ text: String) {
        for byte in text.utf8 { add(byte) }
        // So that two texts do not run into one.
        add(UInt8(0))
    }

    /// 32 hexadecimal digits.
    var text: [UInt8] {
        [first, second].flatMap { word in
            stride(from: UInt64(60), through: 0, by: -4).map { shift in
                let digit = UInt8(truncatingIfNeeded: word >> shift & 15)
                return digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            }
        }
    }
}

import NetworkTypes

/// Reads the lines of a recording that are not events. They are few, so it makes strings as it goes.
extension LineScanner {
    /// The `recording` line. An unreadable one is a problem of the line; a schema that is not ours is not.
    mutating func header() throws(LineProblem) -> RecordingHeader {
        var header = RecordingHeader()
        var schema: String?
        var clock: ClockSample?
        try beginObject()
        var isFirst = true
        while let key = try nextKey(&isFirst) {
            switch key {
            case .schema:
                schema = try string()
                // A newer schema may differ in everything else, so nothing else is held against it.
                if let schema, schema != RecordingHeader.currentSchema {
                    header.schema = schema
                    return header
                }
            case .tool: header.tool = try string() ?? ""
            case .host: header.host = try string() ?? ""
            case .kernel: header.kernel = try string() ?? ""
            case .bootId: header.bootID = try string() ?? ""
            case .arch: header.arch = try string() ?? ""
            case .started: header.started = try string() ?? ""
            case .clock: clock = try clockSample(marksSteps: &header.marksClockSteps)
            case .since: header.since = try times()
            case .hooks: header.hooks = try list { (scanner) throws(LineProblem) in try scanner.hook() }
            case .interfaces:
                header.interfaces = try list { (scanner) throws(LineProblem) in try scanner.interface() }
            case .netns: header.netns = try integer()
            case .noCgroups: header.cgroupObstacle = try string()
            case .endings: header.endings = try integer()
            case .scope: header.scope = try scope()
            case .series: header.series = try series()
            default: try skipValue()
            }
        }
        guard schema != nil else { throw LineProblem("schema is missing", at: position) }
        header.clock = try require(clock, "clock is missing")
        return header
    }

    /// A `clock` line.
    mutating func clockSample() throws(LineProblem) -> ClockSample? {
        var marksSteps = false
        return try clockSample(marksSteps: &marksSteps)
    }

    /// `{"realtime_ns":…,"monotonic_ns":…,"uncertainty_ns":…}`, also with the keys of a `clock` line.
    private mutating func clockSample(marksSteps: inout Bool) throws(LineProblem) -> ClockSample? {
        if try skipNull() { return nil }
        var step: Int64?
        var suspended: Int64?
        var monotonic: Int64?
        var realtime: Int64?
        var uncertainty: Int64?
        try beginObject()
        var isFirst = true
        while let key = try nextKey(&isFirst) {
            switch key {
            case .monoNs, .monotonicNs: monotonic = try nanoseconds()
            case .realtimeNs: realtime = try nanoseconds()
            case .uncertaintyNs: uncertainty = try nanoseconds()
            case .stepNs: step = try integer(Int64.self, from: -(1 << 62 - 1), upTo: 1 << 62 - 1)
            case .suspendedNs: suspended = try nanoseconds()
            case .stepsMarked: marksSteps = try boolean() ?? false
            default: try skipValue()
            }
        }
        return ClockSample(
            monotonic: try require(monotonic, "the monotonic time is missing"),
            realtime: try require(realtime, "realtime_ns is missing"), uncertainty: uncertainty, step: step,
            suspended: suspended)
    }

    /// `{"hooks_mono_ns":…,"capture_mono_ns":…}`.
    private mutating func times() throws(LineProblem) -> RecordingTimes? {
        if try skipNull() { return nil }
        var times = RecordingTimes(hooks: nil, capture: nil)
        try beginObject()
        var isFirst = true
        while let key = try nextKey(&isFirst) {
            switch key {
            case .hooksMonoNs: times.hooks = try nanoseconds()
            case .captureMonoNs: times.capture = try nanoseconds()
            default: try skipValue()
            }
        }
        return times
    }

    mutating func list<Element>(
        _ element: (inout LineScanner) throws(LineProblem) -> Element
    ) throws(LineProblem) -> [Element] {
        if try skipNull() { return [] }
        try expect(UInt8(ascii: "["), "expected an array")
        var elements: [Element] = []
        var isFirst = true
        while try nextElement(&isFirst) { elements.append(try element(&self)) }
        return elements
    }

    private mutating func hook() throws(LineProblem) -> RecordingHeader.Hook {
        var hook = RecordingHeader.Hook(name: "", status: "")
        try beginObject()
        var isFirst = true
        while let key = try nextKey(&isFirst) {
            switch key {
            case .name: hook.name = try string() ?? ""
            case .status: hook.status = try string() ?? ""
            case .detail: hook.detail = try string()
            case .reason: hook.reason = try boolean()
            default: try skipValue()
            }
        }
        return hook
    }

    private mutating func interface() throws(LineProblem) -> RecordingHeader.Interface {
        var interface = RecordingHeader.Interface(name: "", ifindex: 0, netns: nil, addresses: [], captured: false)
        try beginObject()
        var isFirst = true
        while let key = try nextKey(&isFirst) {
            switch key {
            case .name: interface.name = try string() ?? ""
            case .ifindex: interface.ifindex = try integer(from: 0) ?? 0
            case .netns: interface.netns = try integer()
            case .addresses:
                interface.addresses = try list { (scanner) throws(LineProblem) in
                    try scanner.require(try scanner.address(), "an address is null")
                }
            case .captured: interface.captured = try boolean() ?? false
            default: try skipValue()
            }
        }
        return interface
    }

    /// A `stack` line.
    mutating func stack() throws(LineProblem) -> (id: Int, frames: [String]) {
        var id: Int?
        var frames: [String]?
        try beginObject()
        var isFirst = true
        while let key = try nextKey(&isFirst) {
            switch key {
            case .id: id = try stackID()
            case .frames:
                frames = try list { (scanner) throws(LineProblem) in
                    try scanner.require(try scanner.string(), "a frame is null")
                }
            default: try skipValue()
            }
        }
        return (try require(id, "id is missing"), try require(frames, "frames is missing"))
    }

    private mutating func series() throws(LineProblem) -> RecordingHeader.Series? {
        if try skipNull() { return nil }
        var id: String?
        var number: Int?
        var follows: Bool?
        try beginObject()
        var isFirst = true
        while let key = try nextKey(&isFirst) {
            switch key {
            case .id: id = try string()
            case .number: number = try count()
            case .follows: follows = try boolean()
            default: try skipValue()
            }
        }
        guard let id, let number else { return nil }
        return RecordingHeader.Series(id: id, number: number, follows: follows == true)
    }

    /// A `lost` line.
    mutating func loss() throws(LineProblem) -> Loss {
        var loss = Loss(monotonic: 0, place: "", count: 0)
        var count: Int?
        try beginObject()
        var isFirst = true
        while let key = try nextKey(&isFirst) {
            switch key {
            case .monoNs: loss.monotonic = try nanoseconds() ?? 0
            case .where: loss.place = try string() ?? ""
            case .count: count = try self.count()
            default: try skipValue()
            }
        }
        loss.count = try require(count, "count is missing")
        return loss
    }

    /// An `end` line.
    mutating func footer() throws(LineProblem) -> RecordingFooter {
        var footer = RecordingFooter(monotonic: 0, events: 0, lost: 0, captured: 0, kernelDropped: 0)
        try beginObject()
        var isFirst = true
        while let key = try nextKey(&isFirst) {
            switch key {
            case .monoNs: footer.monotonic = try nanoseconds() ?? 0
            case .events: footer.events = try count() ?? 0
            case .lost: footer.lost = try count() ?? 0
            case .captured: footer.captured = try count() ?? 0
            case .kernelDropped: footer.kernelDropped = try count() ?? 0
            case .endingsLost: footer.endingsLost = try count()
            case .detail: footer.failure = try string()
            case .until: footer.until = try times()
            default: try skipValue()
            }
        }
        return footer
    }
}

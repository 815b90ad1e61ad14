extension Recording {
    /// Writes it as `rst-events/1`, in an order that readers need: stacks and processes before the events that name them.
    ///
    /// - Parameter put: takes the next bytes.
    public func write(to put: ([UInt8]) throws -> Void) rethrows {
        var encoder = EventEncoder()
        func flush(_ encoder: inout EventEncoder, atLeast count: Int) throws {
            guard encoder.count >= count else { return }
            try put(encoder.copy())
            encoder.removeAll()
        }
        if let header { encoder.append(header: header) }
        let numbers = numbersOfStacks
        for (id, frames) in stacks.sorted(by: { $0.key < $1.key }) {
            encoder.append(stack: numbers[id] ?? id, frames: frames)
            try flush(&encoder, atLeast: Self.piece)
        }
        for clock in clocks { encoder.append(clock: clock) }
        for change in interfaceChanges { encoder.append(interface: change) }
        for ruleset in rulesets { encoder.append(ruleset: ruleset) }
        let named = containers.values.sorted { ($0.id, $0.slice ?? "") < ($1.id, $1.slice ?? "") }
        for container in named { encoder.append(container: container) }
        var known = processes.values.joined().sorted { ($0.line, $0.pid) < ($1.line, $1.pid) }[...]
        var failed = failures[...]
        func write(_ event: ResetEvent, _ encoder: inout EventEncoder) throws {
            while let process = known.first, process.line <= event.line {
                encoder.append(process: known.removeFirst())
            }
            var event = event
            if let stack = event.stack { event.stack = numbers[stack] ?? stack }
            encoder.append(event: event)
            try flush(&encoder, atLeast: Self.piece)
        }
        for event in events {
            while let failure = failed.first, failure.line <= event.line {
                try write(failed.removeFirst(), &encoder)
            }
            try write(event, &encoder)
        }
        for failure in failed { try write(failure, &encoder) }
        for process in known { encoder.append(process: process) }
        for loss in losses { encoder.append(loss: loss) }
        if let footer { encoder.append(footer: footer) }
        try flush(&encoder, atLeast: 1)
    }

    private static var piece: Int { 1 << 20 }

    /// Numbers for stacks whose numbers no file can have (`RecordingDecoder` makes them where an id was defined twice).
    private var numbersOfStacks: [Int: Int] {
        let renamed = stacks.keys.filter { $0 < 0 }.sorted(by: >)
        guard !renamed.isEmpty else { return [:] }
        var taken = Set(stacks.keys)
        taken.formUnion((events + failures).compactMap(\.stack))
        var (numbers, next) = ([Int: Int](), 0)
        for stack in renamed {
            while taken.contains(next) { next += 1 }
            numbers[stack] = next
            taken.insert(next)
        }
        return numbers
    }
}

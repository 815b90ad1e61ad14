import KernelEvents

/// A file of events, ours or another tool's. What was read is written, and must then be read again without damage.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    guard let recording = try? RecordingDecoder.decode(bytes), let header = recording.header else { return 0 }
    // The decoder gives a stack whose ID was already used a negative one; files have no such IDs.
    let ids = recording.stacks.keys.sorted()
    let names = Dictionary(uniqueKeysWithValues: ids.enumerated().map { ($0.element, $0.offset) })
    var encoder = EventEncoder()
    encoder.append(header: header)
    for id in ids { encoder.append(stack: names[id] ?? 0, frames: recording.stacks[id] ?? []) }
    for var event in recording.events {
        event.stack = event.stack.flatMap { names[$0] }
        encoder.append(event: event)
    }
    for clock in recording.clocks { encoder.append(clock: clock) }
    for loss in recording.losses { encoder.append(loss: loss) }
    if let footer = recording.footer { encoder.append(footer: footer) }
    guard let again = try? RecordingDecoder.decode(encoder.copy()) else {
        fatalError("what was written cannot be read")
    }
    require(
        again.events.count == recording.events.count, "the number of events changed: \(again.damage.map(\.problem))")
    return 0
}

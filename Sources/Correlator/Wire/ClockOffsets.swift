import NetworkTypes
import PcapReader

/// How far the clock of one capture is from that of another, estimated from segments that both have.
public struct ClockOffset: Sendable, Equatable {
    public var file: String
    public var reference: String
    /// Nanoseconds to subtract from the times of `file` to have those of `reference`.
    public var offset: Int64
    /// Nanoseconds from one observer to the other; nil if the segments all went one way, and `offset` then holds it.
    public var delay: Int64?
    /// How many segments both captures have, of those that were compared.
    public var segments: Int
}

/// Compares captures by the segments of connections that were reset: each segment goes from one observer to the other in
/// the delay of the path, and what is left is the difference of the clocks (as in NTP, RFC 5905, section 8).
///
/// - Parameter areLeftOut: by capture, whether it is not compared.
func clockOffsets(_ captures: [CaptureInput], besides areLeftOut: [Bool]) -> [ClockOffset] {
    guard captures.count > 1 else { return [] }
    let tables = zip(captures, areLeftOut).map { capture, isLeftOut in
        Dictionary(isLeftOut ? [] : capture.connections.table.notes(), uniquingKeysWith: { first, _ in first })
    }
    var offsets: [ClockOffset] = []
    for later in captures.indices.dropFirst() {
        // The first capture that has segments in common is the reference.
        for earlier in 0..<later {
            guard let offset = offset(tables[later], tables[earlier]) else { continue }
            offsets.append(
                ClockOffset(
                    file: captures[later].file, reference: captures[earlier].file, offset: offset.offset,
                    delay: offset.delay, segments: offset.segments))
            break
        }
    }
    return offsets
}

private func offset(
    _ file: [SegmentKey: Int64], _ reference: [SegmentKey: Int64]
) -> (offset: Int64, delay: Int64?, segments: Int)? {
    var there: [Int64] = []
    var back: [Int64] = []
    for (key, time) in file {
        guard let other = reference[key] else { continue }
        let difference = time.saturatingSubtract(other)
        if key.isForward { there.append(difference) } else { back.append(difference) }
    }
    guard !there.isEmpty || !back.isEmpty else { return nil }
    let count = there.count + back.count
    guard let one = median(&there), let other = median(&back) else {
        return (median(&there) ?? median(&back) ?? 0, nil, count)
    }
    let delay = one.distance(from: other) / 2
    return (other.saturatingAdd(one.saturatingSubtract(other) / 2), Int64(clamping: delay), count)
}

private func median(_ values: inout [Int64]) -> Int64? {
    values.sort()
    return values.isEmpty ? nil : values[values.count / 2]
}

/// What makes a segment the same in two captures.
struct SegmentKey: Hashable {
    let tuple: FourTuple
    let seq: UInt32
    let ack: UInt32
    let length: UInt32
    let timestamp: UInt32
    let flags: UInt16
    let ipID: UInt16

    /// One of the two directions of the connection.
    var isForward: Bool {
        (tuple.source.high, tuple.source.low, tuple.sourcePort)
            <= (tuple.destination.high, tuple.destination.low, tuple.destinationPort)
    }
}

extension FollowedConnections {
    /// The segments that are kept of the compared flows, with their times.
    func notes(in names: ConnectionNames) -> [(SegmentKey, Int64)] {
        comparedFlows.flatMap { place, connection, isReversedFlow, recent in
            sides(place).enumerated().flatMap { index, side in
                let tuple = names.tuple(connection)
                let isReversed = isReversedFlow != (index == 1)
                return ([side.syn, side.fin].compactMap { $0 } + recent[index] + side.resets).map { note in
                    (
                        SegmentKey(
                            tuple: isReversed ? tuple.reversed : tuple, seq: note.seq, ack: note.ack,
                            length: note.length, timestamp: note.timestamp,
                            flags: note.flags.rawValue, ipID: note.ipID), note.time
                    )
                }
            }
        }
    }
}

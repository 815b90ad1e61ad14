import Correlator

/// Makes the text of many RSTs on all processors, piece by piece, and hands the pieces out in order. So few are made at a
/// time that their text stays small.
///
/// - Parameter make: the text of some RSTs, by their places.
func inPieces<Piece: Sendable>(
    _ count: Int, _ make: @Sendable (Range<Int>) -> Piece, to sink: (Piece) throws -> Void
) rethrows {
    let size = 128
    let round = 8 * size
    for start in stride(from: 0, to: count, by: round) {
        let pieces = stride(from: start, to: min(start + round, count), by: size).map { $0..<min($0 + size, count) }
        for piece in pieces.concurrentMap(inPiecesOf: 1, make) { try sink(piece) }
    }
}

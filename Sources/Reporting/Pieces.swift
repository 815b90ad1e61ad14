import Correlator

/// Renders many RSTs on all processors, piece by piece, and passes the pieces on in order. Only a few pieces are rendered at
/// a time, so that they take little memory.
///
/// - Parameter make: renders some RSTs, given by their places.
package func inPieces<Piece: Sendable>(
    _ count: Int, _ make: @Sendable (Range<Int>) -> Piece, to sink: (Piece) throws -> Void
) rethrows {
    let size = 64
    let round = 32 * size
    for start in stride(from: 0, to: count, by: round) {
        let pieces = stride(from: start, to: min(start + round, count), by: size).map { $0..<min($0 + size, count) }
        for piece in pieces.concurrentMap(inPiecesOf: 1, make) { try sink(piece) }
    }
}

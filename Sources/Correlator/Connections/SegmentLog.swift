import NetworkTypes

/// Segments of many connections, of each in the order of the capture: a chain of pieces that are used again.
struct SegmentLog: Sendable {
    private var segments: [ConnectionSegment] = []
    /// Of each piece the one after it in its chain, or among those that are free; -1 for none.
    private var next: [Int32] = []
    private var firstFree: Int32 = -1
    /// Pieces that belong to a chain.
    private(set) var pieces = 0

    /// Segments of a piece.
    static let pieceLength = 4
    /// Memory that a piece takes.
    static let pieceBytes = pieceLength * MemoryLayout<ConnectionSegment>.stride + MemoryLayout<Int32>.stride

    /// The segments of one connection.
    struct Chain: Sendable {
        fileprivate var first: Int32 = -1
        fileprivate var last: Int32 = -1
        fileprivate(set) var count: Int32 = 0

        var pieces: Int { (Int(count) + SegmentLog.pieceLength - 1) / SegmentLog.pieceLength }
    }

    mutating func append(_ segment: ConnectionSegment, to chain: inout Chain) {
        let place = Int(chain.count) % Self.pieceLength
        if place == 0 {
            let piece = takePiece(filledWith: segment)
            if chain.last >= 0 { next[Int(chain.last)] = piece } else { chain.first = piece }
            chain.last = piece
        }
        segments[Int(chain.last) * Self.pieceLength + place] = segment
        chain.count += 1
    }

    private mutating func takePiece(filledWith segment: ConnectionSegment) -> Int32 {
        pieces += 1
        if firstFree >= 0 {
            let piece = firstFree
            firstFree = next[Int(piece)]
            next[Int(piece)] = -1
            return piece
        }
        let piece = Int32(truncatingIfNeeded: next.count)
        next.append(-1)
        for _ in 0..<Self.pieceLength { segments.append(segment) }
        return piece
    }

    /// Calls a closure for each segment of a chain.
    func forEach(in chain: Chain, _ body: (ConnectionSegment) -> Void) {
        var (piece, left) = (chain.first, Int(chain.count))
        while left > 0 {
            let start = Int(piece) * Self.pieceLength
            let following = next[Int(piece)]
            if following >= 0 { prefetch(following) }
            for place in start..<start + min(left, Self.pieceLength) { body(segments[place]) }
            left -= Self.pieceLength
            piece = following
        }
    }

    /// Empties a chain: its pieces can be used by others.
    mutating func clear(_ chain: inout Chain) {
        guard chain.last >= 0 else { return }
        pieces -= chain.pieces
        next[Int(chain.last)] = firstFree
        firstFree = chain.first
        chain = Chain()
    }

    /// Asks for the memory that the next segment of the chain goes to.
    func prefetchEnd(of chain: Chain) {
        guard chain.last >= 0 else { return }
        segments.prefetch(Int(chain.last) * Self.pieceLength + Int(chain.count) % Self.pieceLength)
    }

    /// Asks for the memory that the chain begins with.
    func prefetchStart(of chain: Chain) {
        if chain.first >= 0 { prefetch(chain.first) }
    }

    private func prefetch(_ piece: Int32) {
        for place in 0..<Self.pieceLength { segments.prefetch(Int(piece) * Self.pieceLength + place) }
    }
}

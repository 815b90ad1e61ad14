import Laboratory
import Testing

@testable import Provoke

@Suite struct NetfilterLogTests {
    /// A message of NFLOG with this payload behind another attribute.
    private func message(_ payload: [UInt8]) -> [UInt8] {
        let attributes = NetfilterSocket.attribute(1, [0, 0, 1, 0]) + NetfilterSocket.attribute(9, payload)
        return UInt32(20 + attributes.count).nativeBytes + UInt16(4 << 8).nativeBytes + [0, 0]
            + [UInt8](repeating: 0, count: 12) + attributes
    }

    @Test func payloadsAreFound() {
        let bytes = message([1, 2, 3]) + message([]) + message([4, 5, 6, 7])
        #expect(NetfilterLog.packets(bytes[...]).map { Array($0) } == [[1, 2, 3], [], [4, 5, 6, 7]])
        // Not what begins elsewhere: slices have indices of their own.
        #expect(NetfilterLog.packets(([9] + message([1])).dropFirst()).map { Array($0) } == [[1]])
    }

    @Test func anythingElseIsNothing() {
        let whole = message([1, 2, 3, 4, 5])
        for count in 0..<whole.count { #expect(NetfilterLog.packets(whole[..<count]).isEmpty) }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            var bytes = whole + whole
            for _ in 0..<4 {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            for packet in NetfilterLog.packets(bytes[...]) {
                #expect(packet.count <= bytes.count)
                _ = RawSegment(packet: packet, snapped: true)
            }
        }
    }
}

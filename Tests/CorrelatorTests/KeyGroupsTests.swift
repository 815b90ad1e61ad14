import NetworkTypes
import Testing

@testable import Correlator

@Suite struct KeyGroupsTests {
    /// From nothing to so many that they are put together in parts, with few different keys and with many.
    @Test(arguments: [0, 1, 1000, 40_000, 300_000], [1, 7, 5000, 1_000_000])
    func asADictionaryGroupsThem(count: Int, different: Int) {
        var random = SystemRandomNumberGenerator()
        let keys = (0..<count).map { _ -> IPAddress? in
            let number = UInt32.random(in: 0..<UInt32(different), using: &random)
            return number % 5 == 4 ? nil : IPAddress(ipv4: number)
        }
        let expected = Dictionary(grouping: keys.indices.filter { keys[$0] != nil }) { keys[$0] }.values
            .sorted { $0[0] < $1[0] }
        let buckets = KeyGroups(count) { keys[$0] }
        #expect(buckets.count == expected.count)
        #expect(buckets.counts.map(Int.init) == expected.map(\.count))
        #expect(buckets.firsts.map(Int.init) == expected.map { $0[0] })
        let groups = buckets.grouped()
        #expect(groups.indices.map { groups[$0].map(Int.init) } == expected)
    }

    /// Otherwise one processor does all the work.
    @Test func everyPartGetsItsShare() {
        var sizes = [Int](repeating: 0, count: 16)
        for number in 0..<16_000 {
            let hash = IPAddress(ipv4: UInt32(number)).hash(SecretHash())
            sizes[KeyGroups.PartialHash(SecretHash.finish(hash)).part(of: 16)] += 1
        }
        #expect(sizes.allSatisfy { $0 > 700 })
    }
}

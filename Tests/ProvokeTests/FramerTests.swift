import Testing

@testable import Provoke

@Suite struct FramerTests {
    private func requests(_ pieces: [String]) -> [Int] {
        var framer = RequestFramer()
        return pieces.map { piece in
            framer.append(Array(piece.utf8))
            return framer.requests
        }
    }

    @Test func requestsOfHTTPEndWithTheirBody() {
        #expect(requests(["GET / HTTP/1.1\r\n", "\r", "\n"]) == [0, 0, 1])
        #expect(requests(["GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nG", "ET / HTTP/1.1\r\n\r\n"]) == [2, 3])
        #expect(requests(["POST / HTTP/1.1\r\ncontent-LENGTH: 4\r\n\r\nab", "c", "dGET"]) == [0, 0, 1])
        #expect(requests(["PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r", "\n0\r\n\r\n"]) == [0, 1])
        // A chunk of no bytes is the end, a chunk that ends with 0 is not.
        #expect(
            requests(["PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n10\r\n", "0\r\n\r\nGE"]) == [0, 1])
    }

    @Test func anythingElseIsARequestAPiece() {
        #expect(requests(["\u{16}\u{3}", "x"]) == [1, 2])
        #expect(requests(["hello", "HELLOhello"]) == [1, 2])
    }

    /// Whatever an attacker sends, memory is bounded and it ends.
    @Test func headsWithoutEndAreRequestsInTheEnd() {
        var framer = RequestFramer()
        framer.append(Array("GET /".utf8))
        for _ in 0..<100 { framer.append([UInt8](repeating: UInt8(ascii: "a"), count: 1000)) }
        #expect(framer.requests >= 1)
        framer = RequestFramer()
        framer.append(Array("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n".utf8))
        #expect(framer.requests == 1)
        framer = RequestFramer()
        framer.append(Array("POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n".utf8))
        #expect(framer.requests == 1)
        for seed in 0..<2000 {
            var framer = RequestFramer()
            var number = UInt64(seed) &* 6_364_136_223_846_793_005 &+ 1
            let letters = Array("GET \r\n0:chunked3".utf8)
            for _ in 0..<4 {
                framer.append(
                    (0..<(seed % 40)).map { _ in
                        number = number &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                        return letters[Int(number >> 33) % letters.count]
                    })
            }
            #expect(framer.requests >= 0)
        }
    }

    @Test func aTLSRecordHasItsLength() {
        var framer = RequestFramer()
        framer.append([22, 3, 1, 1])
        #expect(!framer.hasHello)
        framer.append([0] + [UInt8](repeating: 0, count: 255))
        #expect(!framer.hasHello)
        framer.append([0])
        #expect(framer.hasHello)
    }

    @Test func selectionsCount() {
        var selection = Selection(every: 3, rate: 1, count: 2)
        #expect((0..<12).map { _ in selection.next() }.enumerated().filter(\.element).map(\.offset) == [2, 5])
        selection.giveBack()
        #expect((0..<6).map { _ in selection.next() }.count(where: { $0 }) == 1)
    }
}

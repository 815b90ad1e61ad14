import NetworkTypes
import Testing

@testable import Recorder

@Suite struct ConntrackMessageTests {
    private static let original = FourTuple(
        source: IPAddress(ipv4: 0xc0a8_0002), sourcePort: 5000, destination: IPAddress(ipv4: 0x0a00_0002),
        destinationPort: 80)

    /// As nfnetlink_conntrack.h has it, on a little-endian machine.
    private static let request: [UInt8] = [
        0x48, 0, 0, 0, 0x01, 0x01, 0x01, 0, 1, 0, 0, 0, 0, 0, 0, 0,  // nlmsghdr: length, CT_GET, NLM_F_REQUEST
        2, 0, 0, 0,  // nfgenmsg: AF_INET
        0x34, 0, 0x01, 0x80,  // CTA_TUPLE_ORIG, nested
        0x14, 0, 0x01, 0x80,  // CTA_TUPLE_IP, nested
        8, 0, 1, 0, 192, 168, 0, 2,  // CTA_IP_V4_SRC
        8, 0, 2, 0, 10, 0, 0, 2,  // CTA_IP_V4_DST
        0x1c, 0, 0x02, 0x80,  // CTA_TUPLE_PROTO, nested
        5, 0, 1, 0, 6, 0, 0, 0,  // CTA_PROTO_NUM: TCP
        6, 0, 2, 0, 0x13, 0x88, 0, 0,  // CTA_PROTO_SRC_PORT
        6, 0, 3, 0, 0, 80, 0, 0,  // CTA_PROTO_DST_PORT
    ]

    @Test func aQuestionIsWhatTheKernelReads() {
        #expect(ConntrackMessage.request(Self.original) == Self.request)
    }

    /// An answer has the same attributes, the reply's as number 2.
    private static let answer: [UInt8] = {
        var answer = request
        answer[4] = 0
        answer += request[20...]
        answer[request.count + 2] = 2
        answer.replaceSubrange((request.count + 12)..<(request.count + 16), with: [10, 0, 0, 2])
        answer[0] = UInt8(answer.count)
        return answer
    }()

    @Test func anEntryHasBothDirections() throws {
        let entry = try #require(ConntrackMessage.entry(Self.answer))
        #expect(entry.original == Self.original)
        #expect(entry.reply.source == IPAddress(ipv4: 0x0a00_0002) && entry.reply.destinationPort == 80)
    }

    @Test func whatIsCutShortIsNoEntry() {
        for count in 0..<Self.answer.count { #expect(ConntrackMessage.entry(Array(Self.answer[..<count])) == nil) }
        for place in Self.answer.indices {
            var damaged = Self.answer
            damaged[place] ^= 0xff
            _ = ConntrackMessage.entry(damaged)
        }
    }
}

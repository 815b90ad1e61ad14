import KernelEvents
import NetworkTypes
import Testing

@Suite struct RoundTripTests {
    @Test(arguments: UInt64(1)...200)
    func whatIsWrittenIsRead(seed: UInt64) throws {
        var samples = Samples(seed: seed)
        let (recording, bytes) = samples.recording(events: 60)
        let read = try RecordingDecoder.decode(bytes)
        #expect(read.events == recording.events)
        #expect(read == recording)
    }

    @Test(arguments: UInt64(1)...40)
    func chunksOfAnySizeReadTheSame(seed: UInt64) throws {
        var samples = Samples(seed: seed)
        let (recording, bytes) = samples.recording(events: 20)
        var decoder = RecordingDecoder()
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = min(rest.count, Int.random(in: 1...200, using: &samples.random))
            try decoder.feed(Array(rest.prefix(count)).span.bytes)
            rest = rest.dropFirst(count)
        }
        #expect(try decoder.finish() == recording)
    }

    @Test func everyLineIsOneLineOfPrintableASCIIAndUTF8() throws {
        var samples = Samples(seed: 99)
        let (recording, bytes) = samples.recording(events: 500)
        let lines = bytes.split(separator: UInt8(ascii: "\n"))
        #expect(lines.count >= 501)
        for line in lines {
            let text = try #require(String(validating: line, as: UTF8.self))
            for scalar in text.unicodeScalars {
                #expect(scalar.value >= 0x20 && !(0x7f...0x9f).contains(scalar.value))
            }
        }
        #expect(recording.events.count > 200)
    }

    @Test func theLinesAreThoseOfTheContract() {
        var encoder = EventEncoder()
        var header = RecordingHeader()
        header.tool = "rst-analyze 0.1.0"
        header.host = "h"
        header.kernel = "6.18.44"
        header.bootID = "b"
        header.arch = "x86_64"
        header.started = "2026-11-20T23:22:01.123456789Z"
        header.clock = ClockSample(monotonic: 2, realtime: 1, uncertainty: 3)
        header.hooks = [.init(name: "tcp_send_reset", status: "attached", reason: true)]
        header.interfaces = [
            .init(
                name: "eth0", ifindex: 2, netns: 4_026_531_840,
                addresses: [IPAddress(ipv4: 0x0a00_0001), IPAddress(high: 0xfd00 << 48, low: 1)], captured: true)
        ]
        header.netns = 4_026_531_840
        encoder.append(header: header)
        encoder.append(stack: 7, frames: ["tcp_send_active_reset+0xf8", "__tcp_close+0x12b"])
        var event = ResetEvent(
            kind: .emit, hook: "net_dev_queue", monotonic: 5,
            tuple: FourTuple(
                source: IPAddress(ipv4: 0x0a00_0001), sourcePort: 80, destination: IPAddress(ipv4: 0x0a00_0002),
                destinationPort: 40000))
        event.cpu = 0
        event.netns = 4_026_531_840
        event.ifindex = 2
        event.ifname = "eth0"
        event.skb = 0xffff_8881_03a4_f000
        event.seq = 4_294_967_295
        event.ack = 0
        event.flags = [.rst, .ack]
        event.window = 65535
        event.ipID = 0
        event.ttl = 64
        event.stack = 7
        event.task = .init(pid: 10, tid: 11, uid: 33, comm: "nginx", context: .softirq)
        var socket = ResetEvent.Socket()
        socket.cookie = .max
        socket.state = .close
        socket.inode = 9
        socket.uid = 0
        socket.cgroup = 1
        socket.owner = .init(pid: 12, comm: "nginx")
        socket.dead = false
        socket.userTimeout = 30000
        socket.linger2 = -1
        event.socket = socket
        encoder.append(event: event)
        event.kind = .decide
        event.hook = "tcp_send_reset"
        event.reason = "TCP_ABORT_ON_CLOSE"
        event.state = .close
        event.previousState = .established
        event.trigger = .init(flags: [.psh, .ack], seq: 1, ack: 2, length: 3)
        event.socket = ResetEvent.Socket()
        encoder.append(event: event)
        encoder.append(clock: ClockSample(monotonic: 6, realtime: 7, uncertainty: nil))
        encoder.append(loss: Loss(monotonic: 8, place: "ring", count: 9))
        encoder.append(footer: RecordingFooter(monotonic: 10, events: 2, lost: 9, captured: 4, kernelDropped: 5))
        let segment =
            #""mono_ns":5,"cpu":0,"netns":4026531840,"ifindex":2,"ifname":"eth0","skb":"0xffff888103a4f000","#
            + #""src":"10.0.0.1","sport":80,"dst":"10.0.0.2","dport":40000,"seq":4294967295,"ack":0,"flags":"RA","#
            + #""window":65535,"ip_id":0,"ttl":64"#
        let task = #""task":{"pid":10,"tid":11,"uid":33,"comm":"nginx","context":"softirq"}"#
        let expected = [
            #"{"type":"recording","schema":"rst-events/1","tool":"rst-analyze 0.1.0","host":"h","kernel":"6.18.44","#
                + #""boot_id":"b","arch":"x86_64","started":"2026-11-20T23:22:01.123456789Z","#
                + #""clock":{"realtime_ns":1,"monotonic_ns":2,"uncertainty_ns":3},"#
                + #""hooks":[{"name":"tcp_send_reset","status":"attached","reason":true}],"#
                + #""interfaces":[{"name":"eth0","ifindex":2,"netns":4026531840,"addresses":["10.0.0.1","fd00::1"],"#
                + #""captured":true}],"netns":4026531840}"#,
            #"{"type":"stack","id":7,"frames":["tcp_send_active_reset+0xf8","__tcp_close+0x12b"]}"#,
            #"{"type":"emit","# + segment + #","stack":7,"# + task
                + #","socket":{"cookie":18446744073709551615,"state":"CLOSE","inode":9,"uid":0,"cgroup":1,"#
                + #""owner":{"pid":12,"comm":"nginx"},"dead":false,"user_timeout_ms":30000,"linger2":-1}}"#,
            #"{"type":"decide","hook":"tcp_send_reset","# + segment
                + #","reason":"TCP_ABORT_ON_CLOSE","state":"CLOSE","previous_state":"ESTABLISHED","#
                + #""trigger":{"flags":"PA","seq":1,"ack":2,"length":3},"stack":7,"# + task + #","socket":{}}"#,
            #"{"type":"clock","mono_ns":6,"realtime_ns":7}"#,
            #"{"type":"lost","mono_ns":8,"where":"ring","count":9}"#,
            #"{"type":"end","mono_ns":10,"events":2,"lost":9,"captured":4,"kernel_dropped":5}"#,
        ]
        let lines = String(decoding: encoder.copy(), as: UTF8.self).split(separator: "\n").map(String.init)
        for (line, wanted) in zip(lines, expected) { #expect(line == wanted) }
        #expect(lines.count == expected.count)
    }

    @Test func theBufferIsReused() {
        var encoder = EventEncoder()
        encoder.append(clock: ClockSample(monotonic: 1, realtime: 2, uncertainty: nil))
        let first = encoder.copy()
        encoder.removeAll()
        #expect(encoder.copy().isEmpty)
        encoder.append(clock: ClockSample(monotonic: 1, realtime: 2, uncertainty: nil))
        #expect(encoder.copy() == first)
    }

    @Test(
        arguments: [
            ([0x6e, 0x67, 0x69, 0x6e, 0x78, 0, 0x41, 0x42], "nginx"),  // what follows the NUL is an older name
            ([], ""),
            ([0], ""),
            ([0xff, 0x41], "\\xffA"),
            ([0x41, 0x80, 0x0a], "A\\x80\n"),
            ([0xc3, 0xa9, 0xc3], "é\\xc3"),  // a name cut in the middle of a character
            ([0xf0, 0x9f, 0xa6, 0x8a], "🦊"),
            ([0xed, 0xa0, 0x80], "\\xed\\xa0\\x80"),  // a surrogate
            ([0xe6, 0xbc, 0x41], "\\xe6\\xbcA"),
            ([0xc0, 0x80], "\\xc0\\x80"),  // an overlong NUL
        ] as [([UInt8], String)])
    func kernelNamesKeepTheirBytesVisible(name: [UInt8], text: String) {
        #expect(String(kernelName: name) == text)
    }
}

import KernelEvents
import NetworkTypes
import Testing

@testable import Correlator

/// Names of containers in the report.
@Suite struct ContainerNameTests {
    static let id = "9bca8d63d5fa610783847915bcff0ecac1273e5b4bed3f6fa1b07350e0135961"
    private static let pathOfWeb = "/system.slice/docker-\(id).scope"

    private static func record(_ name: String?, pod: String? = nil, namespace: String? = nil) -> ContainerRecord {
        var record = ContainerRecord(id: id)
        (record.name, record.pod, record.namespace, record.runtime) = (name, pod, namespace, .docker)
        return record
    }

    private static func line(_ record: ContainerRecord) -> String {
        var encoder = EventEncoder()
        encoder.append(container: record)
        return String(decoding: encoder.copy(), as: UTF8.self)
    }

    private static func event(_ path: String, at time: Int64 = 5) -> String {
        var encoder = EventEncoder()
        let tuple = FourTuple(
            source: IPAddress(ipv4: 0x0a00_0001), sourcePort: 80, destination: IPAddress(ipv4: 0x0a00_0002),
            destinationPort: 4000)
        var event = ResetEvent(kind: .emit, hook: ResetEvent.emitHook, monotonic: time, tuple: tuple)
        event.netns = 7
        event.socket = ResetEvent.Socket()
        event.socket?.cgroupPath = path
        event.stack = 1
        event.task = ResetEvent.Task(pid: 5, tid: 5, uid: 0, comm: "nginx", context: .process)
        encoder.append(stack: 1, frames: ["tcp_send_active_reset+0x1", "__tcp_close+0x1", "do_syscall_64+0x1"])
        encoder.append(event: event)
        return String(decoding: encoder.copy(), as: UTF8.self)
    }

    private static func location(_ text: String) throws -> Reset.Location? {
        let recording = try RecordingDecoder.decode(Array(text.utf8))
        let report = correlate(captures: [], recordings: [EventInput(file: "e", recording: recording)])
        return try #require(report.resets.first).location
    }

    @Test func aNameIsKnownWhereverItsLineIs() throws {
        let (name, event) = (Self.line(Self.record("web")), Self.event(Self.pathOfWeb))
        for text in [name + event, event + name, Self.line(Self.record("old")) + event + name] {
            let location = try Self.location(text)
            #expect(location?.container == Self.record("web"))
            #expect(location?.containerTitle == "web" && location?.netns == 7)
        }
        #expect(try Self.location(event)?.containerTitle == Self.id)
        #expect(try Self.location(name + Self.event("/system.slice/nginx.service"))?.container == nil)
    }

    /// Any user can make a cgroup with the id of another's container, and have a runtime that calls it something.
    @Test func usersNameWhatIsInTheirSlices() throws {
        var claim = Self.record("mine")
        claim.slice = "/user.slice/user-1000.slice"
        let inSlice = "/user.slice/user-1000.slice/user@1000.service/libpod-\(Self.id).scope"
        let (theirs, web) = (Self.line(claim), Self.line(Self.record("web")))
        for text in [theirs + web, web + theirs] {
            #expect(try Self.location(text + Self.event(Self.pathOfWeb))?.containerTitle == "web")
            #expect(try Self.location(text + Self.event(inSlice))?.containerTitle == "mine")
        }
        for path in [Self.pathOfWeb, "/user.slice/user-1001.slice/libpod-\(Self.id).scope"] {
            #expect(try Self.location(Self.line(claim) + Self.event(path))?.containerTitle == Self.id)
        }
        #expect(try Self.location(Self.line(Self.record("web")) + Self.event(inSlice))?.containerTitle == Self.id)
    }

    @Test func anEmptyNameIsNone() throws {
        let line = #"{"type":"container","id":"\#(Self.id)","name":"","pod":"","namespace":"","image":""}"# + "\n"
        #expect(try Self.location(line + Self.event(Self.pathOfWeb))?.containerTitle == Self.id)
        #expect(try Self.location(line + Self.event(Self.pathOfWeb))?.container == ContainerRecord(id: Self.id))
    }

    /// A container that is known by its name has an id that is not its own alone.
    @Test func onlyIDsAreNamed() throws {
        let name = Self.line(Self.record("web")).replacing(Self.id, with: "web1")
        #expect(try Self.location(name + Self.event("/lxc.payload.web1"))?.containerTitle == "web1")
    }

    @Test func aLineWithoutIDIsNone() throws {
        let recording = try RecordingDecoder.decode(
            Array((#"{"type":"container","name":"a"}"# + "\n" + Self.event("/a")).utf8))
        #expect(recording.containers.isEmpty && recording.ignoredLines == 1 && recording.damagedLines == 0)
        let other = try RecordingDecoder.decode(
            Array((#"{"type":"container","id":"x","runtime":"rkt","later":[1]}"# + "\n").utf8))
        #expect(other.containers[ContainerRecord.Key(id: "x")] == ContainerRecord(id: "x"))
    }

    @Test func containersAreChosenByNameOrID() {
        var attribution = Attribution()
        func isAccepted(_ words: String...) -> Bool {
            var filter = ResetFilter()
            filter.containers = words
            return filter.accepts(attribution)
        }
        func place(_ record: ContainerRecord?) {
            attribution.location = Reset.Location(
                cgroup: Self.pathOfWeb, identity: CgroupIdentity(path: Self.pathOfWeb), container: record)
        }
        #expect(!isAccepted("web"))
        place(nil)
        #expect(isAccepted("9bca8d") && isAccepted(Self.id) && !isAccepted("web") && !isAccepted("*"))
        // The beginning of many an id is a name, too.
        for word in ["", "9", "9bc"] { #expect(!isAccepted(word)) }
        place(Self.record("web"))
        #expect(isAccepted("9bca8d") && isAccepted("web") && isAccepted("other", "w?b") && !isAccepted("we"))
        place(Self.record("nginx", pod: "web-0", namespace: "shop"))
        for word in ["nginx", "web-0", "shop/web-0", "shop/web-0/nginx", "shop/*"] { #expect(isAccepted(word)) }
        for word in ["shop", "web", "shop/nginx", "web-0/nginx"] { #expect(!isAccepted(word)) }
        attribution.location = Reset.Location(identity: CgroupIdentity(path: "/lxc.payload.web10"))
        #expect(isAccepted("web10") && isAccepted("web*") && !isAccepted("web1"))
    }

    @Test func groupsAreCalledByName() throws {
        let text = Self.line(Self.record("nginx", pod: "web-0", namespace: "shop")) + Self.event(Self.pathOfWeb)
        let recording = try RecordingDecoder.decode(Array(text.utf8))
        let report = correlate(captures: [], recordings: [EventInput(file: "e", recording: recording)])
        let groups = Grouping(fields: [.container]).groups(of: report.resets)
        #expect(groups.map(\.values) == [[.word("shop/web-0/nginx")]])
    }
}

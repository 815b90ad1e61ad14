import Anonymizer
import KernelEvents
import NetworkTypes
import Testing

@testable import Correlator

/// Recordings, written anew.
@Suite struct RecordingTests {
    /// What is written is what was read: the order of lines apart.
    @Test func aRecordingIsWrittenAsItWas() throws {
        var recording = Recording()
        recording.header = RecordingHeader()
        recording.header?.host = "web1"
        recording.stacks = [3: ["a+0x1"], -1: ["b+0x2"]]
        let tuple = FourTuple(
            source: IPAddress(ipv4: 0x0a00_0001), sourcePort: 80, destination: IPAddress(ipv4: 0x0a00_0002),
            destinationPort: 4000)
        for (line, stack) in [(4, 3), (6, -1), (7, 0)] {
            var event = ResetEvent(kind: .emit, hook: ResetEvent.emitHook, monotonic: Int64(line), tuple: tuple)
            event.stack = stack
            event.line = line
            recording.events.append(event)
        }
        var process = ProcessRecord(pid: 5, comm: "late")
        process.line = 5
        recording.processes = [5: [process]]
        recording.containers = [ContainerRecord.Key(id: "a"): ContainerRecord(id: "a")]
        recording.footer = RecordingFooter(monotonic: 9, events: 3, lost: 0, captured: 0, kernelDropped: 0)
        var bytes: [UInt8] = []
        recording.write { bytes += $0 }
        let read = try RecordingDecoder.decode(bytes)
        #expect(read.header?.host == "web1")
        #expect(read.damagedLines == 0 && read.isComplete)
        #expect(read.events.map { $0.stack.flatMap { read.stacks[$0] } } == [["a+0x1"], ["b+0x2"], nil])
        #expect(read.containers == recording.containers)
        #expect(read.process(5, "late", line: read.events[0].line) == nil)
        #expect(read.process(5, "late", line: read.events[1].line) != nil)
    }

    /// What could not be read is missing from the copy: it does not prove that nothing happened.
    @Test func aCopyOfADamagedRecordingIsNotComplete() throws {
        var recording = Recording()
        recording.header = RecordingHeader()
        recording.damagedLines = 1
        recording.footer = RecordingFooter(monotonic: 9, events: 0, lost: 0, captured: 0, kernelDropped: 0)
        var pseudonyms = try samplePseudonyms()
        #expect(!pseudonyms.recording(recording).isComplete)
    }

    /// Names of containers become others, the same for the same, and their ids those in the paths.
    @Test func containersAreRenamedAsTheirCgroups() throws {
        let ids = ["ab", "cd"].map { String(repeating: $0, count: 32) }
        var recording = Recording()
        let slice = "/user.slice/user-10007.slice"
        for id in ids {
            var container = ContainerRecord(id: id)
            container.slice = slice
            container.name = "secret-shop"
            container.runtime = .crio
            container.image = "registry.secret/shop:1"
            container.pod = "secret-shop"
            container.namespace = "secret"
            recording.containers[container.key] = container
        }
        var pseudonyms = try samplePseudonyms()
        let copy = pseudonyms.recording(recording)
        let renamed = ids.compactMap { id in
            let path = pseudonyms.cgroup("\(slice)/crio-\(id).scope")
            return CgroupIdentity(path: path).container.flatMap {
                copy.containers[ContainerRecord.Key(id: $0, slice: CgroupIdentity.userSlice(path: path))]
            }
        }
        #expect(renamed.count == 2 && copy.containers.count == 2)
        #expect(renamed.allSatisfy { $0.runtime == .crio && $0.image == nil && $0.isNamed })
        #expect(Set(renamed.map(\.title)).count == 1)
        #expect(renamed[0].name != renamed[0].pod)
        var bytes: [UInt8] = []
        copy.write { bytes += $0 }
        let text = String(decoding: bytes, as: UTF8.self)
        for word in ["secret", "shop", "10007"] + ids { #expect(!text.contains(word)) }
    }

    @Test(arguments: [
        "/system.slice/nginx.service", "/user.slice/user-1000.slice/user@1000.service/app.slice/secret-tool.scope",
        "/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "/system.slice/docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope",
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod01234567_89ab_cdef_0123_456789abcdef.slice/"
            + "cri-containerd-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope",
        "/kubepods/besteffort/pod01234567-89ab-cdef-0123-456789abcdef/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "/lxc.payload.customer/init.scope", "/lxc/customer", "/", "/strange\\x2dname/é",
    ])
    func cgroupsKeepTheirStructure(_ path: String) throws {
        let pseudonyms = try samplePseudonyms()
        let copy = pseudonyms.cgroup(path)
        let (before, after) = (CgroupIdentity(path: path), CgroupIdentity(path: copy))
        #expect((before.container == nil) == (after.container == nil))
        #expect((before.pod == nil) == (after.pod == nil))
        #expect((before.unit == nil) == (after.unit == nil))
        #expect(before.container?.utf8.count == after.container?.utf8.count || path.contains("lxc"))
        #expect(copy == pseudonyms.cgroup(path))
        for word in ["nginx", "1000", "secret", "tool", "01234567", "customer", "strange", "é"] {
            #expect(!copy.contains(word))
        }
    }
}

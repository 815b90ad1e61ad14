import KernelEvents
import Testing

@testable import Recorder

@Suite struct ProcessTableTests {
    @Test func theNameInTheStatusMayHoldAnything() {
        let rest = " S 4 5 5 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 9876 1 2"
        #expect(ProcessStatus(Array("17 (a) b (c)\(rest)".utf8))?.comm == "a) b (c")
        #expect(ProcessStatus(Array("17 (nginx)\(rest)".utf8))?.parent == 4)
        #expect(ProcessStatus(Array("17 (nginx)\(rest)".utf8))?.start == 9876)
    }

    @Test(arguments: [
        "", "17", "17 (x", "17 x)", ")(", "17 (x) S 4", "17 (x) S y 5 5 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 z",
    ])
    func whatIsNoStatusIsNone(_ text: String) {
        #expect(ProcessStatus(Array(text.utf8)) == nil)
    }

    @Test func argumentsAreBoundedAndWhole() {
        let (words, isCut) = ProcessTable.arguments(Array("java\0-jar\0\0a b\0".utf8))
        #expect(words == ["java", "-jar", "", "a b"])
        #expect(!isCut)
        #expect(ProcessTable.arguments([]).words == nil)
        let many = ProcessTable.arguments(Array(String(repeating: "x\0", count: 100).utf8))
        #expect(many.words?.count == ProcessTable.mostArguments)
        #expect(many.isCut)
        let long = ProcessTable.arguments([UInt8](repeating: 0xff, count: 100_000))
        #expect(long.words?.joined().utf8.count == ProcessTable.mostBytes * 4)
        #expect(long.isCut)
    }

    @Test func usersHaveTheFirstNameOfTheirNumber() {
        let names = UserNames.parse(
            Array("root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\nbad\nx:y:z:1\nwww:x:33:33::/:\n".utf8))
        #expect(names == [0: "root", 33: "www"])
    }

    @Test func aProcessHasOneLineUntilItIsAnotherOne() {
        var table = ProcessTable(keepsArguments: true)
        // No process has this number.
        let nginx = ResetEvent.Owner(pid: .max, comm: "nginx")
        let line = table.record(
            nginx, start: 1_000_000_000, uid: 4_000_000_000, parent: ResetEvent.Owner(pid: 1, comm: "init"))
        #expect(line?.parent?.comm == "init")
        #expect(line?.exe == nil)
        #expect(line?.user == nil)
        #expect(table.record(nginx, start: 1_000_000_000) == nil)
        #expect(table.record(nginx) == nil)
        #expect(table.record(nginx, start: 2_000_000_000) != nil)
        #expect(table.record(ResetEvent.Owner(pid: .max, comm: "sh"), start: 2_000_000_000) != nil)
    }
}

import Foundation
import Testing

/// What `doctor` says of this host, and whether `record` agrees.
struct DoctorCommandTests {
    private struct Answer: Decodable {
        struct Check: Decodable {
            var id: String
            var state: String
            var found: String
            var fix: String?
        }
        var schema: String
        var canRecord: Bool
        var checks: [Check]

        enum CodingKeys: String, CodingKey {
            case schema, checks
            case canRecord = "can_record"
        }

        func check(_ id: String) -> Check? { checks.first { $0.id == id } }
    }

    private static func answer(_ result: Program.Result) throws -> Answer {
        try JSONDecoder().decode(Answer.self, from: Data(result.output.utf8))
    }

    @Test(.enabled(if: geteuid() == 0, "recording needs root"))
    func rootCanRecord() throws {
        let result = try Program.run("doctor", "--format", "json")
        let answer = try Self.answer(result)
        #expect(result.status == 0 && answer.canRecord && answer.schema == "rst-doctor/1", "\(result)")
        for id in ["kernel-btf", "hooks", "interfaces"] {
            #expect(answer.check(id)?.state == "ok", "\(id): \(result.output)")
        }
        try Program.withFolder { folder in
            let file = folder.appending(path: "doctor.json")
            try Data(result.output.utf8).write(to: file)
            let script = Program.root.appending(path: "scripts/validate-json").path
            let validation = try Program.run(file.path, executable: script)
            #expect(validation.status == 0, "\(validation.output)\(validation.errors)")
        }
        let text = try Program.run("doctor")
        #expect(text.status == 0 && text.output.hasSuffix("record can work here\n"), "\(text)")
        #expect(text.output.split(separator: "\n").allSatisfy { $0.count <= 120 })
    }

    /// Without the right to, each capability that is missing is named, and so does `record`.
    @Test(.enabled(if: geteuid() == 0, "only root can become somebody else"))
    func nobodyCannotRecord() throws {
        try Program.withFolder { folder in
            // The program may be where others cannot go.
            let program = folder.appending(path: "rst-analyze")
            try FileManager.default.copyItem(atPath: Program.path, toPath: program.path)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.path)
            func asNobody(_ arguments: String...) throws -> Program.Result {
                try Program.run(
                    more: ["--reuid=65534", "--regid=65534", "--clear-groups", program.path] + arguments,
                    executable: "/usr/bin/setpriv", in: folder)
            }
            let result = try asNobody("doctor", "--format", "json")
            let answer = try Self.answer(result)
            #expect(result.status == 1 && !answer.canRecord, "\(result)")
            let check = try #require(answer.check("capabilities"))
            #expect(check.state == "failed")
            for name in ["CAP_BPF", "CAP_PERFMON", "CAP_NET_RAW"] {
                #expect(check.found.contains(name) && check.fix?.contains(name) == true)
            }
            #expect(answer.check("hooks")?.state == "failed" && answer.check("interfaces")?.state == "failed")
            let record = try asNobody("record", "--events", "/dev/null/x", "--capture", "/dev/null/x")
            #expect(record.status == 1)
        }
    }

    /// Of the capabilities that are missing only the necessary ones keep `record` from working.
    @Test(
        .enabled(if: geteuid() == 0, "only root can give capabilities away"),
        arguments: [("net_raw", 1), ("syslog", 0), ("net_admin", 0), ("bpf,-sys_admin", 1), ("perfmon,-sys_admin", 1)])
    func oneCapabilityIsMissing(_ missing: String, _ status: Int32) throws {
        let result = try Program.run(
            more: ["--bounding-set", "-\(missing)", Program.path, "doctor", "--format", "json"],
            executable: "/usr/bin/setpriv")
        let answer = try Self.answer(result)
        let name = "CAP_" + missing.prefix { $0 != "," }.uppercased()
        #expect(result.status == status && answer.check("capabilities")?.found.contains(name) == true, "\(result)")
        #expect(
            answer.check("hooks")?.state == (["bpf", "perfmon"].contains { missing.hasPrefix($0) } ? "failed" : "ok"))
    }

    @Test(.enabled(if: geteuid() == 0, "only root can make a time namespace"))
    func aTimeNamespaceIsNoticed() throws {
        let result = try Program.run(
            more: ["--time", "--monotonic", "1000", "--fork", Program.path, "doctor", "--format", "json"],
            executable: "/usr/bin/unshare")
        try #require(!result.output.isEmpty, "\(result.errors)")
        #expect(try Self.answer(result).check("clock")?.state == "warning", "\(result)")
    }

    @Test func anInterfaceThatIsNotThereFails() throws {
        let result = try Program.run("doctor", "-i", "none-such0", "--format", "json")
        #expect(result.status == 1)
        #expect(try Self.answer(result).check("interfaces")?.state == "failed", "\(result)")
    }
}

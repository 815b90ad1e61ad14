import Anonymizer
import ArgumentParser
import BlockCipher
import CaptureFile
import Glibc
import HostFiles
import InputFiles
import KernelEvents
import Logging
import PcapReader
import Reporting

struct AnonymizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "anonymize",
        abstract: "Copy a recording without addresses, payloads and names, for a ticket.",
        discussion: """
            Examples: rst-analyze anonymize recording/ -o ticket/
                      rst-analyze anonymize monday/ -o ticket/ --key secret.key

            IP addresses are replaced by a keyed permutation that keeps prefixes (Crypto-PAn): hosts of one network are of \
            one network afterwards. Loopback addresses stay. Of captures, the IP and TCP headers are written \
            anew, and ICMP errors about TCP; of events, everything but firewall rules, arguments, users and directories of \
            programs, the host's name and the names of cgroups. Ports, times, and the names of processes and interfaces are not hidden \
            (docs/security.md).

            The report of the copy names the same causes. Look at it before you pass the copy on.

            Exit status: 0 complete; 1 failed, and nothing was written; 2 written, but the original is damaged.
            """)

    @Argument(
        help: ArgumentHelp("Captures, events.jsonl, or directories with them.", valueName: "input"), completion: .file()
    )
    var inputs: [String]

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("Write the copy to this directory, which is made if it is not there.", valueName: "dir"))
    var output: String

    @Option(
        help: ArgumentHelp(
            """
            The key: 32 bytes that are read from this file, or a random key is kept there if it is not there. Copies with \
            the same key have the same addresses. Without it, the key is forgotten.
            """, valueName: "file"))
    var key: String?

    mutating func validate() throws {
        guard !inputs.isEmpty else { throw ValidationError("Name a capture, an events.jsonl or a directory.") }
    }

    func run() throws {
        let directory = try CopyDirectory(output)
        do {
            let isAmong = { (input: String) in input != "-" && directory.holds(input) || directory.holds("\(input)/.") }
            if !directory.isNew, let input = inputs.first(where: isAmong) {
                throw AnonymizationFailure(
                    "\(input): the copy would be among the originals: name another directory with -o")
            }
            let key = try AnonymizationKey(file: key, outside: directory)
            guard let cipher = AES128(key: key.cipherKey) else {
                throw AnonymizationFailure("libcrypto has no AES-128")
            }
            var pseudonyms = Pseudonyms(secret: key.secret) { cipher.encrypt($0) }
            var isDamaged = false
            // Names of files may be those of hosts: they are not kept. Numbers keep the order.
            var (captures, recordings) = (0, 0)
            func name(_ kind: String, _ number: Int, _ suffix: String) -> String {
                "\(kind)-\(String(repeating: "0", count: max(0, 6 - "\(number)".utf8.count)))\(number).\(suffix)"
            }
            try SingleInput.forEach(inputs) { path, input in
                switch input {
                case .failure(let failure): throw failure
                case .success(.capture(let file)):
                    captures += 1
                    let name = name("capture", captures, "pcapng")
                    isDamaged = try copy(file, to: directory, name, &pseudonyms) || isDamaged
                case .success(.recording(let recording)):
                    recordings += 1
                    let name = name("events", recordings, "jsonl")
                    isDamaged = try copy(recording, of: path, to: directory, name, &pseudonyms) || isDamaged
                }
            }
            if isDamaged { throw ExitCode(2) }
        } catch let status as ExitCode {
            throw status
        } catch {
            directory.removeAll()
            log.error("\(error)")
            throw ExitCode(1)
        }
    }

    /// - Returns: whether something of the original could not be read.
    private func copy(
        _ file: InputFile, to directory: CopyDirectory, _ name: String, _ pseudonyms: inout Pseudonyms
    ) throws -> Bool {
        var ignored = CollectedSegments()
        let summary: CaptureSummary
        do {
            summary = try file.scan(selecting: .resets, into: &ignored)
        } catch {
            throw AnonymizationFailure("\(file.path): \(error)")
        }
        let target = try directory.create(name)
        var capture = AnonymousCapture(of: summary, pseudonyms, application: Version.tool) { target.write($0) }
        do {
            _ = try file.scan(selecting: .all, into: &capture)
        } catch {
            throw AnonymizationFailure("\(file.path): \(error)")
        }
        let (segments, errors, leftOut) = (capture.segments, capture.errors, capture.leftOut)
        pseudonyms = capture.finish()
        try target.finish()
        print(
            "\(target.path): \(counted(segments, "TCP segment")), \(counted(errors, "ICMP error"))".printable)
        if !leftOut.isEmpty {
            print("  packets left out: " + leftOut.map { "\($0.count) \($0.what)" }.joined(separator: "; "))
        }
        guard summary.damageCount > 0 else { return false }
        log.warning("\(file.path): \(counted(summary.damageCount, "place")) could not be read; report says more")
        return true
    }

    private func copy(
        _ recording: Recording, of path: String, to directory: CopyDirectory, _ name: String,
        _ pseudonyms: inout Pseudonyms
    ) throws -> Bool {
        guard recording.timebase == .monotonic else {
            throw AnonymizationFailure("\(path): recordings of other programs cannot be anonymised")
        }
        let target = try directory.create(name)
        pseudonyms.recording(recording).write { target.write($0) }
        try target.finish()
        print(
            "\(target.path): \(counted(recording.events.count + recording.failures.count, "event"))".printable)
        if !recording.rulesets.isEmpty || recording.ignoredLines > 0 {
            print(
                "  left out: \(counted(recording.rulesets.count, "firewall ruleset"))"
                    + (recording.ignoredLines > 0 ? "; \(counted(recording.ignoredLines, "line")) of unknown type" : "")
            )
        }
        guard recording.damagedLines > 0 else { return false }
        log.warning("\(path): \(counted(recording.damagedLines, "line")) could not be read; report says more")
        return true
    }

    private func counted(_ count: Int, _ word: String) -> String { "\(count) \(word)\(count == 1 ? "" : "s")" }
}

/// Why nothing was written: a sentence.
struct AnonymizationFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }

    /// With the reason in `errno`.
    init(_ operation: String, _ path: String) {
        description = "cannot \(operation) \(path): \(String(cString: strerror(errno)))"
    }
}

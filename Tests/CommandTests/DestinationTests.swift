import Foundation
import Testing

/// What is read is not overwritten, and what cannot be read is not left out in silence.
@Suite struct DestinationTests {
    private static func withCopy(_ body: (_ folder: URL, _ bytes: Data) throws -> Void) throws {
        try Program.withFolder { folder in
            let (capture, events) = try Program.fixture("abort-on-close-v4")
            try capture.write(to: folder.appending(path: "capture.pcapng"))
            try events.write(to: folder.appending(path: "events.jsonl"))
            try body(folder, capture)
        }
    }

    @Test(arguments: [
        ["-o", "capture.pcapng"], ["--junit", "capture.pcapng", "-o", "/dev/null"], ["--junit", "./link.pcapng"],
        ["--format", "sqlite", "-o", "capture.pcapng"],
    ])
    func inputsStayAsTheyAre(_ options: [String]) throws {
        try Self.withCopy { folder, bytes in
            try FileManager.default.createSymbolicLink(
                atPath: folder.appending(path: "link.pcapng").path, withDestinationPath: "capture.pcapng")
            let result = try Program.run(
                more: ["report", "capture.pcapng", "events.jsonl", "--fail-on", "any"] + options, in: folder)
            #expect(result.status == 1 && result.errors.contains("it is one of the files that were read"), "\(result)")
            #expect(try Data(contentsOf: folder.appending(path: "capture.pcapng")) == bytes)
        }
    }

    @Test func standardInputAndListsAreInputsToo() throws {
        try Self.withCopy { folder, bytes in
            let script =
                "\"$0\" report - -o in.pcapng <in.pcapng; echo $?; "
                + "\"$0\" report events.jsonl --fail-on any --allow allow -o allow; echo $?; "
                + "\"$0\" report events.jsonl --fail-on any --junit x -o x; echo $?; cat allow"
            try bytes.write(to: folder.appending(path: "in.pcapng"))
            try Data("--cause closed-port\n".utf8).write(to: folder.appending(path: "allow"))
            let result = try Program.run(
                more: ["-c", script, Program.path], executable: "/bin/sh", in: folder)
            #expect(result.output == "1\n1\n1\n--cause closed-port\n", "\(result)")
            #expect(try Data(contentsOf: folder.appending(path: "in.pcapng")) == bytes)
        }
    }

    /// `run` does not find out at the end that it has nowhere to write to.
    @Test(arguments: [["-o", "none/x"], ["--junit", "none/x"], ["-o", "."]])
    func placesAreLookedAtBeforeTheCommandRuns(_ options: [String]) throws {
        try Program.withFolder { folder in
            let result = try Program.run(more: ["run"] + options + ["--", "touch", "ran"], in: folder)
            #expect(result.status == 1 && result.errors.contains("cannot write"), "\(result)")
            #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "ran").path))
        }
    }

    @Test(.enabled(if: geteuid() == 0, "who is to be refused is another user"))
    func aDirectoryThatCannotBeReadIsSaid() throws {
        try Self.withCopy { folder, _ in
            let inner = folder.appending(path: "inner")
            try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: false)
            try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: inner.path)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.path)
            let copy = folder.appending(path: "program")
            try FileManager.default.copyItem(atPath: Program.path, toPath: copy.path)
            let result = try Program.run(
                more: ["--reuid=65534", "--regid=65534", "--clear-groups", copy.path, "report", "-R", folder.path],
                executable: "/usr/bin/setpriv", in: URL(filePath: "/"))
            #expect(
                result.status == 1 && result.errors.contains("inner: cannot read this directory: Permission denied"),
                "\(result)")
        }
    }

    @Test func aLinkThatLeadsNowhereIsSaid() throws {
        try Self.withCopy { folder, _ in
            try FileManager.default.createSymbolicLink(
                atPath: folder.appending(path: "other.pcapng").path, withDestinationPath: "gone.pcapng")
            let result = try Program.run("report", ".", in: folder)
            #expect(result.status == 1 && result.errors.contains("other.pcapng: No such file"), "\(result)")
        }
    }

    @Test func whatWasDeletedWhileItWasFollowedIsSaid() throws {
        try Self.withCopy { folder, _ in
            let script = """
                "$0" report --follow . >out 2>err & follower=$!
                for i in $(seq 300); do grep -q '^#1 ' out && break; sleep 0.1; done
                rm events.jsonl
                kill -INT $follower
                wait $follower
                echo $?
                cat err
                """
            let result = try Program.run(more: ["-c", script, Program.path], executable: "/bin/sh", in: folder)
            #expect(result.output.hasPrefix("2\n"), "\(result)")
            #expect(result.output.contains("deleted while it was followed: ./events.jsonl"), "\(result)")
        }
    }

    /// The names of the fields are known without an input.
    @Test func fieldsAreListed() throws {
        let result = try Program.run("report", "--fields", "help")
        #expect(result.status == 0 && result.output.contains("cause"), "\(result)")
    }

    /// An error of writing like any other, which `record` tells with what was lost.
    @Test func aLimitOfTheFileSizeIsAnError() throws {
        try Self.withCopy { folder, _ in
            let script = "ulimit -f 1; exec \"$0\" report capture.pcapng events.jsonl --format html -o page.html"
            let result = try Program.run(more: ["-c", script, Program.path], executable: "/bin/bash", in: folder)
            #expect(result.status == 1 && result.errors.contains("page.html: File too large"), "\(result)")
        }
    }

    /// Neither half of the new report nor nothing takes its place.
    @Test func aReportThatDoesNotFitLeavesTheEarlierOne() throws {
        try Self.withCopy { folder, _ in
            let page = folder.appending(path: "page.html")
            try "earlier".write(to: page, atomically: false, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: page.path)
            let before = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            let write = "exec \"$0\" report capture.pcapng events.jsonl --format html -o page.html"
            let short = try Program.run(
                more: ["-c", "ulimit -f 1; \(write)", Program.path], executable: "/bin/bash", in: folder)
            #expect(short.status == 1, "\(short)")
            #expect(try String(contentsOf: page, encoding: .utf8) == "earlier")
            let whole = try Program.run(more: ["-c", write, Program.path], executable: "/bin/bash", in: folder)
            #expect(whole.status == 0, "\(whole)")
            #expect(try String(contentsOf: page, encoding: .utf8).hasSuffix("</html>\n"))
            let attributes = try FileManager.default.attributesOfItem(atPath: page.path)
            #expect(attributes[.posixPermissions] as? Int == 0o640)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == before)
        }
    }

    /// What cannot be replaced is written into: a file with attributes, as an ACL is one, and one that is a mount point. A long
    /// name is no obstacle.
    @Test(.enabled(if: geteuid() == 0, "mounting needs root")) func whatCannotBeReplacedIsWrittenInto() throws {
        try Self.withCopy { folder, _ in
            let script = """
                set -e
                long=$(printf 'a%.0s' $(seq 255))
                umask 022; echo earlier >noted; chmod 600 noted
                touch source target $long; mount --bind source target
                python3 -c 'import os; os.setxattr("noted", "user.mine", b"1")'
                for file in noted target $long; do
                    "$0" report capture.pcapng events.jsonl --format json -o $file
                    head -c 10 $file; echo; stat -c %a $file
                done
                python3 -c 'import os; print(os.getxattr("noted", "user.mine"))'
                cmp source noted
                ls -A | wc -l
                """
            let result = try Program.run(
                more: ["-m", "bash", "-c", script, Program.path], executable: "/usr/bin/unshare", in: folder)
            let begin = "{\"schema\":"
            let expected = "\(begin)\n600\n\(begin)\n644\n\(begin)\n644\nb'1'\n6\n"
            #expect(result.output == expected, "\(result)")
        }
    }

    /// Whoever else has the file, by a link, sees the new report as well.
    @Test func aLinkedFileIsWrittenInto() throws {
        try Self.withCopy { folder, _ in
            for (link, make) in [("soft", "ln -s"), ("hard", "ln")] {
                let script = """
                    echo earlier >page.\(link) && \(make) page.\(link) link.\(link) &&
                    exec "$0" report capture.pcapng events.jsonl --format json -o link.\(link)
                    """
                let result = try Program.run(more: ["-c", script, Program.path], executable: "/bin/bash", in: folder)
                #expect(result.status == 0, "\(result)")
                let text = try String(contentsOf: folder.appending(path: "page.\(link)"), encoding: .utf8)
                #expect(text.hasPrefix("{\"schema\""))
            }
        }
    }
}

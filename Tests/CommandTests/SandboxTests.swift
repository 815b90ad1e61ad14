import Foundation
import Testing

/// A recorder gives up what it no longer needs, and goes on recording, dividing its files, reading rules and ending its command.
@Suite(.serialized, .enabled(if: geteuid() == 0, "recording needs root"))
struct SandboxTests {
    /// A script of a recorder that is confined. `rights` prints what /proc says of all its threads, each different line once.
    private static func script(_ text: String, in folder: URL) throws -> Program.Result {
        let functions = """
            confined() { grep -q '^Seccomp:.2' /proc/$pid/status; }
            rights() { cat /proc/$pid/task/*/status | grep -E "$1" | sort -u; }
            has() { python3 -c "import sys; print(int(sys.argv[1], 16) >> int(sys.argv[2]) & 1)" "$(awk '/^CapEff/ { print $2 }' /proc/$pid/status)" $1; }

            """
        return try RecorderScript.run(functions + text, in: folder)
    }

    /// CAP_PERFMON, CAP_BPF, CAP_CHOWN, CAP_SETUID, CAP_SYS_MODULE, CAP_DAC_OVERRIDE.
    private static let gone = [38, 39, 0, 7, 16, 1]

    @Test func allThreadsAreConfinedAndTheRecordingIsWhole() throws {
        try Program.withFolder { folder in
            let result = try Self.script(
                """
                begin rec -i lo --netns own --rotate-time 1s --keep 100
                wait_for confined
                rights '^(NoNewPrivs|Seccomp):' | tr -d '\\t'
                [ "$(rights '^CapEff' | wc -l)" = 1 ] && [ "$(rights '^CapEff' | cut -f 2)" = "$(rights '^CapPrm' | cut -f 2)" ] && echo same
                for c in \(Self.gone.map(String.init).joined(separator: " ")) 21; do has $c; done | tr -d '\n'; echo
                for i in 1 2 3; do reset 4; sleep 1.1; done
                kill -INT $pid; finish
                ls rec | grep -c capture
                """, in: folder)
            let lines = result.output.split(separator: "\n").map(String.init)
            let errors = try String(contentsOf: folder.appending(path: "rec.err"), encoding: .utf8)
            try #require(lines.count == 6, "\(result.output)\(result.errors)\(errors)")
            #expect(lines[0] == "NoNewPrivs:1" && lines[1] == "Seccomp:2" && lines[2] == "same", "\(result.output)")
            #expect(lines[3] == "0000000", "\(result.output)")
            #expect(lines[4] == "status 0" && (Int(lines[5]) ?? 0) >= 3, "\(result.output)\(errors)")
            #expect(!errors.contains("cannot") && !errors.contains("ermission"), "\(errors)")
            let report = try Program.run("report", "rec", "--format", "json", in: folder)
            #expect(report.status == 0 && report.output.contains(#""closed-port":12"#), "\(report.errors)")
        }
    }

    /// The firewall tools are run, and the rules of another namespace read, with what is left.
    @Test func rulesAreStillRead() throws {
        try Program.withFolder { folder in
            let result = try Self.script(
                """
                begin rec -i lo --netns all
                wait_for confined
                has 21
                nft -f - <<'END'
                table inet t {
                  chain c {
                    type filter hook input priority 0
                    tcp dport 9 reject with tcp reset comment "no discard"
                  }
                }
                END
                reset 2; sleep 1
                kill -INT $pid; finish
                """, in: folder)
            #expect(result.output == "1\nstatus 0\n", "\(result.output)\(result.errors)")
            let events = try String(contentsOf: folder.appending(path: "rec/events.jsonl"), encoding: .utf8)
            #expect(events.contains("no discard"), "the rules were not read")
            let report = try Program.run("report", "rec", "--format", "json", in: folder)
            #expect(report.output.contains("no discard"), "\(report.output)")
        }
    }

    @Test func anotherUserRecordsOn() throws {
        try Program.withFolder { folder in
            let result = try Self.script(
                """
                chmod 755 .
                begin rec -i lo --user nobody --rotate-time 1s --keep 100
                wait_for confined
                rights '^(Uid|Gid|Groups):' | tr '\\t' ' '
                nft -f - <<'END'
                table inet t {
                  chain c {
                    type filter hook input priority 0
                    tcp dport 9 reject with tcp reset comment "no discard"
                  }
                }
                END
                for i in 1 2 3; do reset 4; sleep 1.1; done
                kill -INT $pid; finish
                stat -c '%U %a' rec rec/* | sort -u
                """, in: folder)
            let errors = try String(contentsOf: folder.appending(path: "rec.err"), encoding: .utf8)
            #expect(
                result.output == """
                    Gid: 65534 65534 65534 65534
                    Groups: 65534\u{20}
                    Uid: 65534 65534 65534 65534
                    status 0
                    nobody 600
                    nobody 700

                    """, "\(result.output)\(result.errors)\(errors)")
            let report = try Program.run("report", "rec", "--format", "json", in: folder)
            #expect(report.output.contains("no discard") && report.output.contains(#""netfilter-reject":12"#))
        }
    }

    @Test func aDirectoryThatTheUserCannotWriteIsAnError() throws {
        try Program.withFolder { folder in
            let result = try Self.script(
                """
                mkdir -m 700 rec
                "$RST" record -i lo -o rec --user nobody --rotate-time 1s; echo "status $?"
                "$RST" record -i lo -o rec --user no-such-user; echo "status $?"
                """, in: folder)
            #expect(result.output == "status 1\nstatus 1\n", "\(result.output)")
            #expect(
                result.errors.contains("nobody must be able to make files in rec: chown nobody rec"), "\(result.errors)"
            )
            #expect(result.errors.contains("there is no user no-such-user"))
        }
    }

    /// COMMAND has the rights of the caller, and can be ended though it has become somebody else.
    @Test func aCommandKeepsItsRights() throws {
        try Program.withFolder { folder in
            let result = try Self.script(
                """
                "$RST" record -i lo -o rec -- sh -c 'sleep 1; grep -E "^(NoNewPrivs|Seccomp|CapEff):" /proc/self/status | tr -d "\\t"'
                echo "status $?"
                grep ^CapEff: /proc/self/status | tr -d '\\t'
                "$RST" record -i lo -o rec2 --duration 2s -- setpriv --reuid=65534 --clear-groups sleep 60 2>err; echo "status $?"
                pgrep -c -x sleep -u 65534
                """, in: folder)
            let lines = result.output.split(separator: "\n").map(String.init)
            try #require(lines.count == 7, "\(result.output)\(result.errors)")
            #expect(lines[0] == lines[4] && lines[1] == "NoNewPrivs:0" && lines[2] == "Seccomp:0", "\(result.output)")
            #expect(lines[3] == "status 0" && lines[5] == "status 0" && lines[6] == "0", "\(result.output)")
        }
    }

    @Test func nothingIsGivenUpWithoutASandbox() throws {
        try Program.withFolder { folder in
            let result = try Self.script(
                """
                begin rec -i lo --no-sandbox
                sleep 0.5
                rights '^(NoNewPrivs|Seccomp):' | tr -d '\\t'
                has 39
                kill -INT $pid; finish
                """, in: folder)
            #expect(
                result.output == "NoNewPrivs:0\nSeccomp:0\n1\nstatus 0\n", "\(result.output)")
        }
    }

    /// An interface that comes later is captured with what is left.
    @Test func interfacesThatComeAreCaptured() throws {
        try Program.withFolder { folder in
            let result = try Self.script(
                """
                begin rec -i veth9 --wait
                wait_for confined
                ip link add veth9 type veth peer veth8 && ip link set veth9 up
                wait_for grep -q 'veth9 is captured' rec.err
                kill -INT $pid; finish
                """, in: folder)
            #expect(result.output == "status 0\n", "\(result.output)\(result.errors)")
        }
    }

    @Test func watchIsConfinedToo() throws {
        try Program.withFolder { folder in
            let result = try Self.script(
                """
                "$RST" watch --spool spool --spool-file-time 1s --metrics 9469 --user nobody 2>err & pid=$!
                wait_for confined
                rights '^(NoNewPrivs|Uid):' | tr '\\t' ' '
                reset 5
                wait_for sh -c 'ls spool/*.ndjson >/dev/null 2>&1'
                python3 -c "import urllib.request
                print(urllib.request.urlopen('http://127.0.0.1:9469/metrics', timeout=10).read().decode().count('closed-port') > 0)"
                kill -INT $pid; finish
                stat -c %U spool spool/* | sort -u
                cat spool/*.ndjson | grep -c '"cause":"closed-port"'
                """, in: folder)
            let errors = try String(contentsOf: folder.appending(path: "err"), encoding: .utf8)
            #expect(
                result.output == "NoNewPrivs: 1\nUid: 65534 65534 65534 65534\nTrue\nstatus 0\nnobody\n5\n",
                "\(result.output)\(result.errors)\(errors)")
        }
    }

    #if arch(x86_64)
        // The numbers of system calls are those of x86-64.

        /// Whoever takes the place of a firewall tool, which the recorder runs, has no more rights than the recorder, and gets none.
        @Test func thereIsNoWayBack() throws {
            let attempts = """
                import ctypes, os, socket, subprocess, sys
                if 'Seccomp:\\t2' not in open('/proc/self/status').read(): sys.exit()
                libc = ctypes.CDLL(None, use_errno=True)
                def call(name, *arguments):
                    ctypes.set_errno(0)
                    result = libc.syscall(*arguments)
                    print(name, 'done' if result >= 0 else os.strerror(ctypes.get_errno()))
                def attempt(name, body):
                    try: body(); print(name, 'done')
                    except OSError as error: print(name, error.strerror)
                call('ptrace', 101, 16, os.getppid(), 0, 0)
                call('mount', 165, b'none', b'/mnt', b'tmpfs', 0, 0)
                call('unshare', 272, 0x10000000)
                call('setns', 308, os.open('/proc/self/ns/mnt', os.O_RDONLY), 0x20000)
                call('bpf-load', 321, 5, 0, 0)
                call('bpf-map', 321, 0, 0, 0)
                call('perf', 298, 0, 0, -1, -1, 0)
                call('module', 175, 0, 0, b'')
                call('io_uring', 425, 1, 0)
                call('process_vm_readv', 310, os.getppid(), 0, 0, 0, 0, 0)
                call('seccomp', 317, 0, 0, 0)
                call('capset', 126, 0, 0)
                attempt('setuid', lambda: os.setuid(1))
                attempt('chown', lambda: os.chown('/tmp', 1, 1))
                attempt('chroot', lambda: os.chroot('/'))
                attempt('packet', lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
                attempt('exec', lambda: subprocess.run(['true'], check=True))
                status = open('/proc/self/status').read().split('\\n')
                print(*[line.split()[1] for line in status if line.startswith('CapEff')])
                """
            try Program.withFolder { folder in
                let tool = folder.appending(path: "tool.py")
                try Data(("#!/usr/bin/python3\n" + attempts).utf8).write(to: tool)
                try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: tool.path)
                let result = try Self.script(
                    """
                    cp /usr/sbin/nft real-nft
                    printf '#!/bin/sh\nexec %s >>%s 2>&1\n' "$PWD/tool.py" "$PWD/log" >fake; chmod 755 fake
                    mount --bind fake /usr/sbin/nft
                    begin rec -i lo --netns own
                    wait_for confined
                    ./real-nft add table inet t
                    wait_for grep -q ^exec log
                    sleep 0.5
                    kill -INT $pid; finish
                    """, in: folder)
                #expect(result.output == "status 0\n", "\(result.output)\(result.errors)")
                let log = try String(contentsOf: folder.appending(path: "log"), encoding: .utf8)
                let lines = Set(log.split(separator: "\n").map(String.init))
                let refused = [
                    "ptrace", "mount", "unshare", "setns", "bpf-load", "bpf-map", "perf", "module", "io_uring",
                    "process_vm_readv", "seccomp", "capset", "setuid", "chown", "chroot", "packet",
                ]
                for name in refused { #expect(lines.contains("\(name) Operation not permitted"), "\(name): \(log)") }
                #expect(lines.contains("exec done"), "\(log)")
                let rights = try #require(lines.compactMap { UInt64($0, radix: 16) }.first, "\(log)")
                for capability in Self.gone + [21] { #expect(rights >> UInt64(capability) & 1 == 0, "\(log)") }
            }
        }
    #endif
}

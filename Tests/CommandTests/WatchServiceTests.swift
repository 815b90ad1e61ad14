import Foundation
import Glibc
import Testing

/// `watch` as a service: what service managers and Prometheus ask of it.
@Suite(.serialized, .enabled(if: geteuid() == 0, "recording needs root"))
struct WatchServiceTests {
    private static func has(_ program: String) -> Bool {
        let folders = ProcessInfo.processInfo.environment["PATH"]?.split(separator: ":") ?? []
        return folders.contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(program)") }
    }

    private static let get = """
        get() { python3 -c "import sys, urllib.request
        print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode(), end='')" "$1"; }

        """

    /// The text that is answered is what Prometheus reads, and other requests are answered as HTTP has it.
    @Test func metricsAreAnswered() throws {
        try Program.withFolder { folder in
            let result = try WatchTests.run(
                Self.get + """
                    "$0" watch --metrics 9469 >out 2>err &
                    waitfor watching err
                    refuse 5
                    waitfor '#5 ' out
                    get http://127.0.0.1:9469/metrics >metrics.txt
                    python3 -c "import http.client
                    c = http.client.HTTPConnection('127.0.0.1', 9469, timeout=10)
                    for method, path in (('GET', '/'), ('GET', '/none'), ('POST', '/metrics'), ('HEAD', '/metrics')):
                        c.request(method, path); r = c.getresponse(); print(r.status, len(r.read()), r.getheader('content-type'))"
                    printf 'nonsense\\r\\n\\r\\n' | python3 -c "import socket, sys
                    s = socket.create_connection(('127.0.0.1', 9469)); s.settimeout(10)
                    s.send(sys.stdin.buffer.read()); print(s.recv(1000).split(b'\\\\r')[0].decode())"
                    ss -ltn | grep -c '127.0.0.1:9469'
                    kill -INT $!
                    wait $!
                    echo status $?
                    cat err
                    "$0" watch --metrics 192.0.2.1:9469 2>&1
                    echo status $?
                    """, in: folder)
            let lines = result.output.split(separator: "\n").map(String.init)
            try #require(lines.count >= 7, "\(result.output)\(result.errors)")
            #expect(lines[0].hasPrefix("200 ") && lines[1].hasPrefix("404 ") && lines[2].hasPrefix("405 "))
            #expect(lines[3] == "200 0 text/plain; version=0.0.4; charset=utf-8", "\(result.output)")
            #expect(lines[4].contains("400"), "\(result.output)")
            #expect(lines[5] == "1" && lines[6] == "status 0", "\(result.output)")
            #expect(result.output.contains("cannot listen on 192.0.2.1, port 9469") && lines.last == "status 1")
            let metrics = try String(contentsOf: folder.appending(path: "metrics.txt"), encoding: .utf8)
            #expect(
                metrics.contains(#"rst_resets_total{direction="sent",cause="closed-port",certainty="proven","#)
                    && metrics.contains("rst_watch_lag_seconds ") && metrics.contains("rst_analyze_build_info{version=")
            )
        }
    }

    @Test(.enabled(if: has("promtool") && has("prometheus"), "scripts/fetch-prometheus fetched nothing"))
    func prometheusReadsThem() throws {
        try Program.withFolder { folder in
            let configuration = """
                global: {scrape_interval: 1s}
                scrape_configs:
                  - job_name: rst
                    static_configs: [{targets: ['127.0.0.1:9469']}]
                """
            try Data(configuration.utf8).write(to: folder.appending(path: "prometheus.yml"))
            let result = try WatchTests.run(
                Self.get + """
                    "$0" watch --metrics 9469 --metrics-file rst.prom >out 2>err &
                    watcher=$!
                    waitfor watching err
                    refuse 30
                    waitfor '^+ ' out
                    get http://127.0.0.1:9469/metrics | promtool check metrics
                    echo promtool $?
                    prometheus --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address=127.0.0.1:9090 \
                        >prometheus.log 2>&1 &
                    prometheus=$!
                    # An attempt before it listens would be one RST more.
                    for i in $(seq 300); do
                        ss -Htln 'sport = 9090' | grep -q . && break
                        sleep 0.1
                    done
                    for i in $(seq 100); do
                        get 'http://127.0.0.1:9090/api/v1/query?query=sum(rst_resets_total)' >answer 2>/dev/null
                        grep -q '"30"' answer && break
                        sleep 0.3
                    done
                    cat answer
                    get 'http://127.0.0.1:9090/api/v1/query?query=up' | grep -c '"1"'
                    kill $prometheus $watcher
                    wait $watcher
                    promtool check metrics <rst.prom
                    echo promtool $?
                    """, in: folder)
            #expect(result.output.contains(#""30""#), "\(result.output)")
            #expect(result.output.split(separator: "\n").count { $0 == "promtool 0" } == 2, "\(result.output)")
            #expect(!result.errors.contains("should"), "promtool finds nothing to mend: \(result.errors)")
        }
    }

    /// Ready, reloading, stopping; SIGHUP makes files anew.
    @Test func theServiceManagerIsTold() throws {
        try Program.withFolder { folder in
            let path = folder.appending(path: "notify").path
            let socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            defer { close(socket) }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
            let bound = withUnsafePointer(to: address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            try #require(bound == 0)
            var patience = timeval(tv_sec: 60, tv_usec: 0)
            setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
            func told() -> String {
                var buffer = [UInt8](repeating: 0, count: 256)
                let count = recv(socket, &buffer, buffer.count, 0)
                return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : ""
            }
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/unshare")
            process.arguments = [
                "-n", "sh", "-c",
                """
                ip link set lo up
                (sleep 3; python3 -c "import socket; socket.socket().connect_ex(('127.0.0.1', 9))") &
                exec "$0" watch --spool spool 2>err
                """, Program.path,
            ]
            process.currentDirectoryURL = folder
            process.environment = ProcessInfo.processInfo.environment.merging(["NOTIFY_SOCKET": path]) { $1 }
            process.standardOutput = FileHandle.nullDevice
            try process.run()
            #expect(told() == "READY=1")
            func names(_ folder: URL) -> [String] {
                (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
            }
            let spool = folder.appending(path: "spool")
            for _ in 0..<600 where !names(spool).contains(where: { $0.hasSuffix(".tmp") }) { usleep(50_000) }
            #expect(names(spool).count == 1)
            // As a shipper's owner may do: the directory is put aside, and there is a new one.
            try FileManager.default.moveItem(at: spool, to: folder.appending(path: "old"))
            kill(process.processIdentifier, SIGHUP)
            #expect(told() == "RELOADING=1")
            #expect(told() == "READY=1")
            #expect(names(folder.appending(path: "old")).allSatisfy { $0.hasSuffix(".ndjson") })
            #expect(FileManager.default.fileExists(atPath: spool.path))
            kill(process.processIdentifier, SIGTERM)
            #expect(told() == "STOPPING=1")
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            #expect(names(spool).count == 1, "the last health record")
        }
    }

    @Test(.enabled(if: has("systemd-analyze"), "systemd-analyze is not installed"))
    func theUnitIsSound() throws {
        try Program.withFolder { folder in
            let name = "rst-analyze-watch.service"
            let unit = try String(
                contentsOf: Program.root.appending(path: "systemd/\(name)"), encoding: .utf8)
            let copy = folder.appending(path: name)
            try Data(unit.replacing("/usr/local/bin/rst-analyze", with: Program.path).utf8).write(to: copy)
            let verified = try Program.run("verify", "--man=no", copy.path, executable: "/usr/bin/systemd-analyze")
            // It may have something to say about other units of the host.
            #expect(!(verified.output + verified.errors).contains(name), "\(verified.errors)")
            let security = try Program.run(
                "security", "--offline=true", "--no-pager", "--threshold=40", copy.path,
                executable: "/usr/bin/systemd-analyze")
            #expect(security.status == 0, "\(security.output.suffix(300))\(security.errors)")
        }
    }

    /// What the unit leaves the program of root's power is enough for verdicts, processes and captures.
    @Test(.enabled(if: has("setpriv"), "setpriv is not installed"))
    func theUnitsCapabilitiesAreEnough() throws {
        let unit = try String(
            contentsOf: Program.root.appending(path: "systemd/rst-analyze-watch.service"), encoding: .utf8)
        let line = try #require(unit.split(separator: "\n").first { $0.hasPrefix("CapabilityBoundingSet=") })
        let names = line.split(separator: "=")[1].split(separator: " ").map { "+" + $0.dropFirst(4).lowercased() }
        try Program.withFolder { folder in
            let result = try WatchTests.run(
                """
                setpriv --bounding-set=-all,\(names.joined(separator: ",")) --inh-caps=-all --no-new-privs \
                    "$0" watch -i lo --count 4 --format ndjson >out 2>err &
                watcher=$!
                waitfor watching err
                refuse 3
                # It is still there when its event is read, however busy the machine is.
                python3 -c "import socket, struct, time
                l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen(1)
                c = socket.socket(); c.connect(l.getsockname())
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); c.close(); time.sleep(60)" &
                wait $watcher
                echo status $?
                cat out err
                """, in: folder)
            #expect(result.output.contains("status 0"), "\(result.output)")
            #expect(
                result.output.contains(#""cause":"linger-zero""#) && result.output.contains(#""comm":"python3""#)
                    && result.output.contains(#""exe":"/"#), "\(result.output)")
            #expect(!result.output.contains("cannot be named"), "\(result.output)")
        }
    }
}

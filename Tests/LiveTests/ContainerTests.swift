import Correlator
import Foundation
import Glibc
import InputFiles
import KernelEvents
import Laboratory
import Testing

/// A container of Podman resets a connection, and is called by its name.
@Suite(.serialized, .enabled(if: Live.obstacle == nil, "\(Live.obstacle ?? "")"))
struct ContainerTests {
    /// RST_RECORD_CONTAINER=fixtures/podman-pod-v4 records the fixture anew.
    @Test func podmansSocketIsAsked() throws {
        let kept = ProcessInfo.processInfo.environment["RST_RECORD_CONTAINER"]
        let labels = ["container.name=nginx", "pod.name=web-0", "pod.namespace=shop"].map {
            "--label io.kubernetes.\($0)"
        }
        let reset = try reset(run: labels.joined(separator: " "), keeping: kept)
        let container = reset.location?.container
        #expect(container?.title == "shop/web-0/nginx" && container?.runtime == .podman)
        #expect(container?.image == "localhost/rst-test:latest" && container?.id == reset.location?.identity.container)
    }

    /// Without a service, and without the right to use its socket if there were one; and Podman forgets the container as it ends.
    @Test func podmansFilesAreRead() throws {
        let reset = try reset(run: "--rm", service: false, options: ["--user", "nobody"])
        #expect(reset.location?.container?.title == "shop-web" && reset.location?.container?.runtime == .podman)
    }

    @Test func namesAreLeftOut() throws {
        let reset = try reset(options: ["--no-container-names"])
        #expect(reset.location?.identity.container != nil && reset.location?.container == nil)
    }

    /// The RST of the container, as it was recorded.
    private func reset(run: String = "", service: Bool = true, options: [String] = [], keeping kept: String? = nil)
        throws
        -> Reset
    {
        let folder = kept ?? FileManager.default.temporaryDirectory.appending(path: "rst-\(UUID().uuidString)").path
        defer { if kept == nil { try? FileManager.default.removeItem(atPath: folder) } }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        if options.contains("--user"), let nobody = getpwnam("nobody") {
            chown(folder, nobody.pointee.pw_uid, nobody.pointee.pw_gid)
        }
        let script = Process()
        script.executableURL = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../scripts/record-container")
        script.arguments = [folder, Live.actor.path] + options
        script.environment = ProcessInfo.processInfo.environment.merging(
            ["RUN": run, "SERVICE": service ? "yes" : "no"]
        ) { $1 }
        let errors = Pipe()
        script.standardError = errors
        script.standardOutput = errors
        try script.run()
        let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        script.waitUntilExit()
        try #require(script.terminationStatus == 0, "\(said)")
        let loaded = InputLoader().load([folder])
        #expect(loaded.failures == [])
        let report = correlate(captures: loaded.captures, recordings: loaded.recordings)
        let resets = Array(report.resets)
        #expect(resets.count == 1)
        return try #require(resets.first { $0.direction == .sent && $0.process?.comm == "nc" })
    }
}

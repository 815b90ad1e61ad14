import Glibc
import JSONText
import Laboratory
import NetworkTypes

/// The log of resets (`rst-provoke/1`): one JSON object per line, each written immediately.
public final class ResetLog {
    private let descriptor: Int32
    private(set) var resets = 0
    private(set) var connections = 0
    /// Writing failed: the reader of the log is gone, or the disk is full.
    public private(set) var hasFailed = false
    /// Something on which everything else depends has failed.
    public private(set) var hasGivenUp = false
    /// Resets that were due but did not happen.
    public private(set) var misses = 0

    /// Called before the last line, to write what is not logged yet.
    var finish: () -> Void = {}

    public init(descriptor: Int32) { self.descriptor = descriptor }

    func countConnection() { connections &+= 1 }

    /// The first line, once connections are accepted.
    func begin(_ role: String, _ tool: String, listen: Endpoint?, to: Endpoint?, how: String?, when: String?) {
        var line = opened("provoke")
        line.raw(",\"schema\":\"rst-provoke/1\",\"tool\":")
        line.string(tool)
        line.raw(",\"role\":")
        line.string(role)
        if let listen {
            line.raw(",\"listen\":")
            line.string(listen.description)
        }
        if let to {
            line.raw(",\"to\":")
            line.string(to.description)
        }
        if let how {
            line.raw(",\"how\":")
            line.string(how)
        }
        if let when {
            line.raw(",\"when\":")
            line.string(when)
        }
        write(&line)
    }

    /// A reset from `source` to `destination`.
    ///
    /// - Parameters:
    ///   - side: for a proxy, which of its two peers gets the RST.
    ///   - cause: as in a report; nil if another host's kernel decides it.
    func reset(
        from source: Endpoint, to destination: Endpoint, how: String, cause: String?, sent: How.Sending = .atOnce,
        side: String? = nil
    ) {
        resets &+= 1
        var line = opened("reset")
        line.raw(",\"how\":")
        line.string(how)
        if let cause {
            line.raw(",\"cause\":")
            line.string(cause)
        }
        if let side {
            line.raw(",\"side\":")
            line.string(side)
        }
        tuple(source, destination, &line)
        line.raw(",\"sent\":")
        line.string(sent.rawValue)
        write(&line)
    }

    /// A proxy ends one side with a RST (SO_LINGER 0) because the other one ended with a RST.
    func passedOn(from source: Endpoint?, to destination: Endpoint?, side: String) {
        var line = opened("passed-on")
        line.raw(",\"side\":")
        line.string(side)
        if let source, let destination { tuple(source, destination, &line) }
        write(&line)
    }

    private func tuple(_ source: Endpoint, _ destination: Endpoint, _ line: inout JSONWriter) {
        line.raw(",\"src\":")
        line.string(source.address.description)
        line.raw(",\"src_port\":")
        line.number(source.port)
        line.raw(",\"dst\":")
        line.string(destination.address.description)
        line.raw(",\"dst_port\":")
        line.number(destination.port)
    }

    /// A reset that was due but did not happen, for example because the peer ended the connection first.
    func missed(how: String, peer: Endpoint?, why: String) {
        misses &+= 1
        var line = opened("missed")
        line.raw(",\"how\":")
        line.string(how)
        if let peer {
            line.raw(",\"peer\":")
            line.string(peer.description)
        }
        line.raw(",\"why\":")
        line.string(why)
        write(&line)
    }

    /// Nothing more can be reset.
    func givenUp(how: String, why: String) {
        hasGivenUp = true
        missed(how: how, peer: nil, why: why)
    }

    /// A router starts to break connections, or a client falls silent.
    func begun(_ fault: String) {
        var line = opened("fault")
        line.raw(",\"how\":")
        line.string(fault)
        write(&line)
    }

    /// The port is open, or closed, from now on.
    func port(isOpen: Bool) {
        var line = opened(isOpen ? "open" : "closed")
        write(&line)
    }

    /// The last line.
    public func end() {
        finish()
        var line = opened("end")
        line.raw(",\"connections\":")
        line.number(connections)
        line.raw(",\"resets\":")
        line.number(resets)
        write(&line)
    }

    private func opened(_ type: StaticString) -> JSONWriter {
        var line = JSONWriter()
        line.raw("{\"type\":\"")
        line.raw(type)
        line.raw("\",\"time\":")
        line.string(Self.now())
        return line
    }

    private func write(_ line: inout JSONWriter) {
        line.raw("}\n")
        let bytes = line.copy()
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                hasFailed = true
                return
            }
            done += count
        }
    }

    /// CLOCK_REALTIME in UTC with nanoseconds, as in reports.
    private static func now() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UTCTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)).description
    }
}

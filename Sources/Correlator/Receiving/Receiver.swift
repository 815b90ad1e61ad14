public import KernelEvents
public import NetworkTypes

extension Reset {
    /// The end that a RST came to, as its host recorded it: it accepted the RST, and the connection was over, or ignored it.
    public struct Receiver: Sendable, Equatable {
        /// Whose socket it was; nil if that is not known.
        public var process: Process?
        /// When the RST came.
        public var state: TCPState?
        public var reception: ResetEvent.Reception
        /// Why the RST had no effect, in the kernel's words; nil if it had one.
        public var reason: String?
        /// How the program had ended the connection before; nil if it had not, or that was not recorded.
        public var ending: ResetEvent.Ending?
        public var location: Location?
        /// The kernel's number of its socket (SO_COOKIE).
        public var socketCookie: UInt64?
        /// CLOCK_MONOTONIC in nanoseconds.
        public var monotonic: Int64

        /// It had no effect.
        public var isIgnored: Bool { reception.fate == .ignored }

        /// The name of the error that the program gets.
        public var error: String? { reception.errno.map(ResetEvent.Reception.name(ofError:)) }
    }
}

extension ResetEvent.Reception {
    /// errno(3), those that TCP reports.
    static func name(ofError number: UInt16) -> String {
        switch number {
        case 13: "EACCES"
        case 32: "EPIPE"
        case 64: "ENONET"
        case 71: "EPROTO"
        case 90: "EMSGSIZE"
        case 92: "ENOPROTOOPT"
        case 95: "EOPNOTSUPP"
        case 101: "ENETUNREACH"
        case 103: "ECONNABORTED"
        case 104: "ECONNRESET"
        case 110: "ETIMEDOUT"
        case 111: "ECONNREFUSED"
        case 112: "EHOSTDOWN"
        case 113: "EHOSTUNREACH"
        default: "error \(number)"
        }
    }
}

extension EntryBuilder {
    /// The receiving end, where its host recorded it.
    func receiver(_ reception: Reference?) -> Reset.Receiver? {
        guard let reception, let found = inventory.event(reception).reception else { return nil }
        let event = inventory.event(reception)
        var receiver = Reset.Receiver(reception: found, monotonic: event.monotonic)
        receiver.state = event.state
        receiver.reason = found.fate == .ignored ? event.reason : nil
        receiver.socketCookie = event.socket?.cookie
        receiver.ending = Self.ending(before: event)
        receiver.process = receivingProcess(event)
        receiver.location = receivingLocation(event)
        if let pid = receiver.process?.pid, let comm = receiver.process?.comm {
            receiver.process?.details = inventory.recordings[inventory.recordingIndex(reception)].recording.process(
                pid, comm, line: event.line)
        }
        return receiver
    }

    /// Who had the socket that a RST came to, or had closed it.
    func receivingProcess(_ event: ResetEvent) -> Reset.Process? {
        let ending = Self.ending(before: event)
        guard let owner = event.socket?.owner ?? ending?.process ?? ending?.owner else { return nil }
        return Reset.Process(
            pid: owner.pid, comm: owner.comm,
            role: ending?.process == nil || event.socket?.dead != true ? .owner : .closer)
    }

    func receivingLocation(_ event: ResetEvent) -> Reset.Location? {
        let cgroup = event.socket?.cgroupPath ?? Self.ending(before: event)?.cgroupPath
        return location(netns: event.netns, cgroup: cgroup)
    }

    private static func ending(before event: ResetEvent) -> ResetEvent.Ending? {
        event.ending.flatMap { $0.monotonic <= event.monotonic ? $0 : nil }
    }

    /// A fact about the receiving end; nil where it was not recorded.
    func receiverFact(_ receiver: Reset.Receiver?, _ reception: Reference?) -> Fact? {
        guard let receiver, let reception else { return nil }
        return Fact(receiver.sentence, from: place(reception))
    }
}

extension Reset.Receiver {
    /// Who received it, in which state, and what that did:
    /// `received by curl (pid 4711, user alice), in ESTABLISHED: ECONNRESET at its next read, 1,448 bytes it had sent were not acknowledged`.
    public var sentence: String {
        guard !isIgnored else { return ignoredSentence }
        let effects = [effect, losses].compactMap(\.self).joined(separator: ", ")
        return "received by \(name)\(state.map { ", in \($0.name)" } ?? ""): \(effects)"
    }

    /// `curl (pid 4711, user alice)`.
    public var name: String {
        guard let process, let pid = process.pid, let comm = process.comm else { return "a process that is not known" }
        let user = process.details.flatMap { $0.user ?? $0.uid.map { "uid \($0)" } }
        return "\(comm) (pid \(pid)\(user.map { ", user \($0)" } ?? ""))"
    }

    private var effect: String {
        guard let error else { return "no program learns of it, since \(departure)" }
        let isConnecting = state == .synSent
        switch reception.wait {
        case .call where isConnecting: return "\(error) from connect()"
        case .poll where isConnecting: return "\(error) for its connect(), poll() returns"
        case .epoll where isConnecting: return "\(error) for its connect(), epoll reports it"
        case _ where isConnecting: return "\(error) for its connect()"
        case .call: return "\(error) in the call that it waits in"
        case .poll: return "\(error) at its next \(call), poll() returns"
        case .epoll: return "\(error) at its next \(call), epoll reports it"
        case .ioUring: return "\(error) in its request of io_uring"
        case .nobody: return "\(error) at its next \(call)"
        case nil: return "\(error) in a call that is under way, or at its next \(call)"
        }
    }

    /// In CLOSE_WAIT a read still finds the end of the stream.
    private var call: String { state == .closeWait ? "write" : "read" }

    /// How the program had closed the socket.
    private var departure: String {
        switch ending?.how {
        case .exit: "the program had exited"
        case .killed: "the program had been killed"
        case .listener: "no program had accepted the connection"
        default: "the program had closed the socket"
        }
    }

    /// `received without effect, its number was outside the window (TCP_OLD_SEQUENCE): the connection of curl (pid 4711), in
    /// ESTABLISHED, goes on`.
    private var ignoredSentence: String {
        let reason = self.reason.map { " (\($0))" } ?? ""
        let connection = state.map { $0 != .listen && $0 != .close && $0 != .timeWait && $0 != .newSynReceived } == true
        let rest = connection && process != nil ? ": the connection of \(name), in \(state?.name ?? ""), goes on" : ""
        return "received without effect, \(obstacle)\(reason)\(rest)"
    }

    /// Why a RST had no effect (enum skb_drop_reason in include/net/dropreason-core.h).
    private var obstacle: String {
        switch reason {
        case "NO_SOCKET": return "no socket matched it"
        case "TCP_RESET" where state == .listen: return "it came to a listener"
        case "TCP_RESET" where state != nil || reception.location?.hasPrefix("tcp_validate_incoming") == true:
            return "its number was in the window but not the next one, which calls for a challenge ACK"
        case "TCP_RESET": return "it came to a listener, or its number was in the window but not the next one"
        case "TCP_INVALID_SEQUENCE", "TCP_INVALID_END_SEQUENCE", "TCP_OLD_SEQUENCE", "TCP_OVERWINDOW":
            return "its number was outside the window"
        case "TCP_INVALID_ACK_SEQUENCE", "TCP_OLD_ACK", "TCP_TOO_OLD_ACK", "TCP_ACK_UNSENT_DATA":
            return "it acknowledged the wrong number"
        case "TCP_CSUM", "IP_CSUM": return "its checksum was wrong"
        case "NETFILTER_DROP": return "a firewall rule dropped it on this host"
        case "XFRM_POLICY": return "an IPsec policy dropped it on this host"
        case "SOCKET_FILTER": return "a BPF program on the socket dropped it"
        case "SOCKET_BACKLOG": return "the socket's backlog was full"
        case "TCP_MINTTL": return "its TTL was below the socket's IP_MINTTL"
        case let reason? where reason.hasPrefix("TCP_MD5") || reason.hasPrefix("TCP_A"):
            return "it was not signed as the connection demands"
        default: return "the kernel dropped it"
        }
    }

    private var losses: String? {
        var parts: [String] = []
        if let count = reception.unacknowledged, count > 0 {
            parts.append("\(Int(count).counted("byte")) it had sent \(count == 1 ? "was" : "were") not acknowledged")
        }
        if let count = reception.unread, count > 0 {
            parts.append("\(Int(count).counted("byte")) \(count == 1 ? "was" : "were") not read yet")
        }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }
}

extension Verdict {
    /// Of a RST whose sender was not recorded, it is known that it was received, whatever else its packets say.
    mutating func noteReception(isCaptured: Bool) {
        guard cause == .unknown else { return }
        becomeReceived()
        if !isCaptured { missing = ["its packets, or kernel events of the host that sent it"] }
    }
}

public import NetworkTypes

/// Many RSTs that are one event, such as a scan, a dead backend or a crash loop. The RSTs themselves stay in the report.
public struct Finding: Sendable, Equatable {
    public enum Kind: String, Sendable {
        /// One host tried many ports or hosts, and was refused.
        case scan
        /// A service sent them.
        case endpoint
        /// Clients of a service sent them.
        case client
    }

    /// An address, with its port where the port is the same in all of them.
    public struct EndpointCount: Sendable, Equatable {
        public var address: IPAddress
        public var port: UInt16?
        public var count: Int
    }

    public var kind: Kind
    /// What they amount to together.
    public var pattern: Answer.Pattern?
    /// The most frequent of its causes.
    public var cause: Cause
    public var count: Int
    /// Nanoseconds since 1970-01-01 UTC.
    public var first: Int64
    public var last: Int64
    /// RSTs per 1000 seconds, from the first to the last; nil if they came at the same time.
    public var perThousandSeconds: UInt64?
    /// The most frequent, at most `keptEndpoints`.
    public var sources: [EndpointCount]
    public var destinations: [EndpointCount]
    /// The ID of the first of them.
    public var example: Int
    public var summary: String

    public static let keptEndpoints = 5
    /// Fewer RSTs are not a finding.
    static let least = 3
}

/// Groups RSTs with the same explanation, the largest groups first. Each RST is in at most one finding.
public func findings(in list: ResetList) -> [Finding] { AnswerGroups(list).findings() }

extension Finding {
    /// - Parameters:
    ///   - members: all with a wall clock.
    ///   - sides: of the members, the source first.
    ///   - name: of the program that caused them.
    init(_ members: Members, _ sides: (from: Side, to: Side), pattern: Answer.Pattern?, name: String?) {
        let (from, to) = sides
        let lead = members[0]
        if case .scan = pattern { kind = .scan } else { kind = lead.service == .source ? .endpoint : .client }
        self.pattern = pattern
        count = members.count
        example = members.rows.lazy.map { $0.id }.min() ?? lead.id
        let span = members.wallClockSpan ?? (0, 0)
        (first, last) = span
        let causes = tally(members.rows.lazy.map { $0.cause })
        cause = causes.max { ($0.count, $1.key.rawValue) < ($1.count, $0.key.rawValue) }?.key ?? .unknown
        perThousandSeconds = members.steadySpan.flatMap { ratePerThousandSeconds(members.count, $0) }
        sources = from.top
        destinations = to.top
        summary = ""
        summary = sentence(lead, from, to, name)
    }

    private func sentence(_ lead: ResetRow, _ from: Side, _ to: Side, _ name: String?) -> String {
        let (services, clients) = lead.service == .source ? (from, to) : (to, from)
        let service = lead.service.end(of: lead.tuple)
        let client = lead.service.clientEnd(of: lead.tuple)
        var place: String
        if services.endCount == 1 {
            place = service.address.text(port: service.port)
        } else if services.addressCount == 1 {
            place = "\(services.endCount.counted("port")) of \(service.address)"
        } else {
            place = services.port.map { "port \($0) of " } ?? ""
        }
        if services.addressCount > 1 { place += services.addressCount.counted("host") }
        let whom = clients.addressCount == 1 ? "\(client.address)" : clients.addressCount.counted("host")
        switch pattern {
        case .scan(let ports, let hosts)?:
            let who = lead.turnsAway ? lead.tuple.destination : lead.tuple.source
            return
                "\(who) tried \(ports.counted("port")) on \(hosts.counted("host")), all refused: a port scan, or a program looking for a service"
        case .crashLoop(let times)?:
            return
                "\(name.map { "\($0), " } ?? "")\(place) went down \(times) times and came back: a crash loop, or repeated restarts"
        case .deadBackend?:
            return
                "\(place) refused all \(count.grouped) attempts from \(whom): nothing listens there, or a firewall rejects them"
        case .healthCheck(let interval)?:
            return
                "\(whom) connects to \(place) every \(TimeSpan(nanoseconds: interval)) and resets the connection: probably a health check of a load balancer or monitor"
        case .idleLimit(let silence, let number)?:
            return
                "\(number.grouped) of \(count.grouped) connections to \(place) were reset after the same silence, \(TimeSpan(nanoseconds: silence)): an idle limit"
        case nil: break
        }
        let reason = cause == .unknown ? "cause unknown" : "all \(cause.rawValue)"
        switch lead.service {
        case .source:
            return "\(name.map { "\($0) at " } ?? "")\(place) reset \(connections(to.endCount, from: whom)) (\(reason))"
        case .destination:
            return "\(name.map { "\($0) on " } ?? "")\(whom) reset \(connections(from.endCount, to: place)) (\(reason))"
        }
    }

    private func connections(_ count: Int, from whom: String) -> String {
        count == 1 ? "one connection from \(whom)" : "\(count.grouped) connections from \(whom)"
    }

    private func connections(_ count: Int, to place: String) -> String {
        count == 1 ? "one connection to \(place)" : "\(count.grouped) connections to \(place)"
    }
}

import Glibc
public import Laboratory

/// Breaks the connections to a service on an existing interface. Root.
public final class InterfaceFault {
    public enum Kind: String, Sendable {
        /// Netfilter answers segments to the service with RSTs.
        case reject
        /// This program forges RSTs to both ends.
        case inject
    }

    private let kind: Kind
    private let settings: Settings
    private let loop: EventLoop
    private let log: ResetLog
    private let rejector: Rejector?
    private let injector: Injector?

    /// - Parameter perSecond: maximum rate of RSTs.
    public init(
        _ kind: Kind, _ settings: Settings, interface: String, to target: Endpoint, perSecond: Int, loop: EventLoop,
        log: ResetLog
    ) throws {
        self.kind = kind
        self.settings = settings
        self.loop = loop
        self.log = log
        switch kind {
        case .reject:
            rejector = try Rejector(target, interface: interface, perSecond: perSecond, loop: loop, log: log)
            injector = nil
        case .inject:
            rejector = nil
            injector = try Injector(target, interface: interface, perSecond: perSecond, loop: loop, log: log)
        }
        log.begin(kind.rawValue, settings.tool, listen: nil, to: target, how: kind.rawValue, when: nil)
        rejector?.didReset = { [self] in didReset(isFirst: true) }
        injector?.didReset = { [self] in didReset(isFirst: $0) }
    }

    /// Starts to break connections after a time, until the count is reached or `end()` is called.
    public func begin(after nanoseconds: Int64) throws {
        guard nanoseconds > 0 else { return try begin() }
        loop.after(nanoseconds) { [self] in
            do {
                try begin()
            } catch {
                log.givenUp(how: kind.rawValue, why: "\(error)")
                loop.stop()
            }
        }
    }

    private func begin() throws {
        try rejector?.begin()
        injector?.isActive = true
        log.begun(kind.rawValue)
    }

    private func didReset(isFirst: Bool) {
        if isFirst { log.countConnection() }
        guard log.hasFailed || settings.count.map({ log.resets >= $0 }) == true else { return }
        end()
        if log.hasFailed || settings.stopsAtCount { loop.stop() }
    }

    /// Leaves the interface as it was.
    public func end() {
        injector?.isActive = false
        rejector?.end()
    }
}

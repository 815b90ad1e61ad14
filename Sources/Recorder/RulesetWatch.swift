import Glibc
import KernelEvents
import Synchronization

/// Network namespaces in which a firewall rejected something.
struct Rejecting {
    var all: Set<UInt32> = []
    /// Those where a rule of iptables-legacy did.
    var legacy: Set<UInt32> = []
}

/// Records the rules of the network namespaces concerned: those of the interfaces from the start, those in which a segment is
/// rejected from then on, and both again when they change.
final class RulesetWatch: @unchecked Sendable {
    private struct Watched {
        let namespace: NetworkNamespace
        /// Told of every change of nftables; -1 if there is none.
        var socket: Int32
        /// The last time that no change was known of, CLOCK_MONOTONIC in nanoseconds.
        var quiet: Int64
        /// The first and the last change since the rules were read.
        var changed: (since: Int64, until: Int64)?
        /// Legacy tables tell nobody of changes: when they were last read after one of their rules had rejected something.
        var legacyRead: Int64?
        var contents: [Ruleset.Tool: String] = [:]
        /// The names of the legacy tables that were read.
        var legacyTables: [[UInt8]] = []
    }

    private struct Mailbox {
        /// Namespaces in which something was rejected since they were last looked at.
        var rejecting: Rejecting = Rejecting()
        var ready: [Ruleset] = []
    }

    private let mailbox = Mutex(Mailbox())
    private let stopping = Atomic<Bool>(false)
    // Used by the thread, and by others only before it starts and after it has ended.
    private var finder: NamespaceFinder
    /// nf_tables is there: to list rules, or to ask for news of them, would load it.
    private var isUsingTables: Bool
    private var watched: [UInt32: Watched] = [:]
    private var bytes = 0
    /// Namespaces in which something was rejected, and whose legacy tables may be others than those that were read.
    private var unread: Set<UInt32> = []

    /// Nanoseconds without another change, before the rules are read again, and the longest wait.
    private static let debounce: Int64 = 200_000_000
    private static let longestWait: Int64 = 2_000_000_000
    /// Nanoseconds between two readings of legacy tables.
    private static let legacyInterval: Int64 = 5_000_000_000
    /// Nanoseconds from a change to its message.
    private static let notice: Int64 = 10_000_000
    private static let mostNamespaces = 64
    /// Of all rulesets in a recording, bytes.
    private static let budget = 64 << 20

    /// Reads the rules of the network namespaces of the interfaces.
    init(_ options: RecorderOptions, kallsyms: [UInt8]) {
        let paths = options.interfaces.map { $0.namespace?.path ?? NetworkNamespace.current }
        isUsingTables = Self.contains(kallsyms, "nf_tables_getrule")
        finder = NamespaceFinder(known: [NetworkNamespace.current] + paths)
        for number in paths.compactMap(NetworkNamespace.number) where watched[number] == nil { watch(number) }
    }

    static func contains(_ text: [UInt8], _ word: String) -> Bool {
        let bytes = Array(word.utf8)
        guard let first = bytes.first else { return true }
        return text.withUnsafeBytes { text in
            var from = 0
            while from < text.count, let found = text[from...].firstIndex(of: first) {
                if text[found...].starts(with: bytes) { return true }
                from = found + 1
            }
            return false
        }
    }

    /// Something was rejected in the namespaces.
    func note(_ rejecting: Rejecting) {
        mailbox.withLock {
            $0.rejecting.all.formUnion(rejecting.all)
            $0.rejecting.legacy.formUnion(rejecting.legacy)
        }
    }

    /// What was read since the last time.
    func take() -> [Ruleset] {
        mailbox.withLock { mailbox in
            defer { mailbox.ready = [] }
            return mailbox.ready
        }
    }

    func stop() { stopping.store(true, ordering: .releasing) }

    /// Looks for changes until it is stopped, and once more.
    func run() {
        while !stopping.load(ordering: .acquiring) {
            var descriptors = watched.values.map { pollfd(fd: $0.socket, events: Int16(POLLIN), revents: 0) }
            poll(&descriptors, nfds_t(descriptors.count), 50)
            look(isLast: false)
        }
        look(isLast: true)
        for entry in watched.values where entry.socket >= 0 { Glibc.close(entry.socket) }
        watched = [:]
    }

    private func look(isLast: Bool) {
        let rejecting = mailbox.withLock { mailbox in
            defer { mailbox.rejecting = Rejecting() }
            return mailbox.rejecting
        }
        if !isUsingTables, Self.areTablesLoaded(hasRejected: !rejecting.all.isEmpty) { useTables() }
        unread.formUnion(rejecting.legacy)
        for number in rejecting.all {
            guard let entry = watched[number] else {
                watch(number)
                continue
            }
            // What they translate, rules of nftables see translated.
            if Self.legacyTables(in: entry.namespace) != entry.legacyTables { unread.insert(number) }
        }
        for number in Array(watched.keys) {
            guard var entry = watched[number] else { continue }
            let hasNews = Self.hasNews(entry.socket)
            let now = clockNanoseconds(CLOCK_MONOTONIC)
            if hasNews {
                entry.changed = (entry.changed?.since ?? max(entry.quiet, now - Self.notice), now)
            } else if entry.changed == nil {
                let isDue = isLast || entry.legacyRead.map { now - $0 >= Self.legacyInterval } ?? true
                if isDue, unread.remove(number) != nil {
                    entry.changed = (entry.quiet, now)
                    entry.legacyRead = now
                } else {
                    entry.quiet = now
                }
            }
            watched[number] = entry
            guard let changed = entry.changed else { continue }
            if isLast || now - changed.until >= Self.debounce || now - changed.since >= Self.longestWait {
                read(number)
            }
        }
    }

    /// Whether the module has been loaded, which whoever makes the first rule has the kernel do.
    private static func areTablesLoaded(hasRejected: Bool) -> Bool {
        access("/sys/module/nf_tables", F_OK) == 0
            // Not everywhere is there a /sys.
            || hasRejected && contains(readFile("/proc/modules"), "nf_tables ")
    }

    /// There were no rules of nftables until now.
    private func useTables() {
        isUsingTables = true
        let now = clockNanoseconds(CLOCK_MONOTONIC)
        for number in Array(watched.keys) {
            guard var entry = watched[number] else { continue }
            entry.socket = Self.subscribe(in: entry.namespace)
            entry.changed = (entry.changed?.since ?? entry.quiet, now)
            watched[number] = entry
        }
    }

    private func watch(_ number: UInt32) {
        guard watched.count < Self.mostNamespaces, let namespace = finder.namespace(number) else { return }
        let socket = isUsingTables ? Self.subscribe(in: namespace) : -1
        watched[number] = Watched(
            namespace: namespace, socket: socket, quiet: clockNanoseconds(CLOCK_MONOTONIC), changed: nil)
        read(number)
    }

    private static func legacyTables(in namespace: NetworkNamespace) -> [[UInt8]] {
        (try? NetworkNamespace.run(in: namespace) {
            [false, true].map { RulesetTools.legacyTables(ofIPv6: $0) }
        }) ?? []
    }

    private func read(_ number: UInt32) {
        guard var entry = watched[number] else { return }
        let changed = entry.changed
        entry.changed = nil
        entry.quiet = clockNanoseconds(CLOCK_MONOTONIC)
        entry.legacyTables = Self.legacyTables(in: entry.namespace)
        let isUsingTables = isUsingTables
        let rulesets =
            (try? NetworkNamespace.run(in: entry.namespace) {
                RulesetTools.rulesets(netns: number, isUsingTables: isUsingTables)
            }) ?? []
        for var ruleset in rulesets {
            let content = ruleset.content ?? ""
            let isLegacy = ruleset.tool.isLegacy
            // Said once more of legacy tables, where it shows that nothing changed meanwhile, and of others where the kernel has
            // told of changes: they were undone, and rules may have been there in between.
            if entry.contents[ruleset.tool] == content, !isLegacy, changed == nil { continue }
            entry.contents[ruleset.tool] = content
            ruleset.changedSince = changed?.since
            ruleset.changedUntil = changed?.until
            bytes += content.utf8.count + (ruleset.listing?.utf8.count ?? 0)
            if bytes > Self.budget {
                ruleset.content = nil
                ruleset.listing = nil
                ruleset.problem = "the rules changed so often that no more of them were recorded"
            }
            mailbox.withLock { $0.ready.append(ruleset) }
        }
        watched[number] = entry
    }

    private static func subscribe(in namespace: NetworkNamespace) -> Int32 {
        (try? NetworkNamespace.run(in: namespace) { subscribe() }) ?? -1
    }

    /// A socket of NETLINK_NETFILTER in the group NFNLGRP_NFTABLES.
    private static func subscribe() -> Int32 {
        let type = Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_NETLINK, type, 12)
        guard descriptor >= 0 else { return -1 }
        var group: Int32 = 7
        // struct sockaddr_nl; SOL_NETLINK, NETLINK_ADD_MEMBERSHIP.
        let address: [UInt8] = [16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        let isBound = address.withUnsafeBytes {
            bind(descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count)) == 0
        }
        guard isBound, setsockopt(descriptor, 270, 1, &group, 4) == 0 else {
            Glibc.close(descriptor)
            return -1
        }
        return descriptor
    }

    /// Whether the kernel has told of changes; also if it could not, since they were too many (ENOBUFS).
    private static func hasNews(_ descriptor: Int32) -> Bool {
        guard descriptor >= 0 else { return false }
        var buffer = [UInt8](repeating: 0, count: 1 << 15)
        var found = false
        for _ in 0..<1000 {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == ENOBUFS {
                found = true
                continue
            }
            guard count > 0 else { break }
            found = true
        }
        return found
    }
}

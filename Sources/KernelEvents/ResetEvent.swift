public import NetworkTypes

/// What a BPF hook saw of one reset: the packet leaving (`emit`), TCP's decision to send one (`decide`), or a RST that came
/// (`receive`).
public struct ResetEvent: Sendable, Equatable {
    public enum Kind: UInt8, Sendable {
        /// A segment with RST went into a network device (`net_dev_queue`).
        case emit
        /// The TCP stack decided to reset (`tcp_send_reset`, or a file of another tool that says so).
        case decide
        /// A RST was received (`tcp_receive_reset`), or reached the host without effect (`kfree_skb`).
        case receive
        /// A connection ended by an error that no RST brought, but an ICMP message (`inet_sock_set_state`).
        case fail
    }

    public var kind: Kind
    /// The hook's name: `net_dev_queue`, `tcp_send_reset`, `tcp_receive_reset`, ...; for a foreign file the name of its tool.
    public var hook: String
    /// CLOCK_MONOTONIC in nanoseconds (`bpf_ktime_get_ns`).
    public var monotonic: Int64
    public var cpu: Int32?
    /// The inode number of the network namespace, as `readlink /proc/PID/ns/net` shows it.
    public var netns: UInt32?
    public var ifindex: Int32?
    public var ifname: String?
    /// The kernel address of the packet buffer: the same from device to device within one host.
    public var skb: UInt64?
    /// Of the RST itself: its source is the end that resets.
    public var tuple: FourTuple
    public var seq: UInt32?
    public var ack: UInt32?
    public var flags: TCPFlags?
    public var window: UInt16?
    /// IPv4 identification; nil over IPv6.
    public var ipID: UInt16?
    /// TTL or hop limit.
    public var ttl: UInt8?
    /// The `id` of a stack record that precedes the event.
    public var stack: Int?
    public var task: Task? {
        get { sharedTask?.value }
        set { sharedTask = newValue.map(Shared.init) }
    }
    public var socket: Socket?
    // `decide` only from here.

    /// The kernel's reason, by name without its enum's prefix: `TCP_ABORT_ON_CLOSE`; of an ignored RST, `TCP_OLD_SEQUENCE`.
    public var reason: String?
    /// The state of the socket at the hook.
    public var state: TCPState?
    /// The state before the last change that the recorder saw.
    public var previousState: TCPState?
    /// The segment that provoked a passive reset.
    public var trigger: Trigger?
    /// Without a socket only: who listens on the port that the reset is sent from, or did until shortly before.
    public var listener: Listener? {
        get { rarities?.value.listener }
        set { change { $0.listener = newValue } }
    }
    /// How the connection had ended here before, if the recorder saw that.
    public var ending: Ending? {
        get { rarities?.value.ending }
        set { change { $0.ending = newValue } }
    }
    /// What connection tracking had of the segment that provoked the reset; nil where it is not at work, or that is not known.
    public var conntrack: Conntrack? {
        get { rarities?.value.conntrack }
        set { change { $0.conntrack = newValue } }
    }
    /// `receive` and `fail` only: what it found. `state` is that on arrival, `socket` the one it came for.
    public var reception: Reception? {
        get { rarities?.value.reception }
        set { change { $0.reception = newValue } }
    }
    /// Only in files of other tools: whether a segment provoked the reset (the hook was given one). Nil if not stated.
    public var provoked: Bool? {
        get { rarities?.value.provoked }
        set { change { $0.provoked = newValue } }
    }
    /// Files of other tools only: functions the reset passed through, innermost first, without what stood between
    /// them. It is not a stack: `["tcp_send_active_reset", "tcp_close"]` does not say how the one came to the other.
    public var functions: [String] {
        get { rarities?.value.functions ?? [] }
        set { change { $0.functions = newValue } }
    }
    /// 1-based line in the file the event came from; 0 for one that was never in a file.
    public var line: Int = 0
    /// Events are held in memory by the million: what only few of them have, or many share, is stored elsewhere.
    var sharedTask: Shared<Task>?
    private var rarities: Shared<Rarities>?

    private struct Rarities: Sendable, Equatable {
        var listener: Listener?
        var ending: Ending?
        var conntrack: Conntrack?
        var reception: Reception?
        var provoked: Bool?
        var functions: [String] = []
    }

    private mutating func change(_ body: (inout Rarities) -> Void) {
        var changed = rarities?.value ?? Rarities()
        body(&changed)
        rarities = changed == Rarities() ? nil : Shared(changed)
    }

    public init(kind: Kind, hook: String, monotonic: Int64, tuple: FourTuple) {
        self.kind = kind
        self.hook = hook
        self.monotonic = monotonic
        self.tuple = tuple
    }

    /// Whether both ends are known. They are not for a listener in the kernel's trace text, nor for a reset without a
    /// socket in tcprst-gadget's output: what the tool does not know is a zero there.
    public var isTupleComplete: Bool {
        tuple.sourcePort != 0 && tuple.destinationPort != 0 && !tuple.source.isUnspecified
            && !tuple.destination.isUnspecified
    }

    /// What ran on the CPU when the hook fired. It owns the socket only in process context.
    public struct Task: Sendable, Equatable {
        public enum Context: UInt8, Sendable { case process, softirq, hardirq }
        public var pid: Int32
        public var tid: Int32
        public var uid: UInt32
        /// Of the thread.
        public var comm: String
        /// The name of the thread group's leader, where it differs; of a process that runs another program by now, what it
        /// was called when it had the socket.
        public var process: String?
        /// Nil if not recorded.
        public var context: Context?
        /// The id of its cgroup v2.
        public var cgroup: UInt64?
        /// The same as a path, see `Socket.cgroupPath`.
        public var cgroupPath: String?
        public init(pid: Int32, tid: Int32, uid: UInt32, comm: String, context: Context?) {
            self.pid = pid
            self.tid = tid
            self.uid = uid
            self.comm = comm
            self.context = context
        }
    }

    /// The full socket behind the reset; its fields are absent where the kernel has none.
    public struct Socket: Sendable, Equatable {
        public var cookie: UInt64?
        public var state: TCPState?
        public var inode: UInt64?
        public var uid: UInt32?
        /// The id of the cgroup v2 the socket was made in.
        public var cgroup: UInt64?
        /// The same as a path below the cgroup mount, `/system.slice/nginx.service`; where cgroup v2 says nothing, the
        /// owner's path in the hierarchy of systemd, or of another controller of cgroup v1.
        public var cgroupPath: String?
        public var owner: Owner? {
            get { sharedOwner?.value }
            set { sharedOwner = newValue.map(Shared.init) }
        }
        /// `SOCK_DEAD`: the application has closed the socket.
        public var dead: Bool?
        /// `icsk_user_timeout`, in milliseconds; 0 is off.
        public var userTimeout: UInt32?
        /// `tcp_sock.linger2`, in the kernel's jiffies (1/CONFIG_HZ s): only its sign means something elsewhere. 0 is the
        /// default, negative means no FIN_WAIT2 at all.
        public var linger2: Int32?
        /// `SOCK_LINGER`: close() waits for what was sent to be acknowledged, or, with a time of zero, resets.
        public var linger: Bool?
        /// Of a listener.
        public var acceptQueue: AcceptQueue? {
            get { sharedQueue?.value }
            set { sharedQueue = newValue.map(Shared.init) }
        }
        var sharedOwner: Shared<Owner>?
        var sharedQueue: Shared<AcceptQueue>?
        public init() {}
    }

    /// The connections that have not been accepted yet.
    public struct AcceptQueue: Sendable, Equatable {
        /// How many there are (`sk_ack_backlog`).
        public var queued: UInt32
        /// `sk_max_ack_backlog`.
        public var backlog: UInt32
        public init(queued: UInt32, backlog: UInt32) {
            self.queued = queued
            self.backlog = backlog
        }

        /// sk_acceptq_is_full(): it takes one more than its limit.
        public var isFull: Bool { queued > backlog }
    }

    public struct Owner: Sendable, Hashable {
        public var pid: Int32
        public var comm: String
        /// How many processes had the socket open when the event was read; nil if nobody was seen to have it, and the
        /// owner is who made it or closed it.
        public var holders: Int32?
        public init(pid: Int32, comm: String, holders: Int32? = nil) {
            self.pid = pid
            self.comm = comm
            self.holders = holders
        }
    }

    public struct Listener: Sendable, Equatable {
        public var pid: Int32
        public var comm: String
        /// CLOCK_MONOTONIC in nanoseconds of listen(); nil if that was before the recording.
        public var since: Int64?
        /// When it ceased to listen; nil if it listens still.
        public var closed: Int64?
        /// Whether the socket is bound so that the segment was for it: its address or any, its IP version, its device. Nil if
        /// that was not recorded.
        public var fits: Bool?
        public init(pid: Int32, comm: String, since: Int64? = nil, closed: Int64? = nil, fits: Bool? = nil) {
            self.pid = pid
            self.comm = comm
            self.since = since
            self.closed = closed
            self.fits = fits
        }
    }

    public struct Trigger: Sendable, Equatable {
        public var flags: TCPFlags
        public var seq: UInt32
        public var ack: UInt32
        /// TCP payload in bytes.
        public var length: UInt32
        public init(flags: TCPFlags, seq: UInt32, ack: UInt32, length: UInt32) {
            self.flags = flags
            self.seq = seq
            self.ack = ack
            self.length = length
        }
    }
}

extension IPAddress {
    /// 0.0.0.0 or `::`.
    fileprivate var isUnspecified: Bool { high == 0 && (low == 0 || low == 0xffff_0000_0000) }
}

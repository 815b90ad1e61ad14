/// The keys of rst-events/1, told apart by their bytes without making a `String`.
enum RecordKey: UInt8, CaseIterable {
    case unknown
    case type, monoNs, hook, cpu, netns, ifindex, ifname, skb
    case src, sport, dst, dport, seq, ack, flags, window
    case ipID, ttl, stack, task, pid, tid, uid, comm
    case context, socket, cookie, state, inode, cgroup, owner, dead
    case linger2, reason, trigger, length, id, frames, place, count
    case events, lost, schema, tool, host, kernel, bootID, arch
    case started, clock, hooks, name, status, detail, captured, kernelDropped
    case previousState, userTimeoutMs, realtimeNs, monotonicNs, uncertaintyNs, interfaces, addresses
    case holders, listener, cgroupPath, sinceMonoNs, closedMonoNs, fits, queued, backlog, linger
    case closed, how, thread, signal, errno, idleNs, unacknowledged
    case process, exe, args, argsCut, user, parent, endings, endingsLost, noCgroups
    case scope, hosts, ports
    case since, until, hooksMonoNs, captureMonoNs, stepNs, suspendedNs, stepsMarked
    case conntrack, atWork, segment, original, reply, lookedUp
    case content, listing, untilMonoNs

    /// Keys of one to seven bytes with their closing quote, packed as a little-endian number: the first byte is lowest.
    @inline(__always)
    init?(packed: UInt64) {
        switch packed {
        case 0x2265707974: self = .type  // type
        case 0x22736e5f6f6e6f6d: self = .monoNs  // mono_ns
        case 0x226b6f6f68: self = .hook  // hook
        case 0x22757063: self = .cpu  // cpu
        case 0x22736e74656e: self = .netns  // netns
        case 0x227865646e696669: self = .ifindex  // ifindex
        case 0x22656d616e6669: self = .ifname  // ifname
        case 0x22626b73: self = .skb  // skb
        case 0x22637273: self = .src  // src
        case 0x2274726f7073: self = .sport  // sport
        case 0x22747364: self = .dst  // dst
        case 0x2274726f7064: self = .dport  // dport
        case 0x22716573: self = .seq  // seq
        case 0x226b6361: self = .ack  // ack
        case 0x227367616c66: self = .flags  // flags
        case 0x22776f646e6977: self = .window  // window
        case 0x2264695f7069: self = .ipID  // ip_id
        case 0x226c7474: self = .ttl  // ttl
        case 0x226b63617473: self = .stack  // stack
        case 0x226b736174: self = .task  // task
        case 0x22646970: self = .pid  // pid
        case 0x22646974: self = .tid  // tid
        case 0x22646975: self = .uid  // uid
        case 0x226d6d6f63: self = .comm  // comm
        case 0x22747865746e6f63: self = .context  // context
        case 0x2274656b636f73: self = .socket  // socket
        case 0x2265696b6f6f63: self = .cookie  // cookie
        case 0x226574617473: self = .state  // state
        case 0x2265646f6e69: self = .inode  // inode
        case 0x2270756f726763: self = .cgroup  // cgroup
        case 0x2272656e776f: self = .owner  // owner
        case 0x2264616564: self = .dead  // dead
        case 0x22327265676e696c: self = .linger2  // linger2
        case 0x226e6f73616572: self = .reason  // reason
        case 0x2272656767697274: self = .trigger  // trigger
        case 0x226874676e656c: self = .length  // length
        case 0x226469: self = .id  // id
        case 0x2273656d617266: self = .frames  // frames
        case 0x226572656877: self = .place  // where
        case 0x22746e756f63: self = .count  // count
        case 0x2273746e657665: self = .events  // events
        case 0x2274736f6c: self = .lost  // lost
        case 0x22616d65686373: self = .schema  // schema
        case 0x226c6f6f74: self = .tool  // tool
        case 0x2274736f68: self = .host  // host
        case 0x226c656e72656b: self = .kernel  // kernel
        case 0x2264695f746f6f62: self = .bootID  // boot_id
        case 0x2268637261: self = .arch  // arch
        case 0x2264657472617473: self = .started  // started
        case 0x226b636f6c63: self = .clock  // clock
        case 0x22736b6f6f68: self = .hooks  // hooks
        case 0x22656d616e: self = .name  // name
        case 0x22737574617473: self = .status  // status
        case 0x226c6961746564: self = .detail  // detail
        case 0x22737265646c6f68: self = .holders  // holders
        case 0x2273746966: self = .fits  // fits
        case 0x22646575657571: self = .queued  // queued
        case 0x22676f6c6b636162: self = .backlog  // backlog
        case 0x227265676e696c: self = .linger  // linger
        case 0x2273676e69646e65: self = .endings  // endings
        case 0x226465736f6c63: self = .closed  // closed
        case 0x22776f68: self = .how  // how
        case 0x22646165726874: self = .thread  // thread
        case 0x226c616e676973: self = .signal  // signal
        case 0x226f6e727265: self = .errno  // errno
        case 0x22736e5f656c6469: self = .idleNs  // idle_ns
        case 0x22737365636f7270: self = .process  // process
        case 0x22657865: self = .exe  // exe
        case 0x2273677261: self = .args  // args
        case 0x2272657375: self = .user  // user
        case 0x22746e65726170: self = .parent  // parent
        case 0x2265706f6373: self = .scope  // scope
        case 0x227374736f68: self = .hosts  // hosts
        case 0x227374726f70: self = .ports  // ports
        case 0x2265636e6973: self = .since  // since
        case 0x226c69746e75: self = .until  // until
        case 0x22736e5f70657473: self = .stepNs  // step_ns
        case 0x226b726f775f7461: self = .atWork  // at_work
        case 0x22746e656d676573: self = .segment  // segment
        case 0x22796c706572: self = .reply  // reply
        case 0x22746e65746e6f63: self = .content  // content
        case 0x22676e697473696c: self = .listing  // listing
        default: return nil
        }
    }

    /// Keys of eight to sixteen bytes, packed in two numbers.
    init?(head: UInt64, tail: UInt64, length: Int) {
        guard length >= 8, length <= 16 else { return nil }
        switch (head, tail) {
        case (0x6465727574706163, 0x0): self = .captured  // captured
        case (0x645f6c656e72656b, 0x646570706f72): self = .kernelDropped  // kernel_dropped
        case (0x73756f6976657270, 0x65746174735f): self = .previousState  // previous_state
        case (0x6d69745f72657375, 0x736d5f74756f65): self = .userTimeoutMs  // user_timeout_ms
        case (0x656d69746c616572, 0x736e5f): self = .realtimeNs  // realtime_ns
        case (0x696e6f746f6e6f6d, 0x736e5f63): self = .monotonicNs  // monotonic_ns
        case (0x6961747265636e75, 0x736e5f79746e): self = .uncertaintyNs  // uncertainty_ns
        case (0x6361667265746e69, 0x7365): self = .interfaces  // interfaces
        case (0x6573736572646461, 0x73): self = .addresses  // addresses
        case (0x72656e657473696c, 0x0): self = .listener  // listener
        case (0x705f70756f726763, 0x687461): self = .cgroupPath  // cgroup_path
        case (0x6f6d5f65636e6973, 0x736e5f6f6e): self = .sinceMonoNs  // since_mono_ns
        case (0x6d5f6465736f6c63, 0x736e5f6f6e6f): self = .closedMonoNs  // closed_mono_ns
        case (0x756f7267635f6f6e, 0x7370): self = .noCgroups  // no_cgroups
        case (0x5f73676e69646e65, 0x74736f6c): self = .endingsLost  // endings_lost
        case (0x776f6e6b63616e75, 0x64656764656c): self = .unacknowledged  // unacknowledged
        case (0x7475635f73677261, 0x0): self = .argsCut  // args_cut
        case (0x65646e6570737573, 0x736e5f64): self = .suspendedNs  // suspended_ns
        case (0x616d5f7370657473, 0x64656b72): self = .stepsMarked  // steps_marked
        case (0x6f6d5f736b6f6f68, 0x736e5f6f6e): self = .hooksMonoNs  // hooks_mono_ns
        case (0x5f65727574706163, 0x736e5f6f6e6f6d): self = .captureMonoNs  // capture_mono_ns
        case (0x6f6d5f6c69746e75, 0x736e5f6f6e): self = .untilMonoNs  // until_mono_ns
        case (0x636172746e6e6f63, 0x6b): self = .conntrack  // conntrack
        case (0x6c616e696769726f, 0x0): self = .original  // original
        case (0x755f64656b6f6f6c, 0x70): self = .lookedUp  // looked_up
        default: return nil
        }
    }

    /// The slow way, for a key that was written with escapes.
    init?(name: String) {
        guard let key = Self.allCases.first(where: { $0 != .unknown && $0.name == name }) else { return nil }
        self = key
    }

    /// As it stands in the file.
    var name: String {
        switch self {
        case .unknown: "?"
        case .type: "type"
        case .monoNs: "mono_ns"
        case .hook: "hook"
        case .cpu: "cpu"
        case .netns: "netns"
        case .ifindex: "ifindex"
        case .ifname: "ifname"
        case .skb: "skb"
        case .src: "src"
        case .sport: "sport"
        case .dst: "dst"
        case .dport: "dport"
        case .seq: "seq"
        case .ack: "ack"
        case .flags: "flags"
        case .window: "window"
        case .ipID: "ip_id"
        case .ttl: "ttl"
        case .stack: "stack"
        case .task: "task"
        case .pid: "pid"
        case .tid: "tid"
        case .uid: "uid"
        case .comm: "comm"
        case .context: "context"
        case .socket: "socket"
        case .cookie: "cookie"
        case .state: "state"
        case .inode: "inode"
        case .cgroup: "cgroup"
        case .owner: "owner"
        case .dead: "dead"
        case .linger2: "linger2"
        case .reason: "reason"
        case .trigger: "trigger"
        case .length: "length"
        case .id: "id"
        case .frames: "frames"
        case .place: "where"
        case .count: "count"
        case .events: "events"
        case .lost: "lost"
        case .schema: "schema"
        case .tool: "tool"
        case .host: "host"
        case .kernel: "kernel"
        case .bootID: "boot_id"
        case .arch: "arch"
        case .started: "started"
        case .clock: "clock"
        case .hooks: "hooks"
        case .name: "name"
        case .status: "status"
        case .detail: "detail"
        case .captured: "captured"
        case .kernelDropped: "kernel_dropped"
        case .previousState: "previous_state"
        case .userTimeoutMs: "user_timeout_ms"
        case .realtimeNs: "realtime_ns"
        case .monotonicNs: "monotonic_ns"
        case .uncertaintyNs: "uncertainty_ns"
        case .interfaces: "interfaces"
        case .addresses: "addresses"
        case .holders: "holders"
        case .listener: "listener"
        case .cgroupPath: "cgroup_path"
        case .sinceMonoNs: "since_mono_ns"
        case .closedMonoNs: "closed_mono_ns"
        case .fits: "fits"
        case .queued: "queued"
        case .backlog: "backlog"
        case .linger: "linger"
        case .noCgroups: "no_cgroups"
        case .endingsLost: "endings_lost"
        case .endings: "endings"
        case .closed: "closed"
        case .how: "how"
        case .thread: "thread"
        case .signal: "signal"
        case .errno: "errno"
        case .idleNs: "idle_ns"
        case .unacknowledged: "unacknowledged"
        case .process: "process"
        case .exe: "exe"
        case .args: "args"
        case .user: "user"
        case .parent: "parent"
        case .argsCut: "args_cut"
        case .scope: "scope"
        case .hosts: "hosts"
        case .ports: "ports"
        case .since: "since"
        case .until: "until"
        case .stepNs: "step_ns"
        case .suspendedNs: "suspended_ns"
        case .stepsMarked: "steps_marked"
        case .hooksMonoNs: "hooks_mono_ns"
        case .captureMonoNs: "capture_mono_ns"
        case .conntrack: "conntrack"
        case .content: "content"
        case .listing: "listing"
        case .untilMonoNs: "until_mono_ns"
        case .atWork: "at_work"
        case .segment: "segment"
        case .original: "original"
        case .reply: "reply"
        case .lookedUp: "looked_up"
        }
    }
}

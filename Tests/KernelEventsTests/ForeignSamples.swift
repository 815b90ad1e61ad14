/// What other tools wrote, to be read byte for byte.
enum ForeignSamples {
    /// `cat trace` of a 6.18 kernel: a port nobody listens on (IPv4, IPv6, IPv4 over an AF_INET6 socket), SO_LINGER 0
    /// and a close with unread data (IPv4, IPv6), a stray ACK to a listener.
    static let trace618 = """
        # tracer: nop
        #
        # entries-in-buffer/entries-written: 8/8   #P:2
        #
        #                                _-----=> irqs-off/BH-disabled
        #                               / _----=> need-resched
        #                              | / _---=> hardirq/softirq
        #                              || / _--=> preempt-depth
        #                              ||| / _-=> migrate-disable
        #                              |||| /     delay
        #           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
        #              | |         |   |||||     |         |
                 python3-17468   [001] ..s1.  1857.398870: tcp_send_reset: skbaddr=000000007486e66e skaddr=0000000000000000 src=127.0.0.1:59999 dest=127.0.0.1:38446 state=UNKNOWN reason=NO_SOCKET
                 python3-17468   [001] ..s1.  1857.398966: tcp_send_reset: skbaddr=000000007486e66e skaddr=0000000000000000 src=[::1]:59999 dest=[::1]:38600 state=UNKNOWN reason=NO_SOCKET
                 python3-17468   [001] ..s1.  1857.399012: tcp_send_reset: skbaddr=000000007486e66e skaddr=0000000000000000 src=127.0.0.1:59999 dest=127.0.0.1:38460 state=UNKNOWN reason=NO_SOCKET
                 python3-17468   [001] .....  1857.399330: tcp_send_reset: skbaddr=0000000000000000 skaddr=000000009dbf56d8 src=127.0.0.1:43384 dest=127.0.0.1:32781 state=TCP_CLOSE reason=TCP_STATE
                 python3-17468   [001] .....  1857.449655: tcp_send_reset: skbaddr=0000000000000000 skaddr=000000009dbf56d8 src=127.0.0.1:32781 dest=127.0.0.1:43394 state=TCP_CLOSE reason=TCP_ABORT_ON_CLOSE
                 python3-17468   [001] .....  1857.500145: tcp_send_reset: skbaddr=0000000000000000 skaddr=000000006c6b9958 src=[::1]:33700 dest=[::1]:40925 state=TCP_CLOSE reason=TCP_STATE
                 python3-17468   [001] .....  1857.550463: tcp_send_reset: skbaddr=0000000000000000 skaddr=000000006c6b9958 src=[::1]:40925 dest=[::1]:33712 state=TCP_CLOSE reason=TCP_ABORT_ON_CLOSE
                 python3-17468   [001] ..s1.  1857.601098: tcp_send_reset: skbaddr=00000000314ae391 skaddr=0000000005699700 src=0.0.0.0:60235 dest=0.0.0.0:0 state=TCP_LISTEN reason=TCP_FLAGS

        """

    /// The same kernel with the options record-tgid and stacktrace, of which only some frames are kept here; the second
    /// event's process had already gone when the file was read.
    static let traceWithStacks = """
        # tracer: nop
        #
        # entries-in-buffer/entries-written: 225/2400   #P:2
        #
        #           TASK-PID       TGID    CPU#  |||||  TIMESTAMP  FUNCTION
        #              | |           |       |   |||||     |         |
                 python3-19648   (  19648) [000] ..s1.  2013.632786: tcp_send_reset: skbaddr=00000000d46eb4f0 skaddr=0000000000000000 src=127.0.0.1:59999 dest=127.0.0.1:40484 state=UNKNOWN reason=NO_SOCKET
                 python3-19648   (  19648) [000] ..s1.  2013.632794: <stack trace>
         => trace_event_raw_event_tcp_send_reset+0x10c/0x300
         => tcp_v4_send_reset+0x677/0x820
         => tcp_v4_rcv+0x8c2/0x13f0
         => ip_protocol_deliver_rcu+0x28/0x180
         => entry_SYSCALL_64_after_hwframe+0x76/0x7e
                 python3-17514   (-------) [001] .....  1859.888373: tcp_send_reset: skbaddr=0000000000000000 skaddr=0000000029b76592 src=[::1]:33650 dest=[::1]:47303 state=TCP_CLOSE reason=TCP_STATE
                 python3-19648   (  19648) [000] ..s1.  2013.632849: <stack trace>
         => trace_event_raw_event_tcp_send_reset
         => tcp_v4_send_reset

        """

    /// `perf script` (perf 6.1) of `perf record -g -e tcp:tcp_send_reset -a` on the 6.18 kernel, frames left out here.
    static let perfWithStacks =
        "python3 17916 [001]  1888.803992: tcp:tcp_send_reset: skbaddr=0xffff88810b995ce0 skaddr=(nil) "
        + "src=127.0.0.1:59999 dest=127.0.0.1:40972 state=UNKNOWN reason=NO_SOCKET\n"
        + "\tffffffff81eb6ad7 __traceiter_tcp_send_reset+0x37 ([kernel.kallsyms])\n"
        + "\tffffffff8202ec67 tcp_v4_send_reset+0x677 ([kernel.kallsyms])\n"
        + "\tffffffff82030e42 tcp_v4_rcv+0x8c2 ([kernel.kallsyms])\n"
        + "\tffffffff81000130 entry_SYSCALL_64_after_hwframe+0x76 ([kernel.kallsyms])\n"
        + "\t          10a7c0 __libc_connect+0x10 (/usr/lib/x86_64-linux-gnu/libc.so.6)\n"
        + "\t               0 [unknown] ([unknown])\n\n"
        + "python3 17916 [001]  1888.854636: tcp:tcp_send_reset: skbaddr=(nil) skaddr=0xffff888103280000 "
        + "src=127.0.0.1:49201 dest=127.0.0.1:55740 state=0x7 reason=TCP_ABORT_ON_CLOSE\n"
        + "\tffffffff81eb6ad7 __traceiter_tcp_send_reset+0x37 ([kernel.kallsyms])\n"
        + "\tffffffff82027280 tcp_send_active_reset+0x160 ([kernel.kallsyms])\n"
        + "\tffffffff8200e42b __tcp_close+0x12b ([kernel.kallsyms])\n"
        + "\tffffffff8200e74f tcp_close+0x1f ([kernel.kallsyms])\n"
        + "\t           f89f0 __close+0x10 (/usr/lib/x86_64-linux-gnu/libc.so.6)\n\n"

    /// `perf script` without stacks, and with `--ns -F comm,pid,tid,cpu,time,event,trace`.
    static let perf = """
                 python3 17601 [001]  1860.873044: tcp:tcp_send_reset: skbaddr=0xffff88810b9946e0 skaddr=(nil) src=127.0.0.1:59999 dest=127.0.0.1:38486 state=UNKNOWN reason=NO_SOCKET
                 python3 17601/17601 [001]  1860.873150319: tcp:tcp_send_reset: skbaddr=0xffff88810b9946e0 skaddr=(nil) src=[::1]:59999 dest=[::1]:38628 state=UNKNOWN reason=NO_SOCKET
                 python3 17601 [001]  1861.075365: tcp:tcp_send_reset: skbaddr=0xffff88810a42ca00 skaddr=0xffff888103282500 src=0.0.0.0:35197 dest=0.0.0.0:0 state=0xa reason=TCP_FLAGS

        """

    /// Made after `TP_printk` of include/trace/events/tcp.h, class `tcp_event_sk_skb`, v6.1 (also 5.14 to 6.9): an IPv4
    /// socket, an AF_INET6 socket over IPv6 (inet_saddr is LOOPBACK4_IPV6) and over IPv4, a listener.
    static let trace61 = """
               nginx-812     [003] ..s2.   300.000001: tcp_send_reset: family=AF_INET sport=80 dport=40000 saddr=10.0.0.1 daddr=10.0.0.2 saddrv6=::ffff:10.0.0.1 daddrv6=::ffff:10.0.0.2 state=TCP_SYN_RECV
               nginx-812     [003] d....   300.000002: tcp_send_reset: family=AF_INET6 sport=80 dport=40001 saddr=127.0.0.6 daddr=127.0.0.6 saddrv6=fd00::1 daddrv6=fd00::2 state=TCP_CLOSE
               nginx-812     [003] d.h1.   300.000003: tcp_send_reset: family=AF_INET6 sport=80 dport=40002 saddr=10.0.0.1 daddr=10.0.0.3 saddrv6=::ffff:10.0.0.1 daddrv6=::ffff:10.0.0.3 state=TCP_ESTABLISHED
              <idle>-0       [000] ..s1.   300.000004: tcp_send_reset: family=AF_INET sport=80 dport=0 saddr=0.0.0.0 daddr=0.0.0.0 saddrv6=::ffff:0.0.0.0 daddrv6=::ffff:0.0.0.0 state=TCP_LISTEN

        """

    /// The same of v5.4, without the family, and of v4.16, without the state; flags of four letters.
    static let trace54 = """
               <...>-812   [003] ..s2   300.000001: tcp_send_reset: sport=80 dport=40000 saddr=10.0.0.1 daddr=10.0.0.2 saddrv6=::ffff:10.0.0.1 daddrv6=::ffff:10.0.0.2 state=TCP_ESTABLISHED
               nginx-812   [003] ....   300.000002: tcp_send_reset: sport=80 dport=40001 saddr=10.0.0.1 daddr=10.0.0.2 saddrv6=::ffff:10.0.0.1 daddrv6=::ffff:10.0.0.2

        """

    /// Made after `trace-cmd report`: the name is padded, losses stand on lines of their own.
    static let traceCmd = """
        cpus=2
        CPU:1 [775 EVENTS DROPPED]
                 python3-17468 [001]  1857.399330: tcp_send_reset:       skbaddr=(nil) skaddr=0xffff888103283780 src=127.0.0.1:43384 dest=127.0.0.1:32781 state=TCP_CLOSE reason=TCP_STATE
                 python3-17468 [001] ..s1.  1857.601098: tcp_send_reset:       skbaddr=0xffff888103283780 skaddr=0xffff888103283780 src=0.0.0.0:60235 dest=0.0.0.0:0 state=TCP_LISTEN reason=TCP_FLAGS

        """

    /// The sample in tcprst-gadget's README (`ig run ... -o jsonpretty`), its log line included.
    static let gadgetPretty = #"""
        INFO[0000] Experimental features enabled
        {
          "dst": {
            "v": 4,
            "kind": "",
            "port": 8000,
            "name": "",
            "addr": "127.0.0.1",
            "namespace": "",
            "proto": "TCP"
          },
          "runtime": {
            "runtimeName": "docker",
            "containerId": "0e7859b44b4e93d620108bda2c5103614fd6ff83a2798742f0ddd3fa3db3b3b7",
            "containerName": "my-python",
            "containerImageName": "python:3.7-alpine",
            "containerImageDigest": ""
          },
          "src": {
            "addr": "127.0.0.1",
            "name": "",
            "kind": "",
            "v": 4,
            "namespace": "",
            "port": 0,
            "proto": "TCP"
          },
          "k8s": {
            "node": "",
            "namespace": "",
            "pod": "",
            "container": "",
            "hostnetwork": false
          },
          "callee": "FUNC_TCP_SEND_ACTIVE_RESET",
          "callee_raw": 0,
          "caller": "FUNC_TCP_DISCONNECT",
          "caller_raw": 0,
          "sk_state": 1,
          "mntns_id": 4026532279,
          "netns_id": 4026532284,
          "pid": 51818,
          "tid": 51818,
          "uid": 0,
          "gid": 0,
          "comm": "python",
          "socket_mntns_id": 4026532279,
          "socket_netns_id": 4026532284,
          "socket_pid": 51818,
          "socket_tid": 51818,
          "socket_uid": 0,
          "socket_gid": 0,
          "socket_comm": "python"
        }

        """#

    /// The same tool with `-o json`, one object a line: a reset without a socket, then one with.
    static let gadgetLines = #"""
        {"callee":"FUNC_TCP_V4_SEND_RESET","callee_raw":2,"caller":"FUNC_TCP_V4_RCV","caller_raw":7,"comm":"wget","dst":{"addr":"0.0.0.0","port":0,"proto":"TCP","v":4},"gid":0,"mntns_id":1,"netns_id":4026531840,"pid":99,"sk_state":0,"socket_comm":"","socket_netns_id":0,"socket_pid":0,"socket_uid":0,"src":{"addr":"0.0.0.0","port":0,"proto":"TCP","v":4},"tid":100,"uid":1000}
        {"callee":"FUNC_NF_SEND_RESET","caller":"UNKOWN_CALLER","comm":"swapper/0","dst":{"addr":"10.0.0.2","port":40000,"version":4},"pid":0,"sk_state":1,"socket_comm":"nginx","socket_netns_id":4026531840,"socket_pid":812,"socket_uid":33,"src":{"addr":"10.0.0.1","port":80,"version":4},"tid":0,"uid":0}

        """#
}

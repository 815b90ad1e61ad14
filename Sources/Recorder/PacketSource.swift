import CLinux
import CPcap
import Glibc
import PcapReader

/// One interface that libpcap captures on.
final class PacketSource {
    let name: String
    let linkType: UInt16
    let snaplen: Int32
    /// Nil for `any`.
    let index: Int32?
    let netns: UInt32?
    private let handle: OpaquePointer
    /// Time stamps come in nanoseconds; otherwise in microseconds.
    private let nanoseconds: Bool
    /// What libpcap wants the user to know.
    private(set) var warnings: [String] = []

    /// Milliseconds until the kernel hands over a block that is not full.
    static let blockTimeout: Int32 = 50

    /// Opens the interface in the calling thread's network namespace.
    init(name: String, filter: String, snaplen: Int32, bufferBytes: Int32) throws(RecorderError) {
        var errors = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
        guard let handle = pcap_create(name, &errors) else {
            throw RecorderError.noCapture(interface: name, reason: Self.text(errors))
        }
        pcap_set_snaplen(handle, snaplen)
        pcap_set_promisc(handle, 0)
        pcap_set_timeout(handle, Self.blockTimeout)
        pcap_set_buffer_size(handle, bufferBytes)
        nanoseconds = pcap_set_tstamp_precision(handle, PCAP_TSTAMP_PRECISION_NANO) == 0
        let status = pcap_activate(handle)
        guard status >= 0 else {
            let reason = Self.explain(status, handle: handle, name: name)
            pcap_close(handle)
            throw status == PCAP_ERROR_NO_SUCH_DEVICE || status == PCAP_ERROR_IFACE_NOT_UP
                ? RecorderError.noInterface(interface: name, reason: reason)
                : RecorderError.noCapture(interface: name, reason: reason)
        }
        if status > 0 { warnings.append("\(name): \(String(cString: pcap_geterr(handle)))") }
        // COMMAND and the firewall tools have no business with it.
        _ = fcntl(pcap_fileno(handle), F_SETFD, FD_CLOEXEC)
        // Cooked v2 carries the interface's index; v1 does not.
        if pcap_datalink(handle) == DLT_LINUX_SLL { _ = pcap_set_datalink(handle, DLT_LINUX_SLL2) }
        if pcap_setnonblock(handle, 1, &errors) != 0 {
            pcap_close(handle)
            throw RecorderError.noCapture(interface: name, reason: Self.text(errors))
        }
        var program = bpf_program()
        guard pcap_compile(handle, &program, filter, 1, bpf_u_int32(PCAP_NETMASK_UNKNOWN)) == 0 else {
            let reason = String(cString: pcap_geterr(handle))
            pcap_close(handle)
            throw RecorderError.invalidFilter(expression: filter, interface: name, reason: reason)
        }
        defer { pcap_freecode(&program) }
        guard pcap_setfilter(handle, &program) == 0 else {
            let reason = String(cString: pcap_geterr(handle))
            pcap_close(handle)
            throw RecorderError.filterRefused(interface: name, reason: reason)
        }
        // Where that cannot be, what is dropped on lo counts twice.
        let loopback = if_nametoindex("lo")
        if loopback > 0 { _ = linux_leave_out_loopback_output(pcap_fileno(handle), loopback) }
        self.name = name
        let index = if_nametoindex(name)
        self.index = index > 0 ? Int32(clamping: index) : nil
        netns = NetworkNamespace.number(NetworkNamespace.current)
        self.handle = handle
        self.snaplen = snaplen
        linkType = UInt16(truncatingIfNeeded: Self.linkType(of: pcap_datalink(handle)))
    }

    deinit { pcap_close(handle) }

    /// To wait for with poll(2).
    var descriptor: Int32 { pcap_get_selectable_fd(handle) }

    /// Packets are handed over so many at a time: where they come faster than they are written there is always another one,
    /// and the other interfaces and the end of the recording have to have their turn.
    private static let handedOver = 4096

    /// Hands over packets that are there. Throws if the interface is gone.
    func read(
        _ body: (UnsafeRawBufferPointer, _ time: Int64, _ originalLength: UInt32) throws(RecorderError) -> Void
    ) throws(RecorderError) {
        for _ in 0..<Self.handedOver {
            var header: UnsafeMutablePointer<pcap_pkthdr>?
            var data: UnsafePointer<UInt8>?
            let status = pcap_next_ex(handle, &header, &data)
            if status == 0 { return }
            guard status == 1, let header, let data else {
                throw RecorderError.interfaceLost(interface: name, reason: String(cString: pcap_geterr(handle)))
            }
            let stamp = header.pointee.ts
            let time = Int64(stamp.tv_sec) * 1_000_000_000 + Int64(stamp.tv_usec) * (nanoseconds ? 1 : 1000)
            try body(
                UnsafeRawBufferPointer(start: data, count: Int(header.pointee.caplen)), time, header.pointee.len)
        }
    }

    /// Ends the capture: what was taken can still be read.
    func takeNoMore() { _ = linux_take_no_more(pcap_fileno(handle)) }

    /// Packets that the kernel or the device dropped since the capture began.
    func dropped() -> (received: UInt64, kernel: UInt64, device: UInt64) {
        var statistics = pcap_stat()
        guard pcap_stats(handle, &statistics) == 0 else { return (0, 0, 0) }
        return (UInt64(statistics.ps_recv), UInt64(statistics.ps_drop), UInt64(statistics.ps_ifdrop))
    }

    /// The number that files use; libpcap's DLT_RAW differs from system to system (pcap-linktype(7)).
    private static func linkType(of dlt: Int32) -> Int32 {
        dlt == DLT_RAW ? 101 : dlt
    }

    private static func explain(_ status: Int32, handle: OpaquePointer, name: String) -> String {
        let detail = String(cString: pcap_geterr(handle))
        switch status {
        case PCAP_ERROR_NO_SUCH_DEVICE: return "no such interface (\"ip link\" lists them)"
        case PCAP_ERROR_PERM_DENIED, PCAP_ERROR_PROMISC_PERM_DENIED:
            return "permission denied"
        case PCAP_ERROR_IFACE_NOT_UP: return "the interface is down (\"ip link set \(name) up\")"
        default:
            let kind = String(cString: pcap_statustostr(status))
            return detail.isEmpty ? kind : "\(kind): \(detail)"
        }
    }

    private static func text(_ buffer: [CChar]) -> String {
        String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

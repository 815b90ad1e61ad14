import CLibBPF
import KernelEvents
import NetworkTypes

/// What the kernel's record says in itself, in the words of events.jsonl.
extension rst_event {
    func has(_ bit: rst_event_has) -> Bool { UInt32(has) & UInt32(bit.rawValue) != 0 }

    /// A RST that had no effect.
    var isIgnored: Bool { Int(kind) == Int(RST_IGNORE.rawValue) }

    /// The owner that is remembered was the current task.
    var isOfOwner: Bool { has(RST_HAS_OWNER) && owner_pid == pid }

    var tuple: FourTuple {
        FourTuple(
            source: IPAddress(src), sourcePort: sport, destination: IPAddress(dst), destinationPort: dport)
    }

    /// The hook's name in recordings.
    var hook: String {
        switch Int(kind) {
        case Int(RST_EMIT.rawValue): return ResetEvent.emitHook
        case Int(RST_RECEIVE.rawValue): return ResetEvent.receiveHook
        case Int(RST_IGNORE.rawValue): return ResetEvent.ignoreHook
        case Int(RST_FAIL.rawValue): return ResetEvent.failHook
        default: break
        }
        guard has(RST_HAS_ENTRY) else { return ResetEvent.decideHook }
        return ip_version == 4 ? ResetEvent.entryHooks[0] : ResetEvent.entryHooks[1]
    }

    /// The process that waits for the socket with that number.
    func waiter(_ pid: Int32) -> rst_waiter? {
        guard [Int(RST_RECEIVE.rawValue), Int(RST_FAIL.rawValue)].contains(Int(kind)) else { return nil }
        return [received.waiters.0, received.waiters.1].first { $0.pid != 0 && $0.pid == UInt32(bitPattern: pid) }
    }
}

extension ResetEvent.Kind {
    init?(_ record: UnsafePointer<rst_event>) {
        switch Int(record.pointee.kind) {
        case Int(RST_EMIT.rawValue): self = .emit
        case Int(RST_DECIDE.rawValue): self = .decide
        case Int(RST_RECEIVE.rawValue), Int(RST_IGNORE.rawValue): self = .receive
        case Int(RST_FAIL.rawValue): self = .fail
        default: return nil
        }
    }
}

extension rst_conntrack_tuple {
    var tuple: FourTuple {
        FourTuple(
            source: IPAddress(src), sourcePort: sport, destination: IPAddress(dst), destinationPort: dport)
    }
}

extension IPAddress {
    fileprivate init(_ bytes: Bytes) {
        self = withUnsafeBytes(of: bytes) { raw in
            IPAddress(
                high: UInt64(bigEndian: raw.loadUnaligned(as: UInt64.self)),
                low: UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        }
    }

    fileprivate typealias Bytes = (
        UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8
    )
}

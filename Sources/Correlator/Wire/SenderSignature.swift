import NetworkTypes
import PcapReader

/// What the header of a RST says of the stack that made it, and where that is known from.
struct SenderSignature: Sendable, Equatable {
    /// One sentence: what was seen, what it fits, and the source.
    let sentence: String

    init(_ evidence: WireEvidence) {
        let reset = evidence.reset
        let isIPv4 = evidence.tuple.source.isIPv4
        let initial = Self.initialTTL(reset.ttl)
        let isAnswer = !reset.flags.contains(.ack) && reset.ack == 0 || reset.flags.contains(.ack) && reset.seq == 0
        let hasOptions = evidence.options.kinds != []
        let isSigned = !evidence.options.kinds.isDisjoint(with: [.signature, .authentication])
        let identification = isIPv4 ? ", IP ID \(reset.ipID)" : ""
        let seen =
            "\(hasOptions ? "options" : "no options"), window \(reset.window)\(identification), "
            + "TTL \(reset.ttl)\(isIPv4 ? evidence.dontFragment ? ", DF" : ", no DF" : "")"

        // A header of its own may fit a stack by chance: the end's other segments speak first.
        let fitsEnd = evidence.own.segments == 0 || Self.initialTTL(evidence.own.lowestTTL) == initial
        if isAnswer, !hasOptions || isSigned, reset.window == 0, !isIPv4 || reset.ipID == 0 && evidence.dontFragment,
            initial == 64, fitsEnd
        {
            let stack = "as Linux answers a segment (tcp_v4_send_reset(), or REJECT: nf_send_reset())"
            sentence =
                isIPv4 && evidence.own.neverIdentifies
                ? "\(seen): as stacks answer that set no IP ID (FreeBSD, macOS; RFC 6864), or \(stack)"
                : "\(seen): \(stack)"
        } else if evidence.mayBeOfLinuxSocket, evidence.options.kinds.contains(.timestamps) {
            sentence = "\(seen): as when Linux ends a connection of its own (tcp_send_active_reset())"
        } else if isIPv4, initial == 128, evidence.dontFragment, reset.ipID != 0, reset.window == 0, !hasOptions {
            sentence = "\(seen): fits Windows (nmap-os-db, tests T4 to T6: DF, initial TTL 128, window 0)"
        } else if isIPv4, initial == 128, !evidence.dontFragment, reset.window == 0, !hasOptions {
            sentence =
                "\(seen): fits Windows XP and 2003 (nmap-os-db, tests T4 to T6: no DF, initial TTL 128, window 0)"
        } else if isAnswer, isIPv4, initial == 64, reset.window == 0, !hasOptions, evidence.dontFragment {
            sentence =
                "\(seen): as Linux answered before 4.19, which made the IP ID 0 (commit 431280eebed9, also in stable kernels since September 2018); also fits macOS, BSD or a device (nmap-os-db)"
        } else if isIPv4, initial == 64, reset.window == 0, !hasOptions, reset.ipID != 0 || !evidence.dontFragment {
            sentence = "\(seen): not Linux, which answers with DF; fits macOS, BSD or a device (nmap-os-db)"
        } else if reset.flags.contains(.ack), !hasOptions, !evidence.own.timestampsAgreed, initial == 64,
            reset.window != 0,
            evidence.flow?.isKnown == true
        {
            sentence =
                "\(seen): a socket's window, as when Linux ends a connection of its own (tcp_send_active_reset())"
        } else if !evidence.payload.isEmpty {
            sentence = "\(seen), with data: no general-purpose stack sends data with a RST; devices do"
        } else if evidence.flow?.isKnown != true, isIPv4, reset.ipID == 0, reset.window != 0, reset.flags.contains(.ack)
        {
            sentence = "\(seen): neither a Linux answer (window 0) nor a Linux socket's own RST (IP ID not 0)"
        } else {
            sentence = "\(seen): fits no stack that this program knows"
        }
    }

    /// The initial TTL or hop limit that a stack starts with, from what is left of it after some hops.
    static func initialTTL(_ ttl: UInt8) -> UInt8 {
        ttl <= 32 ? 32 : ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255
    }
}

extension ConnectionSide {
    /// All its segments have the IP identification 0, its data, too: Linux counts from its first data on.
    fileprivate var neverIdentifies: Bool { segments > 2 && bytes > 0 && idPairs == 0 && lastID == 0 }
}
